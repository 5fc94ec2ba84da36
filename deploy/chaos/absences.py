"""Processes that hang or stay away: F4 the broker, F6 the search engine, F17 a worker and an API, F18 auth, F22 social."""

import os
import signal
import time
from contextlib import ExitStack, suppress
from random import Random

from bed import Bed, run, until
from ledger import Ledger, join
from outcomes import Outcome
from reading import Reader, percentile, share_ok, statuses

_NOISE_MS = 20.0
"""What the slowest hundredth of the posts differs by between two undisturbed minutes on two cores that the load shares."""


def broker_away(bed: Bed, random: Random, seconds: float = 60.0) -> Outcome:
    """F4: the broker hangs; writing goes on, logs stay readable, and what waited leaves when it is back."""
    outcome = Outcome("F4", f"broker hangs (SIGSTOP) for {seconds:.0f} s under load")
    with Ledger(bed, random, pause=0.2) as ledger:
        ledger.writes(10)
        before, at = bed.logged(), time.time()
        with bed.frozen("kafka"):
            time.sleep(seconds)
            after, during = bed.logged(), ledger.asked(at)
        through = ledger.through(90)
        ledger.rest()
        drained = ledger.settle(120)
        ledger.count().onto(outcome)
    loudest = max((lines - before.get(name, 0), name) for name, lines in after.items())
    outcome.aim("writes answered 200: 100 %", f"{share_ok(during):.1f} % ({statuses(during)})", share_ok(during) == 100)
    outcome.aim("log lines ≤ 5 a second and process", f"{loudest[0] / seconds:.1f} ({loudest[1]})", loudest[0] / seconds <= 5, timed=True)
    told = "nothing came through within 90 s" if through is None else f"a new post through in {through:.1f} s, all in {drained:.1f} s more"
    outcome.aim("drained afterwards", told, through is not None)
    return outcome


def search_away(bed: Bed, random: Random, seconds: float = 60.0) -> Outcome:
    """F6: the search engine hangs, then is killed; posting is as quick as before, search says that it is away."""
    outcome = Outcome("F6", f"search engine hangs (SIGSTOP) for {seconds:.0f} s under load, then kill -9")
    with Ledger(bed, random) as ledger:
        ledger.writes(20)
        at = time.time()
        time.sleep(seconds / 2)
        quiet, at = ledger.asked(at), time.time()
        asking = Reader(ledger.writers[0].author, "/api/v2/search?q=mark&type=statuses", pause=0.5)
        with bed.frozen("search-engine"), asking:
            time.sleep(seconds)
        during = ledger.asked(at)
        bed.again("search-engine", bed.kill("search-engine"))
        ledger.writes(10)
        ledger.rest()
        caught_up = ledger.settle(120)
        ledger.count().onto(outcome)
    before, then = percentile(quiet, 0.99), percentile(during, 0.99)
    allowed = before * 1.1 + _NOISE_MS
    measured = f"{then:.0f} ms, before {before:.0f} ms (p50 {percentile(during, 0.5):.0f} and {percentile(quiet, 0.5):.0f})"
    outcome.aim(f"p99 of posting within 10 % + {_NOISE_MS:.0f} ms", measured, then <= allowed, timed=True)
    outcome.aim("writes answered 200: 100 %", f"{share_ok(during):.1f} %", share_ok(during) == 100)
    away = [one for one in asking.asked if one.status != 200]
    refused = bool(away) and all(one.status == 503 and one.retry_after for one in away) and share_ok(asking.asked) < 20
    outcome.aim("search answers 503", f"{statuses(asking.asked)}, p99 {percentile(asking.asked, 0.99):.0f} ms", refused)
    outcome.aim("caught up afterwards", f"{caught_up:.1f} s", True)
    return outcome


def hanging(bed: Bed, random: Random, seconds: float = 15.0) -> Outcome:
    """F17: the event loop of one worker, then of one API stands still."""
    worker, api = (
        random.choice(("social worker", "notify worker", "search worker")),
        random.choice(("notify api", "posts api", "translate api")),
    )
    outcome = Outcome("F17", f"{worker}, then {api} hangs (SIGSTOP) for {seconds:.0f} s under load")
    for name in (worker, api):
        with Ledger(bed, random) as ledger, Reader(ledger.writers[0].followers[0], "/api/v1/timelines/home") as reader:
            ledger.writes(10)
            at = time.time()
            with bed.frozen(name):
                time.sleep(seconds)
                writing = ledger.asked(at)
            back = until(lambda name=name: bed.well(name), 90)  # type: ignore[misc]
            through = ledger.through(150)
            reading = [one for one in reader.asked if one.at >= at]
            ledger.count().onto(outcome)
        if name != "posts api":
            outcome.aim(
                f"{name} hangs: writes answered 200: 100 %", f"{share_ok(writing):.1f} % ({statuses(writing)})", share_ok(writing) == 100
            )
        outcome.aim(
            f"{name} hangs: reads answered 200: 100 %", f"{share_ok(reading):.1f} % ({statuses(reading)})", share_ok(reading) == 100
        )
        told = f"well after {_seconds(back)}, a new post through after {_seconds(through)}"
        outcome.aim("it comes back ≤ 60 s", told, back is not None and through is not None and back + through <= 60, timed=True)
    return outcome


def auth_away(bed: Bed, random: Random, seconds: float = 75.0) -> Outcome:
    """F18: auth hangs while keys are changed; whoever is known goes on, also after the minute for which an identity is fresh.

    One gateway signs with the old key, a second one with the next: the middle of a rotation.
    """
    outcome = Outcome("F18", f"auth api hangs (SIGSTOP) for {seconds:.0f} s; a second gateway signs with the next key")
    with ExitStack() as whole:
        second = whole.enter_context(bed.beside("gateway", GATEWAY_SIGNING_KEY=bed.next_key))
        ledger = whole.enter_context(Ledger(bed, random, pause=0.3))
        home = "/api/v1/timelines/home"
        follower = ledger.writers[0].followers[0]
        readers = [whole.enter_context(Reader(follower, path)) for path in (home, f"{second}{home}")]
        ledger.writes(20)
        for writer in ledger.writers:
            writer.author.get("/api/v1/timelines/home")
        at = time.time()
        with bed.frozen("auth api"):
            time.sleep(seconds)
            asked = ledger.asked(at) + [one for reader in readers for one in reader.asked if one.at >= at]
        back = until(lambda: bed.well("auth api"), 30)
        _after = join(bed, "late")
        ledger.count().onto(outcome)
    outcome.aim("known people: no 401, nothing failed", statuses(asked), share_ok(asked) == 100)
    outcome.aim(
        "known people: p99 ≤ 1 s",
        f"{percentile(asked, 0.99):.0f} ms, slowest {percentile(asked, 1.0):.0f} ms",
        percentile(asked, 0.99) <= 1000,
        timed=True,
    )
    outcome.aim("auth serves again ≤ 5 s", _seconds(back), back is not None and back <= 5, timed=True)
    return outcome


def carried_late(bed: Bed, random: Random, seconds: float = 15.0) -> Outcome:
    """F22: what the gateway carries ahead to social comes late (social hangs), never (it is killed then), or twice (a key again)."""
    outcome = Outcome("F22", f"social api hangs for {seconds:.0f} s, goes on; hangs again, is killed; every key sent once more")
    with Ledger(bed, random, authors=6, followers=2) as ledger:
        for writer in ledger.writers:
            writer.replying = False  # an answer asks social first, and is refused while it hangs
        ledger.writes(10)
        at = time.time()
        with bed.frozen("social api"):
            time.sleep(seconds)
        ledger.writes(10)
        pid = bed.kill("social api", signal.SIGSTOP)
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        bed.again("social api", pid)
        ledger.writes(10)
        during = ledger.asked(at)
        ledger.rest()
        differing = 0
        for writer in ledger.writers:
            differing += sum(writer.again(mark) != an_id for an_id, mark in list(writer.ok.items())[-10:])
        ledger.count().onto(outcome)
    outcome.aim("writes answered 200: 100 %", f"{share_ok(during):.1f} % ({statuses(during)})", share_ok(during) == 100)
    outcome.aim("a key again answers the same post", f"{differing} differ", differing == 0)
    waiting = run(bed.stack, "social", "SELECT count(*) FROM fanouts")
    outcome.aim("no feed waits to be served", waiting[0][0], waiting == [(0,)])
    return outcome


def _seconds(found: float | None) -> str:
    return "never" if found is None else f"{found:.1f} s"
