"""`kill -9` of every process at random moments, engines included, while somebody posts, answers, is mailed about it and translated: nothing
acknowledged is lost, nothing is doubled.
"""

import os
import random
import re
import secrets
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from operating import end_dead_claims, run, settled, unsent
from stack import Person, Stack, wait_for

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from bed import Bed, bed
from ledger import join

_ANSWERS_EVERY = 4
_LINK = re.compile(r"/@\w+/(\d+)")
_OPEN_MAILS = "SELECT count(*) FROM mails WHERE state IN ('new', 'claimed', 'unknown')"


@pytest.fixture
def own_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """A stack that nobody else uses, since its processes will die, with a mail provider and a translator."""
    with bed(tmp_path_factory.mktemp("killed")) as made:
        yield made
        assert made.stack.stop() == 0


@pytest.fixture
def own_stack(own_bed: Bed) -> Stack:
    return own_bed.stack


class Writer(threading.Thread):
    """Posts as a careful client does: each post under a key of its own, again and again until it is acknowledged. Every fourth answers a post."""

    def __init__(self, author: Person, text: str, answered: str) -> None:
        super().__init__(name="writer")
        self._author = author
        self._text = text
        self._answered = answered
        self._enough = threading.Event()
        self.acknowledged: dict[str, str] = {}
        """Text by the id that was answered."""
        self.answers: set[str] = set()
        self.refused: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._enough.is_set():
            text, key = self._text.format(number), secrets.token_hex(8)
            new = {"status": text, "language": "en"}
            if number % _ANSWERS_EVERY == 0:
                new["in_reply_to_id"] = self._answered
            while (status_id := self._post(new, key)) is None:
                self._enough.wait(0.1)
            self.acknowledged[status_id] = text
            if "in_reply_to_id" in new:
                self.answers.add(status_id)
            number += 1
            self._enough.wait(0.05)

    def _post(self, new: dict[str, str], key: str) -> str | None:
        try:
            answer = self._author.client.post("/api/v1/statuses", json=new, headers={"Idempotency-Key": key}, timeout=15)
        except httpx.HTTPError:
            return None
        if answer.status_code == 200:
            return str(answer.json()["id"])
        if answer.status_code < 500:
            self.refused.append(answer.text)
        return None

    def finish(self) -> None:
        self._enough.set()
        self.join(30)
        assert not self.is_alive()


@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_when_any_process_is_killed(own_bed: Bed, own_stack: Stack) -> None:
    author, reader = join(own_bed, "author"), join(own_bed, "reader")
    reader.follow(author)
    root = reader.write("Tell me", language="en")["id"]
    reader.post(f"/api/v1/statuses/{author.write('A first word', language='en')['id']}/translate", lang="de")  # the next come ahead
    word, seed = f"lantern{secrets.token_hex(3)}", secrets.randbits(32)
    print(f"seed {seed}")
    chance, names = random.Random(seed), list(own_stack.processes())
    chance.shuffle(names)
    writer = Writer(author, f"number {{}} for @{reader.name} {word}", root)
    writer.start()
    try:
        for name in names:
            time.sleep(chance.uniform(0, 0.5))
            before = len(writer.acknowledged)
            _kill(own_stack, name)
            wait_for(lambda: _back(own_stack), f"readiness after {name} was killed", 40)
            wait_for(lambda before=before: len(writer.acknowledged) > before + 2, f"new posts after {name} was killed", 20)  # type: ignore[misc]
    finally:
        writer.finish()
    expected = writer.acknowledged
    assert not writer.refused
    assert len(expected) >= 3 * len(names)
    wait_for(lambda: (unsent(own_stack) == 0 and settled(own_stack)) or None, "all events to be published and read", 60)
    whole = {
        "the author's posts": lambda: _ids(author.pages(f"/api/v1/accounts/{author.id}/statuses"), word),
        "the follower's feed": lambda: _ids(reader.pages("/api/v1/timelines/home"), word),
        "the notifications": lambda: _ids([n["status"] for n in reader.pages("/api/v1/notifications") if n["type"] == "mention"], word),
        "the search": lambda: _ids(_found(reader, word), word),
    }
    for where, look in whole.items():
        if where == "the search":  # what was indexed is found a second later at most
            wait_for(lambda look=look: len(look()) >= len(expected) or None, "the search to see what it indexed", 5)  # type: ignore[misc]
        seen = Counter(look())
        assert {an_id for an_id, times in seen.items() if times > 1} == set(), f"doubled in {where}"
        assert seen.keys() == expected.keys(), f"posts that nobody was told of in {where}"
    texts = Counter(post["content"] for post in author.pages(f"/api/v1/accounts/{author.id}/statuses"))
    assert max(texts.values()) == 1, "one key made two posts"
    _each_answer_was_mailed_once(own_bed, reader, writer.answers)
    _each_post_was_translated_ahead(own_bed, author, reader, expected, word, len(names))


def _each_answer_was_mailed_once(own_bed: Bed, reader: Person, answers: set[str]) -> None:
    def settled_mails() -> bool:
        end_dead_claims(own_bed.stack)
        return run(own_bed.stack, "notify", _OPEN_MAILS) == [(0,)]

    wait_for(settled_mails, "all mails to be settled", 60)
    taken = own_bed.postmark.delivered
    assert [key for key, times in Counter(own_bed.postmark.keys()).items() if times > 1] == [], "a mail was sent twice"
    links = [_LINK.search(mail["TextBody"]) for mail in taken if mail["Tag"] == "comment" and reader.name in mail["To"]]
    assert Counter(link[1] for link in links if link) == dict.fromkeys(answers, 1)
    assert sum(mail["Tag"] == "follow" for mail in taken) == 1


def _each_post_was_translated_ahead(own_bed: Bed, author: Person, reader: Person, expected: dict[str, str], word: str, kills: int) -> None:
    """Before anybody asked; and twice only what was under way when a process ended."""

    def given() -> Counter[str]:
        return Counter(number[1] for text in own_bed.translator.seen if (number := re.search(rf"number (\d+) for .*{word}", text)))

    def done() -> bool:
        # What a killed process had taken is free after a minute, which passes at once for what no living one can hold any more.
        taken = "not_before BETWEEN now() AND now() + interval '45 seconds'"
        run(own_bed.stack, "translate", f"UPDATE jobs SET not_before = now() WHERE {taken}", "NOTIFY jobs")
        return given().keys() == numbers and run(own_bed.stack, "translate", "SELECT count(*) FROM jobs") == [(0,)]

    numbers = {text.split()[1] for text in expected.values()}
    wait_for(done, "all posts to be translated ahead", 60)
    sent = given()
    assert sum(sent.values()) - len(sent) <= kills
    for status_id, text in expected.items():
        made = reader.post(f"/api/v1/statuses/{status_id}/translate", lang="de")["content"]
        assert made.startswith("<p>[de] ")
        assert f"{' '.join(text.split()[:3])} " in made
    assert given() == sent, "what was translated ahead was asked of the provider again"


def _kill(stack: Stack, name: str) -> None:
    """End a process as a crash does, and wait until another has its place."""
    pid = stack.processes()[name]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: stack.processes().get(name, pid) != pid or None, f"{name} to be started again", 30)


def _back(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _ids(posts: list[dict[str, Any]], word: str) -> list[str]:
    """Those with the word, by their ids."""
    return [post["id"] for post in posts if word in post["content"]]


def _found(person: Person, word: str) -> list[dict[str, Any]]:
    """Everything that the search knows of a word."""
    found: list[dict[str, Any]] = []
    while page := person.get("/api/v2/search", q=word, type="statuses", limit=40, offset=len(found))["statuses"]:
        found += page
    return found
