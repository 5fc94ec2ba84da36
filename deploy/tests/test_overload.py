"""Five times as many at once as the gateway takes on: who is served, who is turned away and how, and what is left of it afterwards."""

import asyncio
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from gateway.settings import Settings
from stack import Stack, wait_for

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CAPACITY = int(Settings.model_fields["max_in_flight_per_service"].default)
PATHS = ("/api/v1/timelines/public", "/api/v1/accounts/1", "/api/v1/tags/overload", "/public")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass
class Counted:
    """What a load was answered: seconds by status, and refusals that didn't say when to come back."""

    seconds: float
    took: dict[int, list[float]] = field(default_factory=dict)
    unsaid: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return len(self.took.get(200, [])) / self.seconds

    def slowest(self, status: int, share: float = 0.99) -> float:
        took = sorted(self.took.get(status, [0.0]))
        return took[min(len(took) - 1, int(len(took) * share))]

    def __str__(self) -> str:
        answers = ", ".join(
            f"{status}: {len(took)} (p99 {self.slowest(status) * 1000:.0f} ms)" for status, took in sorted(self.took.items())
        )
        return f"{self.goodput:.0f} good answers a second; {answers}; without retry-after {self.unsaid}; broken {dict(self.broken)}"


async def load(port: int, callers: int, seconds: float, requests: list[bytes]) -> Counted:
    """Callers who each ask again as soon as they are answered; a refused one waits a tenth of a second, which is less than it is asked to."""
    counted = Counted(seconds)
    end = time.monotonic() + seconds

    async def call(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            start = time.monotonic()
            number += 1
            try:
                writer.write(requests[number % len(requests)])
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
            except (OSError, EOFError) as problem:
                counted.broken[type(problem).__name__] += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            status = int(head[9:12])
            counted.took.setdefault(status, []).append(time.monotonic() - start)
            if status in (429, 503):
                counted.unsaid += b"\r\nretry-after: " not in head.lower()
                await asyncio.sleep(0.1)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(call(number) for number in range(callers)))
    return counted


@pytest.fixture(scope="module")
def requests(stack: Stack) -> list[bytes]:
    """Reads of pages and of the API, with and without a token, and some writes."""
    person = stack.new_person()
    for number in range(20):
        person.write(f"Somebody reads this under load, {number} #overload")
    wait_for(lambda: len(person.get("/api/v1/timelines/public")) >= 20, "the posts in the timeline")
    who = f"Host: localhost\r\nAuthorization: Bearer {person.token}\r\n"
    reads = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in (PATHS[0], PATHS[2], PATHS[3])]
    reads += [f"GET {path} HTTP/1.1\r\n{who}\r\n" for path in ("/api/v1/timelines/home", f"/api/v1/accounts/{person.id}", PATHS[0])]
    write = f"POST /api/v1/markers HTTP/1.1\r\n{who}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    return [said.encode() for said in (*reads, write)]


def memory(stack: Stack) -> int:
    """Bytes that the gateway has in memory."""
    pages = int(Path(f"/proc/{stack.processes()['gateway']}/statm").read_text().split()[1])
    return pages * 4096


async def test_five_times_as_many_as_there_is_room_for(stack: Stack, requests: list[bytes]) -> None:
    await load(stack.port, 16, 2, requests)
    peak = await load(stack.port, 32, 3, requests)
    before = memory(stack)
    crowd = await load(stack.port, 5 * CAPACITY, 8, requests)
    over = time.monotonic()
    grown = memory(stack) - before
    print(f"peak: {peak}\ncrowd: {crowd}\nmemory grew by {grown / 1e6:.0f} MB")

    assert set(peak.took) == {200}
    assert set(crowd.took) <= {200, 429, 503}
    assert crowd.took[503], "a crowd like this is turned away in part"
    assert (crowd.unsaid, crowd.broken) == (0, Counter())
    assert crowd.goodput > 0.4 * peak.goodput
    assert crowd.slowest(503) < 3
    assert crowd.slowest(200) < 5
    assert grown < 100_000_000

    async with httpx.AsyncClient(base_url=stack.url, timeout=10) as client:
        answers = [await client.get(path) for path in ("/health/live", PATHS[0], "/public")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert time.monotonic() - over < 2


async def test_probes_are_answered_in_the_middle_of_it(stack: Stack, requests: list[bytes]) -> None:
    crowd = asyncio.create_task(load(stack.port, 5 * CAPACITY, 4, requests))
    await asyncio.sleep(1)
    probes = await load(stack.port, 1, 2, [b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"])
    assert set(probes.took) == {200}
    assert probes.slowest(200) < 3
    await crowd
