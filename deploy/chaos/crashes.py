"""Processes that end: F1 anything at any moment, F3 the broker, F5 the database, F20 one of two relays."""

import signal
import time
from random import Random
from typing import Final

from bed import Bed, wait_for
from ledger import Ledger
from microblog_local.plan import SERVICES
from outcomes import Outcome
from reading import Reader, share_ok, statuses, without_500

_STEADY: Final = 31.0
"""Seconds after which the supervisor starts a process again without holding it back for having ended before."""


def killed(bed: Bed, random: Random, runs: int = 20, *, hurried: bool = False) -> Outcome:
    """F1: each run kills one process of ours and times its return, then two or three more at random moments, engines included."""
    outcome = Outcome("F1", f"kill -9 of random processes under load, {runs} seeded runs")
    recoveries: list[tuple[float, str]] = []
    whole: list[tuple[float, str]] = []
    ended: dict[str, float] = {}
    for number in range(runs):
        with Ledger(bed, random, authors=3, followers=2, hurried=hurried) as ledger:
            time.sleep(random.uniform(0.3, 1.5))
            name = random.choice(_rested(bed, ended))
            recoveries.append((bed.again(name, bed.kill(name)), name))
            ended[name] = time.monotonic()
            victims = random.sample(list(bed.stack.processes()), random.randint(2, 3))
            for victim in victims:
                time.sleep(random.uniform(0.0, 1.0))
                bed.kill(victim)
                ended[victim] = time.monotonic()
            began = time.monotonic()
            wait_for(lambda: _all_again(bed), f"readiness after {victims} were killed", 60)
            whole.append((time.monotonic() - began, " + ".join(victims)))
            ledger.writes(5, 60)
            verdict = ledger.count()
        print(f"  F1 run {number + 1}: {name} in {recoveries[-1][0]:.1f} s, {whole[-1][1]} in {whole[-1][0]:.1f} s; {verdict}", flush=True)
        verdict.onto(outcome)
    slowest, seconds = max(recoveries), [one for one, _ in recoveries]
    told = f"median {sorted(seconds)[len(seconds) // 2]:.1f} s, slowest {slowest[0]:.1f} s ({slowest[1]})"
    outcome.aim("a killed process of ours serves again ≤ 3 s", told, slowest[0] <= 3, timed=True)
    outcome.aim("the whole stack after several at once (no aim)", f"slowest {max(whole)[0]:.1f} s ({max(whole)[1]})", True)
    return outcome


def broker_killed(bed: Bed, random: Random, signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)) -> Outcome:
    """F3: the broker ends in order and by force; writing goes on."""
    outcome = Outcome("F3", f"broker {' and '.join(one.name for one in signals)} under load")
    for one in signals:
        with Ledger(bed, random) as ledger:
            ledger.writes(10)
            at = time.time()
            before, began = bed.kill("kafka", one), time.monotonic()
            # One that ends in order serves for a while yet: what counts is what goes through the next one.
            wait_for(lambda before=before: bed.stack.processes().get("kafka", before) != before, "the broker to be started again", 60)  # type: ignore[misc]
            through = ledger.through()
            took = time.monotonic() - began
            ledger.writes(10)
            during = ledger.asked(at)
            ledger.rest()
            drained = ledger.settle()
            ledger.count().onto(outcome)
        outcome.aim(f"{one.name}: writes answered 200: 100 %", f"{share_ok(during):.1f} % ({statuses(during)})", share_ok(during) == 100)
        told = (
            "nothing came through within 60 s"
            if through is None
            else f"a new post through {took:.1f} s after the signal, all drained in {drained:.1f} s more"
        )
        outcome.aim("drained afterwards", told, through is not None)
    return outcome


def database_killed(bed: Bed, random: Random, times: int = 3, *, hurried: bool = False) -> Outcome:
    """F5: PostgreSQL shuts down at once and recovers from its log."""
    outcome = Outcome("F5", f"PostgreSQL immediate shutdown (SIGQUIT) under load, {times} times")
    recoveries = []
    with Ledger(bed, random, hurried=hurried) as ledger, Reader(ledger.writers[0].followers[0], "/api/v1/timelines/home") as reader:
        for number in range(times):
            ledger.writes(10)
            began, before = time.monotonic(), bed.kill("postgresql", signal.SIGQUIT)
            bed.again("postgresql", before)
            ledger.writes(1)
            recoveries.append(time.monotonic() - began)
            if number + 1 < times:
                time.sleep(_STEADY)  # the supervisor holds back what ends again and again
        asked = ledger.asked() + reader.asked
    ledger.count().onto(outcome)
    outcome.aim("writing again ≤ 5 s", ", ".join(f"{one:.1f} s" for one in recoveries), max(recoveries) <= 5, timed=True)
    outcome.aim("other answers are 503/504 with Retry-After", statuses(asked), without_500(asked))
    return outcome


def two_relays(bed: Bed, random: Random) -> Outcome:
    """F20: a second worker of posts beside the first; the leader is killed, and its successor held back."""
    outcome = Outcome("F20", "two relays of posts; the leading one killed, its successor held back for 10 s")
    with bed.beside("posts worker", MICROBLOG_REPLICA="posts-1"), Ledger(bed, random) as ledger:
        ledger.writes(30)
        began, before = time.monotonic(), bed.kill("posts worker")
        wait_for(lambda: bed.stack.processes().get("posts worker", before) != before, "posts worker to be started again", 20)
        with bed.frozen("posts worker"):
            through = ledger.through(20)
            took = time.monotonic() - began
            outcome.aim("the other relay publishes ≤ 10 s after the kill", f"{took:.1f} s", through is not None and took <= 10)
            time.sleep(max(0.0, 10 - took))
        ledger.count().onto(outcome)
    return outcome


def _rested(bed: Bed, ended: dict[str, float]) -> list[str]:
    """Processes of ours that the supervisor would start again at once."""
    now = time.monotonic()
    return [name for name in bed.own() if now - ended.get(name, -_STEADY) >= _STEADY] or bed.own()


def _all_again(bed: Bed) -> bool:
    names = {"gateway", *(f"{service} {part}" for service in SERVICES for part in ("api", "worker"))}
    return names <= set(bed.own()) and bed.ready() and all(bed.well(name) for name in names)
