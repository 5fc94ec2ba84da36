"""Measures a stack with production settings and the demo community: `make bench`.

Starts a stack of its own on free ports, for the limits on how fast one person may ask are off: everything else is as in production.
Stack and load share the machine. CPU is read from the kernel's accounts of every process of the stack, engines included, from before the
load begins until a second after it ended where it writes: what a post sets off is part of its cost.
"""

import argparse
import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from clients import Clients
from load import Measured, at_rate, closed
from running import stack
from usage import Usage

_LOST: Final = 30.0
"""Seconds after which a post that the search doesn't find counts as lost."""
_FINDS: Final = 100
"""How many posts are looked for."""
_CLIENTS: Final = (1, 8)
"""Connections that send their next request as soon as the last was answered."""
_FEED: Final = ("gateway", "social api", "postgresql")


class Bench:
    """One run; prints a line for each scenario as soon as it is measured."""

    def __init__(self, url: str, data: Path, seconds: float) -> None:
        self._seconds = seconds
        self._usage = Usage(data)
        self._clients = Clients(url, data)

    async def run(self) -> None:
        clients = self._clients
        async with clients.ready():
            print(_HEAD)
            for name in clients.reads:
                await self._reading(name)
            await self._scenario("start of a POST until the search finds it", self._findable, writes=True)
            await closed(clients.posting, 1, 1.0)
            for count in _CLIENTS:
                await self._scenario(
                    f"posting, {_with(count)}", lambda count=count: closed(clients.posting, count, self._seconds), writes=True
                )
            await self._scenario("posting, 50 a second", lambda: at_rate(clients.posting, 50, self._seconds), writes=True)
            await self._scenario("start of a POST until it is in a follower's feed", self._visible, writes=True)

    async def _reading(self, name: str) -> None:
        send = self._clients.reading(name)
        await closed(send, 4, 1.0)
        for count in _CLIENTS:
            await self._scenario(f"{name}, {_with(count)}", lambda count=count: closed(send, count, self._seconds))

    async def _visible(self) -> Measured:
        """From the start of a POST until the post is first read in a follower's home feed; one post at a time, looking without a pause."""
        seen, started = Measured(), time.perf_counter()
        while time.perf_counter() - started < self._seconds:
            before = (await self._clients.read("/api/v1/timelines/home?limit=1"))[0]["id"]
            begun = time.perf_counter()
            writing = asyncio.create_task(self._clients.post("n"))
            while True:
                newest = await self._clients.read(f"/api/v1/timelines/home?limit=1&since_id={before}")
                if newest:
                    break
                await asyncio.sleep(0.002)
            seen.times.append(time.perf_counter() - begun)
            if newest[0]["id"] != (await writing)["id"]:
                raise SystemExit("another post came first: something else writes here")
            await asyncio.sleep(0.05)
        seen.seconds = time.perf_counter() - started
        return seen

    async def _findable(self) -> Measured:
        """From the start of a POST until somebody else's search for a word of it finds it; one post at a time, asking every 50 ms.

        That is done while the index holds the demo community and little else: the embedded engine looks at each document with each search, so that in
        an index of thousands the asking would hold up the writing.
        """
        seen, started = Measured(), time.perf_counter()
        while len(seen.times) < _FINDS:
            await asyncio.sleep(random.uniform(0, 1))  # noqa: S311 - at any moment between two refreshes of the index
            seen.times.append(await self._found())
        seen.seconds = time.perf_counter() - started
        return seen

    async def _found(self) -> float:
        """Write a post and search for it; seconds that it took."""
        word, begun = f"zq{secrets.token_hex(6)}", time.perf_counter()
        posted = await self._clients.post("n", word)
        while time.perf_counter() - begun < _LOST:
            found = await self._clients.read(f"/api/v2/search?q={word}&type=statuses&limit=1")
            if [status["id"] for status in found["statuses"]] == [posted["id"]]:
                return time.perf_counter() - begun
            await asyncio.sleep(0.05)
        raise SystemExit(f"a post wasn't found within {_LOST:.0f} s")

    async def _scenario(self, name: str, measure: Callable[[], Awaitable[Measured]], *, writes: bool = False) -> None:
        before = self._usage.cpu_ms()
        measured = await measure()
        if writes:
            await asyncio.sleep(1.0)  # what a post sets off is part of its cost
        spent = self._usage.cpu_ms() - before
        print(_LINE.format(**_row(name, measured, spent)), flush=True)


def _with(clients: int) -> str:
    return "one client" if clients == 1 else f"{clients} clients"


_HEAD: Final = f"{'':50} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'CPU ms':>7}  of it"
_LINE: Final = "{name:50} {rate:7.0f} {p50:7.1f} {p99:7.1f} {cpu:7.2f}  {parts}"


def _row(name: str, measured: Measured, spent: Counter[str]) -> dict[str, Any]:
    count = len(measured.times)
    parts = ", ".join(f"{part} {ms / count:.2f}" for part, ms in spent.most_common() if ms / count >= 0.05)
    feed = sum(spent[part] for part in _FEED) / count
    return {
        "name": name,
        "rate": measured.rate,
        "p50": measured.percentile(0.5),
        "p99": measured.percentile(0.99),
        "cpu": sum(spent.values()) / count,
        "parts": f"{parts} (gateway + social + PostgreSQL {feed:.2f})",
    }


def _idle(data: Path, seconds: float) -> None:
    """What the stack costs while nobody does anything."""
    usage = Usage(data)
    before = usage.cpu_ms()
    time.sleep(seconds)
    spent, held = usage.cpu_ms() - before, usage.memory_mb()
    print(f"idle: {sum(held.values())} MB (PSS), {sum(spent.values()) / seconds / 10:.1f} % of a core, everything included")
    print("  " + ", ".join(f"{part} {mb}" for part, mb in held.most_common()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8600, help="where the stack of this run listens (default 8600)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each scenario (default 10)")
    parser.add_argument(
        "--rest", type=float, default=150.0, help="seconds until the idle stack is measured: bursts give back what they needed"
    )
    arguments = parser.parse_args()
    with stack(arguments.port) as data:
        time.sleep(arguments.rest)
        _idle(data, 30)
        asyncio.run(Bench(f"http://127.0.0.1:{arguments.port}", data, arguments.seconds).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
