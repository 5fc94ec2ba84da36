"""Requests as clients send them, and how long each took."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Send = Callable[[int], Awaitable[None]]
"""Sends the n-th request and waits for its whole answer; raises when that isn't what was expected."""


@dataclass
class Measured:
    """One scenario: `times` in seconds, one for each answer, and how long all of it took."""

    times: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    def add(self, other: "Measured") -> None:
        """Take another measurement of the same scenario into this one."""
        self.times += other.times
        self.seconds += other.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def closed(send: Send, connections: int, seconds: float) -> Measured:
    """As many as the stack can take: each connection sends its next request when its last was answered."""
    measured, started = Measured(), time.perf_counter()
    numbers = iter(range(1 << 30))

    async def one() -> None:
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            await send(next(numbers))
            measured.times.append(time.perf_counter() - begun)

    await asyncio.gather(*(one() for _ in range(connections)))
    measured.seconds = time.perf_counter() - started
    return measured


async def at_rate(send: Send, rate: float, seconds: float, enough: Callable[[], bool] = lambda: False) -> Measured:
    """At a fixed rate, however slow the answers are: a stalled stack can't hide behind a waiting client. Begins no more once it is `enough`."""
    measured, started = Measured(), time.perf_counter()

    async def one(number: int, due: float) -> None:
        await send(number)
        measured.times.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if enough():
                break
            tasks.create_task(one(number, max(due, time.perf_counter())))
    measured.seconds = time.perf_counter() - started
    return measured
