"""Measures a stack with production settings and the demo community: `make bench`.

Starts a stack of its own on free ports, for the limits on how fast one person may ask are off: everything else is as in production.
Stack and load share the machine. CPU is read from the kernel's accounts of every process of the stack, engines included, from before the
load begins until a second after it ended where it writes: what a post sets off is part of its cost.
"""

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import aiohttp
from load import Measured, Send, at_rate, closed
from running import stack
from usage import Usage

_FOLLOWERS: Final = 20
_LOST: Final = 30.0
"""Seconds after which a post that the search doesn't find counts as lost."""
_FINDS: Final = 100
"""How many posts are looked for."""
_CLIENTS: Final = (1, 8)
"""Connections that send their next request as soon as the last was answered."""
_FEED: Final = ("gateway", "social api", "postgresql")
_TEXT: Final = (
    "A post of ordinary length, with a #hashtag and **some** weight, number {}: it goes to twenty followers, the index and the log."
)


class Bench:
    """One run; prints a line for each scenario as soon as it is measured."""

    def __init__(self, url: str, data: Path, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._usage = Usage(data)
        self._tokens: dict[str, str] = json.loads((data / "demo-state.json").read_text())
        self._session: aiohttp.ClientSession
        self.results: list[dict[str, Any]] = []

    async def run(self) -> None:
        async with aiohttp.ClientSession(
            self._url, connector=aiohttp.TCPConnector(limit=64), headers={"Accept-Encoding": "identity"}, auto_decompress=False
        ) as self._session:
            author, *others = self._tokens
            account = await self._json("GET", "/api/v1/accounts/verify_credentials", author)
            followers = others[:_FOLLOWERS]
            for name in followers:
                await self._json("POST", f"/api/v1/accounts/{account['id']}/follow", name)
            reader = followers[0]
            page = await self._json("GET", "/api/v1/timelines/home?limit=20", reader)
            if len(page) != 20:
                raise SystemExit("the home feed has less than 20 posts")
            print(_HEAD)
            await self._reading("home feed, page of 20", "/api/v1/timelines/home?limit=20", reader)
            post = next(status for status in page if status["reblog"] is None)
            await self._reading("one post", f"/api/v1/statuses/{post['id']}", reader)
            await self._reading("an account's posts, 20", f"/api/v1/accounts/{account['id']}/statuses?limit=20", reader)
            await self._reading("public feed, page of 20", "/api/v1/timelines/public?limit=20", reader)
            await self._reading("search, words", "/api/v2/search?q=garden&type=statuses&limit=20", reader)
            await self._scenario("start of a POST until the search finds it", lambda: self._findable(author, reader), writes=True)
            posting = self._poster(author)
            await closed(posting, 1, 1.0)
            for clients in _CLIENTS:
                await self._scenario(
                    f"posting, {_with(clients)}", lambda clients=clients: closed(posting, clients, self._seconds), writes=True
                )
            await self._scenario("posting, 50 a second", lambda: at_rate(posting, 50, self._seconds), writes=True)
            await self._scenario("start of a POST until it is in a follower's feed", lambda: self._visible(author, reader), writes=True)

    async def _reading(self, name: str, path: str, who: str) -> None:
        async def send(_: int) -> None:
            async with self._session.get(path, headers=self._as(who)) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise AssertionError(f"{path}: {answer.status} {body[:200]!r}")

        await closed(send, 4, 1.0)
        for clients in _CLIENTS:
            await self._scenario(f"{name}, {_with(clients)}", lambda clients=clients: closed(send, clients, self._seconds))

    def _poster(self, author: str) -> Send:
        async def send(number: int) -> None:
            await self._json("POST", "/api/v1/statuses", author, {"status": _TEXT.format(number)})

        return send

    async def _visible(self, author: str, reader: str) -> Measured:
        """From the start of a POST until the post is first read in a follower's home feed; one post at a time, looking without a pause."""
        seen, started = Measured(), time.perf_counter()
        while time.perf_counter() - started < self._seconds:
            before = (await self._json("GET", "/api/v1/timelines/home?limit=1", reader))[0]["id"]
            begun = time.perf_counter()
            writing = asyncio.create_task(self._json("POST", "/api/v1/statuses", author, {"status": _TEXT.format("n")}))
            while True:
                newest = await self._json("GET", f"/api/v1/timelines/home?limit=1&since_id={before}", reader)
                if newest:
                    break
                await asyncio.sleep(0.002)
            seen.times.append(time.perf_counter() - begun)
            if newest[0]["id"] != (await writing)["id"]:
                raise SystemExit("another post came first: something else writes here")
            await asyncio.sleep(0.05)
        seen.seconds = time.perf_counter() - started
        return seen

    async def _findable(self, author: str, reader: str) -> Measured:
        """From the start of a POST until somebody else's search for a word of it finds it; one post at a time, asking every 50 ms.

        That is done while the index holds the demo community and little else: the embedded engine looks at each document with each search, so that in
        an index of thousands the asking would hold up the writing.
        """
        seen, started = Measured(), time.perf_counter()
        while len(seen.times) < _FINDS:
            await asyncio.sleep(random.uniform(0, 1))  # noqa: S311 - at any moment between two refreshes of the index
            seen.times.append(await self._found(author, reader))
        seen.seconds = time.perf_counter() - started
        return seen

    async def _found(self, author: str, reader: str) -> float:
        """Write a post and search for it; seconds that it took."""
        word, begun = f"zq{secrets.token_hex(6)}", time.perf_counter()
        posted = await self._json("POST", "/api/v1/statuses", author, {"status": f"{_TEXT.format('n')} {word}"})
        while time.perf_counter() - begun < _LOST:
            found = await self._json("GET", f"/api/v2/search?q={word}&type=statuses&limit=1", reader)
            if [status["id"] for status in found["statuses"]] == [posted["id"]]:
                return time.perf_counter() - begun
            await asyncio.sleep(0.05)
        raise SystemExit(f"a post wasn't found within {_LOST:.0f} s")

    async def _scenario(self, name: str, measure: Any, *, writes: bool = False) -> Measured:
        before = self._usage.cpu_ms()
        measured: Measured = await measure()
        if writes:
            await asyncio.sleep(1.0)  # what a post sets off is part of its cost
        spent = self._usage.cpu_ms() - before
        row = _row(name, measured, spent)
        self.results.append(row)
        print(_LINE.format(**row), flush=True)
        return measured

    async def _json(self, method: str, path: str, who: str, body: Any = None) -> Any:
        async with self._session.request(method, path, headers=self._as(who), json=body) as answer:
            told = await answer.json()
            if answer.status != 200:
                raise AssertionError(f"{method} {path}: {answer.status} {told}")
            return told

    def _as(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[who]}"}


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
