"""Breaks a running stack in every way that it should survive, and counts what became of it: `make chaos`.

Starts stacks of its own on free ports, one at a time; load and stack share the machine. Prints a line for each fault as it ends, and a
Markdown table of all. Ends with 1 if anything acknowledged was lost or doubled, an aim was missed, or a fault
that was asked for wasn't tried. `--quick 20` tries the quick form twenty times.
"""

import argparse
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

import absences
import crashes
import network
import providers
import quick
import records
import suites
from bed import Bed, bed
from outcomes import Outcome, attempted, table

Rounds = dict[str, Callable[[Bed, random.Random], Outcome]]

_ALONE: Final = ("F10", "F13", "F21")
"""These start what they need themselves, after the stack of the others has ended."""


def shared(runs: int, short: bool) -> Rounds:
    """Faults that are tried one after another on one stack; the long form keeps auth away for five minutes."""
    away = 75.0 if short else 300.0
    return {
        "F1": lambda bed, chance: crashes.killed(bed, chance, runs),
        "F3": crashes.broker_killed,
        "F4": absences.broker_away,
        "F5": crashes.database_killed,
        "F6": absences.search_away,
        "F7": providers.mail_fails,
        "F8": providers.translator_fails,
        "F9": records.poison,
        "F11": records.replayed,
        "F17": absences.hanging,
        "F18": lambda bed, chance: absences.auth_away(bed, chance, away),
        "F20": crashes.two_relays,
        "F22": absences.carried_late,
    }


class Chaos:
    """One run; every fault draws from a chance of its own, so that one alone repeats what it did among all."""

    def __init__(self, folder: Path, seed: int, until: float) -> None:
        self.outcomes: list[Outcome] = []
        self._folder = folder
        self._seed = seed
        self._until = until

    def on_one_stack(self, rounds: Rounds, wanted: list[str]) -> None:
        """Try some faults on one stack; one that breaks off gets a fresh stack behind it."""
        waiting = [name for name in rounds if name in wanted]
        while waiting:
            with bed(self._folder / f"stack-{len(self.outcomes)}") as made:
                self._until_one_breaks_off(made, rounds, waiting)

    def _until_one_breaks_off(self, made: Bed, rounds: Rounds, waiting: list[str]) -> None:
        while waiting:
            fault = rounds[name := waiting.pop(0)]
            if not self._try(name, lambda chance, fault=fault: fault(made, chance)):  # type: ignore[misc]
                return

    def alone(self, wanted: list[str]) -> None:
        own: dict[str, Callable[[random.Random], Outcome]] = {
            "F10": lambda _: suites.shuffled(),
            "F13": lambda chance: network.slow_and_cut(self._folder / "network", chance),
            "F21": lambda _: suites.broker_emptied(),
        }
        for name in _ALONE:
            if name in wanted:
                self._try(name, own[name])

    def _try(self, name: str, fault: Callable[[random.Random], Outcome]) -> bool:
        """Run one fault and say what became of it; False when it broke off."""
        chance = random.Random(f"{self._seed} {name}")  # noqa: S311 - a seed must repeat
        late = time.monotonic() > self._until
        outcome = attempted(name, lambda: Outcome(name, "", skipped="the time is over") if late else fault(chance))
        self.outcomes.append(outcome)
        return not outcome.broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="what chance begins with (default: random, printed)")
    parser.add_argument("--only", default="", help="faults to try, separated by commas (default: all)")
    parser.add_argument("--runs", type=int, default=20, help="runs of F1 (default 20)")
    parser.add_argument(
        "--minutes", type=float, default=90.0, help="no fault begins later (default 90); below 60, F18 lasts 75 s and not 300 s"
    )
    parser.add_argument(
        "--quick", type=int, metavar="TIMES", help="the quick form instead, with so many seeds from --seed on (default: from 1)"
    )
    parser.add_argument("--out", type=Path, help="a file for the table")
    given = parser.parse_args()
    rounds = shared(given.runs, short=given.minutes < 60)
    known = sorted([*rounds, *_ALONE], key=lambda name: int(name[1:]))
    wanted = [name.strip().upper() for name in given.only.split(",") if name.strip()] or known
    if unknown := set(wanted) - set(known):
        parser.error(f"{', '.join(unknown)} is none of {', '.join(known)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped then, too
    seed = given.seed if given.seed is not None else 1 if given.quick else secrets.randbelow(1_000_000)
    print(f"seed {seed}; {os.cpu_count()} cores; load and stack share them", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="microblog-chaos-"))
    folder.chmod(0o755)
    if given.quick:
        green = quick.again(folder, seed, given.quick)
        return _told(folder, green)
    chaos = Chaos(folder, seed, time.monotonic() + given.minutes * 60)
    try:
        chaos.on_one_stack(rounds, wanted)
        chaos.alone(wanted)
    finally:
        chaos.outcomes.sort(key=lambda outcome: int(outcome.fault[1:]))
        made = table(chaos.outcomes)
        print(f"\n{made}", flush=True)
        if given.out is not None:
            given.out.write_text(made)
    good = all(outcome.met for outcome in chaos.outcomes)
    if missing := [outcome.fault for outcome in chaos.outcomes if outcome.skipped]:
        print(f"not tried: {', '.join(missing)}; ONLY= names the faults that are wanted")
    return _told(folder, good)


def _told(folder: Path, good: bool) -> int:
    """The exit code; what the stacks leave behind is kept where somebody will want to look why."""
    if good:
        shutil.rmtree(folder)
    else:
        print(f"data and logs of the stacks stay in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
