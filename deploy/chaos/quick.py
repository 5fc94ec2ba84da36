"""The quick form of `make chaos`: at most three minutes on one stack, with seeds that are told; again and again to show that it stays green.

How fast something was isn't judged here, since others may use the machine: nothing may be lost, doubled or refused that shouldn't be.
What `deploy/tests/test_kill.py` tries (each process killed once) isn't repeated: F1 kills several at once.
"""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

import crashes
import providers
import records
from bed import Bed, Gate, bed
from outcomes import Outcome, attempted

Fault = Callable[[Bed, Random], Outcome]

ROUNDS: Final[Sequence[Mapping[str, Fault]]] = (
    {"F1": lambda bed, chance: crashes.killed(bed, chance, runs=2, hurried=True)},
    {"F3": lambda bed, chance: crashes.broker_killed(bed, chance, (signal.SIGKILL,))},
    {"F5": lambda bed, chance: crashes.database_killed(bed, chance, times=1, hurried=True)},
    {"F7": providers.mail_fails, "F9": records.poison},
)
"""Faults of one round are tried side by side: each keeps one ledger, and neither takes away what the other needs."""


def side_by_side(made: Bed, faults: Mapping[str, Fault], seed: int) -> list[Outcome]:
    """Try some faults at the same time; each draws from a chance of its own, as in the long form."""
    outcomes: dict[str, Outcome] = {}
    made.gate = gate = Gate(len(faults))

    def attempt(name: str) -> None:
        chance = Random(f"{seed} {name}")  # noqa: S311 - a seed must repeat
        outcomes[name] = attempted(name, lambda: faults[name](made, chance))
        gate.leave()

    threads = [threading.Thread(target=attempt, args=(name,), name=name, daemon=True) for name in faults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.gate = None
    return [outcomes[name] for name in faults]


def again(folder: Path, first: int, times: int) -> bool:
    """Try so many seeds, each on a stack of its own, and return whether all were green; print a Markdown table with a line for each."""
    rows, green = [], True
    for seed in range(first, first + times):
        print(f"\nseed {seed}", flush=True)
        began, outcomes, where = time.monotonic(), list[Outcome](), folder / f"seed-{seed}"
        whole = attempted("the stack", lambda where=where, outcomes=outcomes, seed=seed: _all(where, outcomes, seed))  # type: ignore[misc]
        wrong = [one.fault for one in (*outcomes, whole) if not one.right]
        counts = [sum(counted) for counted in zip(*((one.acknowledged, one.lost, one.doubled) for one in (*outcomes, whole)), strict=True)]
        rows.append(f"| {seed} | {time.monotonic() - began:.0f} | {' | '.join(map(str, counts))} | {', '.join(wrong) or 'yes'} |")
        if wrong:
            green = False
        else:
            shutil.rmtree(where)
    print(
        "\n| seed | seconds | acknowledged | lost | doubled | green |\n| --: | --: | --: | --: | --: | --- |", *rows, sep="\n", flush=True
    )
    return green


def _all(folder: Path, outcomes: list[Outcome], seed: int) -> Outcome:
    """Try all rounds on a new stack, none after one that broke off; what becomes of the stack itself."""
    itself = Outcome("the stack", "starts, is tried by everything, and ends")
    with bed(folder) as made:
        for faults in ROUNDS:
            outcomes += side_by_side(made, faults, seed)
            if any(one.broken for one in outcomes):
                break
    tried = len(outcomes)
    wanted = sum(map(len, ROUNDS))
    itself.aim("all faults are tried", f"{tried} of {wanted}", tried == wanted)
    return itself
