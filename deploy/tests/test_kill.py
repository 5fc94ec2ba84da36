"""`kill -9` of every process at random moments, engines included, while somebody posts: nothing acknowledged is lost, nothing is doubled."""

import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from operating import settled, unsent
from stack import Person, Stack, start, wait_for

_SETTINGS = {"AUTH_ARGON2_MEMORY_KIB": "64", "AUTH_ARGON2_TIME": "1", "GATEWAY_RATE_LIMITS": "false"}


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that nobody else uses: its processes will die."""
    folder = tmp_path_factory.mktemp("killed")
    folder.chmod(0o755)
    running = start(folder / "data", _SETTINGS)
    yield running
    assert running.stop() == 0


class Writer(threading.Thread):
    """Posts as a careful client does: each post under a key of its own, again and again until it is acknowledged."""

    def __init__(self, author: Person, text: str) -> None:
        super().__init__(name="writer")
        self._author = author
        self._text = text
        self._enough = threading.Event()
        self.acknowledged: dict[str, str] = {}
        """Text by the id that was answered."""
        self.refused: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._enough.is_set():
            text, key = self._text.format(number), secrets.token_hex(8)
            while (status_id := self._post(text, key)) is None:
                self._enough.wait(0.1)
            self.acknowledged[status_id] = text
            number += 1
            self._enough.wait(0.05)

    def _post(self, text: str, key: str) -> str | None:
        try:
            answer = self._author.client.post("/api/v1/statuses", json={"status": text}, headers={"Idempotency-Key": key}, timeout=15)
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
def test_nothing_is_lost_or_doubled_when_any_process_is_killed(own_stack: Stack) -> None:
    author, reader = own_stack.new_person("author"), own_stack.new_person("reader")
    reader.follow(author)
    word, seed = f"lantern{secrets.token_hex(3)}", secrets.randbits(32)
    print(f"seed {seed}")
    chance, names = random.Random(seed), list(own_stack.processes())
    chance.shuffle(names)
    writer = Writer(author, f"number {{}} for @{reader.name} {word}")
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
    assert len(expected) > 100
    wait_for(lambda: (unsent(own_stack) == 0 and settled(own_stack)) or None, "all events to be published and read", 60)
    whole = {
        "the author's posts": lambda: reader.pages(f"/api/v1/accounts/{author.id}/statuses"),
        "the follower's feed": lambda: reader.pages("/api/v1/timelines/home"),
        "the notifications": lambda: [n["status"] for n in reader.pages("/api/v1/notifications") if n["type"] == "mention"],
        "the search": lambda: _found(reader, word),
    }
    for where, look in whole.items():
        if where == "the search":  # what was indexed is found a second later at most
            wait_for(lambda look=look: len(look()) >= len(expected) or None, "the search to see what it indexed", 5)  # type: ignore[misc]
        seen = Counter(status["id"] for status in look())
        assert {an_id for an_id, times in seen.items() if times > 1} == set(), f"doubled in {where}"
        assert seen.keys() == expected.keys(), f"posts that nobody was told of in {where}"
    texts = Counter(post["content"] for post in whole["the author's posts"]())
    assert max(texts.values()) == 1, "one key made two posts"


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


def _found(person: Person, word: str) -> list[dict[str, str]]:
    """Everything that the search knows of a word."""
    found: list[dict[str, str]] = []
    while page := person.get("/api/v2/search", q=word, type="statuses", limit=40, offset=len(found))["statuses"]:
        found += page
    return found
