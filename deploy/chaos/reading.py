"""Somebody who reads without pause while a fault is tried, and writes down every answer."""

import threading
import time
from collections import Counter
from typing import Final

import httpx
from ledger import Asked
from stack import Person

_PATIENCE: Final = 25.0


class Reader(threading.Thread):
    """Asks for one page again and again: `asked` holds every answer. Used as a context: it ends with the block."""

    def __init__(self, person: Person, path: str, *, pause: float = 0.1, post: dict[str, str] | None = None) -> None:
        super().__init__(name=f"reader of {path}", daemon=True)
        self.asked: list[Asked] = []
        self.bodies: list[str] = []
        """The last answers' texts, at most a hundred."""
        self._client = httpx.Client(base_url=person.client.base_url, headers=person.client.headers, timeout=_PATIENCE)
        self._path = path
        self._post = post
        self._pause = pause
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            at, began, status, waits = time.time(), time.monotonic(), 0, False
            try:
                answer = self._client.get(self._path) if self._post is None else self._client.post(self._path, json=self._post)
                status, waits = answer.status_code, "retry-after" in answer.headers
                self.bodies = [*self.bodies[-99:], answer.text]
            except httpx.HTTPError:
                pass
            self.asked.append(Asked(at, time.monotonic() - began, status, waits))
            self._ended.wait(self._pause)

    def __enter__(self) -> "Reader":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(_PATIENCE + 5)


def statuses(asked: list[Asked]) -> str:
    """How many answers of each status, in words."""
    names = {0: "broken off", -1: "refused to connect"}
    counts = Counter(one.status for one in asked)
    return ", ".join(f"{times} × {names.get(status, status)}" for status, times in sorted(counts.items())) or "nothing asked"


def share_ok(asked: list[Asked]) -> float:
    """Share of answers with 200, in percent; 0 when nothing was asked."""
    return 100 * sum(one.status == 200 for one in asked) / len(asked) if asked else 0.0


def percentile(asked: list[Asked], share: float) -> float:
    """Milliseconds within which this share of the answers came."""
    ordered = sorted(one.seconds for one in asked)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


def without_500(asked: list[Asked]) -> bool:
    """Whether all that wasn't 200 was 503 or 504 with Retry-After."""
    return all(one.status == 200 or (one.status in (503, 504) and one.retry_after) for one in asked)
