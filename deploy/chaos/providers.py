"""Outside services that fail: F7 mail, F8 translation."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from bed import Bed, run, wait_for
from ledger import Ledger, join
from notify.mail.providers import token_of
from outcomes import Outcome

MAIL_MODES: Final = ("accept_then_500", "accept_then_cut", "limited", "down", "slow", "accept_then_hang")
_OPENS: Final = 5
"""Failures in a row after which `translate` leaves the provider alone for half a minute."""
_AHEAD: Final = 1
"""A new post is translated once by the worker as well, when its author's readers asked for the language lately."""
_HOSTILE: Final = re.compile(r"<script|onclick|onerror", re.I)


def mail_fails(bed: Bed, random: Random, modes: Sequence[str] = MAIL_MODES) -> Outcome:
    """F7: the provider fails in each of its ways while people are answered; every mail leaves once."""
    outcome = Outcome("F7", f"mail provider: {', '.join(modes)}, each while mails arise")
    before = _planned(bed)
    with Ledger(bed, random, authors=2, followers=2, pause=0.2) as ledger:
        for mode in modes:
            bed.postmark.mode = mode
            # One mail is enough for what takes its time: they leave one after another.
            enough = bed.postmark.calls + (1 if mode in ("slow", "accept_then_hang") else 2)
            ledger.go()
            wait_for(lambda enough=enough: bed.postmark.calls >= enough, f"mails while {mode}", 60)  # type: ignore[misc]
            ledger.rest()
            bed.postmark.mode = "ok"  # whoever hangs by now goes on doing so
        settled = ledger.settle()
        ledger.count().onto(outcome)
    keys = Counter(bed.postmark.keys())
    states = {str(row[0]): row[1] for row in run(bed.stack, "notify", "SELECT state, count(*) FROM mails GROUP BY state")}
    new = _planned(bed) - before
    sent = new & keys.keys()
    outcome.aim(
        "sends of each key: 1",
        f"{len(sent)} keys of {len(new)} mails, at most {max(keys.values())}",
        set(keys.values()) == {1} and sent == new,
    )
    outcome.aim("unknown after settling: 0", f"{states.get('unknown', 0)} after {settled:.0f} s; {states}", not states.get("unknown"))
    return outcome


def _planned(bed: Bed) -> set[str]:
    """What all mails that there are to be are known by at the provider."""
    return {token_of(str(key)) for (key,) in run(bed.stack, "notify", "SELECT dedupe_key FROM mails")}


def translator_fails(bed: Bed, random: Random) -> Outcome:
    """F8: the translator fails in each of its ways; the post stays readable, nothing hostile gets through, calls stay bounded."""
    outcome = Outcome("F8", "translator: 429, 500, no JSON, quota, HTML with a script, 12 s slow; 10 requests each")
    author, reader = join(bed, "author"), join(bed, "reader")
    codes: Counter[str] = Counter()
    calls_of: dict[str, int] = {}
    hostile, unreadable, excess, slowest = 0, 0, 0, 0.0
    modes = ("limited", "error", "broken", "quota", "hostile", "slow")
    try:
        for mode in modes:
            bed.again("translate api", bed.kill("translate api"))  # with it goes the breaker that the last mode has opened
            post = author.write(f"words for {mode} {random.getrandbits(32):08x}", language="en")
            bed.translator.mode, calls = mode, bed.translator.calls
            asked = 2 if mode == "slow" else 10
            for _ in range(asked):
                began = time.monotonic()
                answer = reader.client.post(f"/api/v1/statuses/{post['id']}/translate", json={"lang": "de"}, timeout=25)
                slowest = max(slowest, time.monotonic() - began)
                codes[f"{mode} {answer.status_code}"] += 1
                hostile += bool(_HOSTILE.search(answer.text))
                page = reader.client.get(f"/@{author.name}/{post['id']}")
                again = reader.client.get(f"/api/v1/statuses/{post['id']}")
                unreadable += (
                    page.status_code != 200 or f"words for {mode}" not in page.text or again.json().get("content") != post["content"]
                )
            excess = max(excess, bed.translator.calls - calls - min(asked, _OPENS) - _AHEAD)
            calls_of[mode] = bed.translator.calls - calls
    finally:
        bed.translator.mode = "ok"
    outcome.aim("the post stays readable", f"{unreadable} times not", unreadable == 0)
    outcome.aim("a script in an answer: never", f"{hostile} times", hostile == 0)
    outcome.aim(f"calls ≤ one a request, ≤ {_OPENS} until the breaker opens, and {_AHEAD} ahead of anybody", calls_of, excess <= 0)
    wrong = [code for code in codes if code.split()[1] not in ("200", "503", "504")]
    outcome.aim("answers are 200, 503 or 504, ≤ 11 s", f"{dict(codes)}, slowest {slowest:.1f} s", not wrong and slowest <= 11)
    return outcome
