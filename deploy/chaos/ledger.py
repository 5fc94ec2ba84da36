"""The ledger: load whose every request is written down, and a count of every effect that it had.

What was acknowledged must have each effect exactly once; what was certainly refused must have none; of everything else nobody knows, and
it has either all of its effects or none: ok ⊆ effects ⊆ ok ∪ indeterminate.
"""

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx
from bed import Bed, run, settled, wait_for
from operating import end_dead_claims
from outcomes import Outcome
from stack import Person

_MARK: Final = re.compile(r"mark-([0-9a-z]+-\d+)-")
_LINK: Final = re.compile(r"/@\w+/(\d+)")
_OPEN_MAILS: Final = "SELECT count(*) FROM mails WHERE state IN ('new', 'claimed', 'unknown')"
_LONGEST_FAULT: Final = 150.0
_PATIENCE: Final = 25.0
"""Longer than anything answers: the gateway gives up after ten seconds a call."""


@dataclass
class Asked:
    """One request and its answer: seconds since the epoch, seconds that it took, HTTP status (0: no answer at all)."""

    at: float
    seconds: float
    status: int
    retry_after: bool


@dataclass
class Verdict:
    """What the count came to; every violation in words."""

    acknowledged: int = 0
    indeterminate: int = 0
    lost: int = 0
    doubled: int = 0
    violations: list[str] = field(default_factory=list)

    def onto(self, outcome: Outcome) -> Outcome:
        """Add the counts to a row."""
        outcome.acknowledged += self.acknowledged
        outcome.lost += self.lost
        outcome.doubled += self.doubled
        outcome.violations += self.violations
        return outcome


class Writer(threading.Thread):
    """One author, one request after another, each post under a key of its own.

    A patient one repeats a request until it is acknowledged; an impatient one never does, and what it doesn't know stays unknown.
    """

    def __init__(self, author: Person, followers: list[Person], roots: list[str], word: str, *, patient: bool, pause: float) -> None:
        super().__init__(name=f"writer {author.name}", daemon=True)
        self.author = author
        self.followers = followers
        self.word = word
        self.patient = patient
        self.ok: dict[str, str] = {}
        """Mark by the id that was answered, in the order of the answers."""
        self.failed: set[str] = set()
        self.indeterminate: set[str] = set()
        self.asked: list[Asked] = []
        self.unexpected: list[str] = []
        """Answers that a healthy client never gets: 4xx, and 5xx other than 502, 503 and 504."""
        self.replying = True
        self._answers: set[str] = set()
        self._roots = roots
        self._pause = pause
        self._running = threading.Event()
        self._ended = threading.Event()
        self._busy = threading.Lock()

    def run(self) -> None:
        number = 0
        while not self._ended.is_set():
            if not self._running.wait(0.1):
                continue
            with self._busy:
                self._write(number)
            number += 1
            self._ended.wait(self._pause)

    def go(self) -> None:
        self._running.set()

    def rest(self) -> None:
        """Return when the request that is under way is settled."""
        self._running.clear()
        if self._busy.acquire(timeout=120):
            self._busy.release()

    def give_up(self) -> None:
        """Ask no more, not even for what isn't acknowledged."""
        self._ended.set()

    def end(self) -> None:
        self.rest()
        self._ended.set()
        self.join(30)

    def about(self, mark: str) -> tuple[int, bool]:
        """Which follower a post mentions, and whether it answers that follower's post."""
        return int(mark.rpartition("-")[2]) % len(self.followers), mark in self._answers

    def again(self, mark: str) -> str | None:
        """Send what was acknowledged once more under its key; the id that is answered now."""
        return self._ask(self._new(mark), mark)

    def _new(self, mark: str) -> dict[str, str]:
        follower, answer = self.about(mark)
        new = {"status": f"mark-{mark}- {self.word} @{self.followers[follower].name}"}
        return new | {"in_reply_to_id": self._roots[follower]} if answer else new

    def _write(self, number: int) -> None:
        mark = f"{self.word}-{number}"
        if self.replying and number % 4 == 0:
            self._answers.add(mark)
        possible = False
        while True:
            told = self._ask(self._new(mark), mark)
            if told is None:
                # Nobody listened, so nothing was done; anything else may have been.
                possible = possible or self.asked[-1].status != _NOBODY
            elif told:
                self.ok[told] = mark
                return
            else:
                self.failed.add(mark)
                return
            if not self.patient or self._ended.is_set():
                (self.indeterminate if possible else self.failed).add(mark)
                return
            self._ended.wait(0.1)

    def _ask(self, new: dict[str, str], mark: str) -> str | None:
        """The id of the post; empty when it was certainly refused; None when it isn't known."""
        at, began = time.time(), time.monotonic()
        status, told, waits = 0, "", False
        try:
            answer = self.author.client.post("/api/v1/statuses", json=new, headers={"Idempotency-Key": f"key-{mark}"}, timeout=_PATIENCE)
        except httpx.ConnectError:
            status = _NOBODY
        except httpx.HTTPError:
            pass
        else:
            status, told, waits = answer.status_code, answer.text, "retry-after" in answer.headers
        self.asked.append(Asked(at, time.monotonic() - began, status, waits))
        if status == 200:
            return str(answer.json()["id"])
        if 400 <= status < 500 and status not in (408, 409, 429):
            self.unexpected.append(f"{status} {told[:200]}")
            return ""
        if status not in (0, _NOBODY, 409, 429, 502, 503, 504):
            self.unexpected.append(f"{status} {told[:200]}")
        return None


_NOBODY: Final = -1
"""Stands for a status where the connection was refused: the request was certainly never sent."""


class Ledger:
    """Authors with followers, who write while a fault is tried; then every effect is counted.

    Each ledger has people and words of its own, so that several may follow each other on one stack. One that is `hurried` doesn't wait for
    the two minutes that the claim of a sender lives which was killed, or lost its database: only where mails leave at once, or one that is
    sending might lose its claim.
    """

    def __init__(
        self, bed: Bed, random: Random, *, authors: int = 3, followers: int = 3, pause: float = 0.1, hurried: bool = False
    ) -> None:
        self.bed = bed
        self._hurried = hurried
        self.writers: list[Writer] = []
        self._mailed_before = len(bed.postmark.delivered)
        for number in range(authors):
            author = join(bed, "author")
            group = [join(bed, "follower") for _ in range(followers)]
            for one in group:
                one.follow(author)
                for other in group:
                    if other is not one:
                        one.follow(other)  # a reply is in a feed only if its owner follows who is answered, too
            word = f"{random.getrandbits(48):012x}".translate(str.maketrans("0123456789abcdef", "ghjklmnopqrstuvw"))
            roots = [one.write(f"a root of {one.name}")["id"] for one in group]
            self.writers.append(Writer(author, group, roots, word, patient=number % 3 != 2, pause=pause))
        for writer in self.writers:
            writer.start()

    def __enter__(self) -> "Ledger":
        self.go()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is not None:
            for writer in self.writers:
                writer.give_up()
        self.end()

    def go(self) -> None:
        for writer in self.writers:
            writer.go()

    def rest(self) -> None:
        for writer in self.writers:
            writer.rest()

    def end(self) -> None:
        for writer in self.writers:
            writer.end()

    @property
    def acknowledged(self) -> int:
        return sum(len(writer.ok) for writer in self.writers)

    def asked(self, since: float = 0.0, until: float = float("inf")) -> list[Asked]:
        """Requests that began between two moments (seconds since the epoch)."""
        return [one for writer in self.writers for one in list(writer.asked) if since <= one.at < until]

    def writes(self, least: int = 5, patience: float = 30.0) -> float:
        """Wait until so many more posts are acknowledged; seconds that it took. Raises AssertionError."""
        before, began = self.acknowledged, time.monotonic()
        wait_for(lambda: self.acknowledged >= before + least, f"{least} more acknowledged posts", patience)
        return time.monotonic() - began

    def through(self, patience: float = 60.0) -> float | None:
        """Seconds until a post that is written from now on has gone through Kafka, None when none does.

        It has when the search finds it, which hears of posts through their own topic only, and its mention is notified.
        """
        known = {an_id for writer in self.writers for an_id in list(writer.ok)}
        began = time.monotonic()
        while time.monotonic() - began < patience:
            for writer in self.writers:
                new = [(an_id, mark) for an_id, mark in list(writer.ok.items()) if an_id not in known]
                if any(_told(writer, an_id, mark) for an_id, mark in new[:1]):
                    return time.monotonic() - began
            time.sleep(0.05)
        return None

    def settle(self, patience: float = 60.0) -> float:
        """Wait until outboxes and topics are read to their end and no mail is open; seconds that it took. Raises AssertionError."""
        if self.bed.gate is not None:
            self.bed.gate.come(_LONGEST_FAULT)
        began = time.monotonic()
        wait_for(lambda: self._drained(), "the outboxes and topics to be read", patience)
        wait_for(lambda: self._mailed(), "all mails to be settled", 200)
        return time.monotonic() - began

    def count(self, patience: float = 30.0) -> Verdict:
        """End the writers, wait until everything is settled, and count every effect."""
        self.end()
        self.settle(max(patience, 60.0))
        found, deadline = Verdict(), time.monotonic() + patience
        for writer in self.writers:
            found.acknowledged += len(writer.ok)
            found.indeterminate += len(writer.indeterminate)
            found.violations += [f"{writer.author.name} was answered {told}" for told in writer.unexpected]
            self._count_of(writer, found, deadline)
        keys = Counter(self.bed.postmark.keys()[self._mailed_before :])
        self._doubled(found, "mails", [key for key, times in keys.items() if times > 1])
        return found

    def _mailed(self) -> bool:
        if self._hurried:
            end_dead_claims(self.bed.stack)
        return run(self.bed.stack, "notify", _OPEN_MAILS) == [(0,)]

    def _drained(self) -> bool:
        waiting = [
            run(self.bed.stack, name, "SELECT count(*) FROM outbox WHERE published_at IS NULL") for name in ("auth", "posts", "social")
        ]
        return all(rows == [(0,)] for rows in waiting) and settled(self.bed.stack)

    def _count_of(self, writer: Writer, found: Verdict, deadline: float) -> None:
        """Compare one author's effects with what was answered."""
        author = writer.author
        posts = [(str(s["id"]), _mark(s)) for s in author.pages(f"/api/v1/accounts/{author.id}/statuses") if _mark(s)]
        written, listed = dict(posts), [an_id for an_id, _ in posts]
        self._doubled(found, f"posts of {author.name}", [an_id for an_id, times in Counter(listed).items() if times > 1])
        self._doubled(found, f"keys of {author.name}", [mark for mark, times in Counter(written.values()).items() if times > 1])
        self._lost(found, f"posts of {author.name}", writer.ok.keys() - written.keys())
        for an_id in written.keys() - writer.ok.keys():
            if written[an_id] not in writer.indeterminate:
                found.violations.append(f"{author.name}: post {an_id} ({written[an_id]}) stands for a request that failed")
        order = [an_id for an_id in writer.ok if an_id in written]
        if order != sorted(order, key=int) or listed != sorted(listed, key=int, reverse=True):
            found.violations.append(f"{author.name}: the posts aren't in the order in which they were acknowledged")
        # What an indeterminate request made must be whole as well, so that the posts are the measure of everything behind them.
        for number, follower in enumerate(writer.followers):
            told = {an_id for an_id, mark in written.items() if writer.about(mark)[0] == number}
            answered = {an_id for an_id in told if writer.about(written[an_id])[1]}
            self._exactly(
                found, f"home feed of {follower.name}", set(written), lambda one=follower: _home(one, writer), deadline, ordered=True
            )
            self._exactly(found, f"mentions of {follower.name}", told, lambda one=follower: _mentions(one), deadline)
            self._exactly(found, f"mails to {follower.name}", answered, lambda one=follower: self._mails(one), deadline)
        self._exactly(found, f"search for {author.name}", set(written), lambda: _found(writer), deadline)

    def _exactly(self, found: Verdict, where: str, expected: set[str], look: Any, deadline: float, *, ordered: bool = False) -> None:
        """Everything expected is there once, nothing else is; feeds newest first. What is late is waited for."""
        seen: list[str] = look()
        while not expected <= set(seen) and time.monotonic() < deadline:
            time.sleep(0.2)
            seen = look()
        self._lost(found, where, expected - set(seen))
        self._doubled(found, where, [an_id for an_id, times in Counter(seen).items() if times > 1])
        found.violations += [f"{where}: {an_id} is of no post" for an_id in set(seen) - expected]
        if ordered and seen != sorted(seen, key=int, reverse=True):
            found.violations.append(f"{where}: not in the order of the posts")

    def _mails(self, person: Person) -> list[str]:
        """Posts that somebody was mailed about, as often as they were."""
        links = [
            _LINK.search(mail["TextBody"]) for mail in self.bed.postmark.delivered if mail["Tag"] == "comment" and person.name in mail["To"]
        ]
        return [link[1] for link in links if link]

    def _lost(self, found: Verdict, where: str, missing: set[str]) -> None:
        found.lost += len(missing)
        if missing:
            found.violations.append(f"lost in {where}: {len(missing)}, {', '.join(sorted(missing)[:3])} …")

    def _doubled(self, found: Verdict, where: str, twice: list[str]) -> None:
        found.doubled += len(twice)
        if twice:
            found.violations.append(f"doubled in {where}: {len(twice)}, {', '.join(twice[:3])} …")


def join(bed: Bed, name: str) -> Person:
    """Somebody new who may write at once."""
    person = bed.stack.new_person(name, confirmed=False)
    person.account = person.get("/api/v1/accounts/verify_credentials")
    return person


def _mark(status: dict[str, Any]) -> str:
    mark = _MARK.search(status["content"])
    return mark[1] if mark else ""


def _home(person: Person, writer: Writer) -> list[str]:
    return [s["id"] for s in person.pages("/api/v1/timelines/home") if s["account"]["id"] == writer.author.id]


def _mentions(person: Person) -> list[str]:
    return [n["status"]["id"] for n in person.pages("/api/v1/notifications") if n["type"] == "mention" and _mark(n["status"])]


def _told(writer: Writer, an_id: str, mark: str) -> bool:
    """Whether search and notifications know a post; False while either is away."""
    follower = writer.followers[writer.about(mark)[0]]
    notices = follower.client.get("/api/v1/notifications", params={"limit": 40})
    if notices.status_code != 200 or an_id not in {n["status"]["id"] for n in notices.json() if n["type"] == "mention"}:
        return False
    search = follower.client.get("/api/v2/search", params={"q": f"mark-{mark}", "type": "statuses", "limit": 40})
    return search.status_code == 200 and an_id in {s["id"] for s in search.json()["statuses"]}


def _found(writer: Writer) -> list[str]:
    """Everything of the author that the search knows of their word; it forgives typos, so others' posts may be among it."""
    found: list[dict[str, Any]] = []
    while page := writer.author.get("/api/v2/search", q=writer.word, type="statuses", limit=40, offset=len(found))["statuses"]:
        found += page
    return [s["id"] for s in found if s["account"]["id"] == writer.author.id]
