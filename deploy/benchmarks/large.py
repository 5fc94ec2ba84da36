"""Measures a community of 100,000 accounts, 5 million follows and 1 million posts, and a post to 100,000 followers: `make bench-large`.

A stack of its own with production settings is measured with the demo community first; then the large one is put into the database of `social`
beside it, and the same reader asks again. Then come every hot read with its plan, and an author whom everybody follows: once with their post
written into each feed, once merged in when a feed is read. Load and stack share the machine.
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
import psycopg
from common.db import Database
from crowd import Crowd, Loader, Size
from load import Measured, at_rate, closed
from plans import Subjects, measure, reads
from running import stack
from social.rendering.stored import Stored
from usage import Usage

_READS: Final = ("gateway", "social api", "postgresql")
_POSTERS: Final = 10
_FOLLOWED: Final = 50


class Large:
    """One run on a running stack; prints as it goes."""

    def __init__(self, port: int, data: Path, size: Size, seconds: float) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._public_url = f"http://localhost:{port}"
        self._seconds = seconds
        self._size = size
        self._usage = Usage(data)
        kept = json.loads((data / "secrets.json").read_text())
        self._database = f"postgresql://social:{kept['databases']['social']}@127.0.0.1:{port + 20}/social"
        self._tokens: dict[str, str] = json.loads((data / "demo-state.json").read_text())
        self._session: aiohttp.ClientSession

    async def run(self) -> None:
        async with aiohttp.ClientSession(
            self._url, connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=2), headers={"Accept-Encoding": "identity"}
        ) as self._session:
            star, reader, *others = self._tokens
            ids = {name: int((await self._json("GET", "/api/v1/accounts/verify_credentials", name))["id"]) for name in self._tokens}
            await self._json("POST", f"/api/v1/accounts/{ids[star]}/follow", reader)
            small = await self._page(reader, "home feed, demo community")
            crowd = await asyncio.to_thread(self._load, ids[star], ids[reader])
            for account_id in random.Random(2).sample(crowd.people[:5_000], _FOLLOWED):  # noqa: S311 - the same people every time
                await self._json("POST", f"/api/v1/accounts/{account_id}/follow", reader)
            large = await self._page(reader, "home feed, large community")
            print(f"the large community costs {large / small:.2f} times as much CPU a page", flush=True)
            a_list = int((await self._json("POST", "/api/v1/lists", reader, {"title": "five hundred"}))["id"])
            listed = {"account_ids": [str(account_id) for account_id in crowd.people[:1000:2]]}
            await self._json("POST", f"/api/v1/lists/{a_list}/accounts", reader, listed)
            tags = ("garden", "books", "trains")
            await self._plans(Subjects(ids[reader], crowd.people[10], crowd.posts[-5_000], tags, a_list, list(crowd.people[:60])))
            posters = others[:_POSTERS]
            print(f"\nposting by {len(posters)} others, 10 a second together", flush=True)
            await self._others(posters, "nobody else writes", self._seconds)
            await self._written(star, posters)
            await self._merged(star, reader, ids[star])

    def _load(self, star: int, reader: int) -> Crowd:
        print(f"\nloading {self._size}", flush=True)
        with psycopg.connect(self._database, autocommit=True) as connection:
            crowd = Loader(connection, self._size, self._public_url, say=lambda said: print(f"  {said}", flush=True)).load()
            following = (
                "INSERT INTO follows (follower_id, followed_id) SELECT owner_id, %s FROM feeds WHERE owner_id <> %s ON CONFLICT DO NOTHING"
            )
            connection.execute(following, (star, star))
            connection.execute(
                "UPDATE profile_counts SET followers = (SELECT count(*) FROM follows WHERE followed_id = %(star)s) WHERE account_id = %(star)s",
                {"star": star},
            )
            # The reader's feed is filled by the service, as for somebody who was away.
            connection.execute("UPDATE feeds SET active = false, filled = false WHERE owner_id = %s", (reader,))
            connection.execute("ANALYZE follows, profile_counts")
        return crowd

    async def _page(self, reader: str, name: str) -> float:
        """CPU in ms of a home feed page over gateway, social and PostgreSQL."""

        async def send(_: int) -> None:
            async with self._session.get("/api/v1/timelines/home?limit=20", headers=self._as(reader)) as answer:
                body = await answer.read()
                if answer.status != 200 or len(body) < 1000:
                    raise AssertionError(f"{answer.status} {body[:200]!r}")

        await closed(send, 4, 2.0)
        before = self._usage.cpu_ms()
        measured = await closed(send, 16, self._seconds)
        spent = self._usage.cpu_ms() - before
        cpu = sum(spent[part] for part in _READS) / len(measured.times)
        print(f"{name}: {measured.rate:.0f} req/s, p50 {measured.percentile(0.5):.1f} ms, p99 {measured.percentile(0.99):.1f} ms, "
              f"{cpu:.2f} ms CPU over {', '.join(_READS)}", flush=True)  # fmt: skip
        return cpu

    async def _plans(self, about: Subjects) -> None:
        print(f"\n{'read':38} {'p50 ms':>7} {'p99 ms':>7}", flush=True)
        database = Database(self._database, 2)
        await database.open()
        for name, read in reads(Stored(self._public_url), about).items():
            middle, slowest, plans = await measure(database, read)
            print(f"{name:38} {middle:7.2f} {slowest:7.2f}", flush=True)
            for plan in plans:
                print(f"    {plan.line()}", flush=True)
        await database.close()

    async def _others(self, posters: list[str], while_: str, seconds: float) -> Measured:
        async def send(number: int) -> None:
            await self._json(
                "POST", "/api/v1/statuses", posters[number % len(posters)], {"status": f"what others say, {number} {secrets.token_hex(4)}"}
            )

        measured = await at_rate(send, 10, seconds)
        print(
            f"  others' posting while {while_}: p50 {measured.percentile(0.5):.0f} ms, p99 {measured.percentile(0.99):.0f} ms", flush=True
        )
        return measured

    async def _written(self, star: str, posters: list[str]) -> None:
        """A post that is put into the feed of each of them, while others post."""
        before, began = self._usage.cpu_ms(), time.perf_counter()
        post = await self._json("POST", "/api/v1/statuses", star, {"status": f"to all of you {secrets.token_hex(4)}"})
        answered = time.perf_counter() - began
        others = asyncio.create_task(self._others(posters, "it is written into all feeds", self._seconds))
        wanted = self._count("SELECT count(*) FROM follows f JOIN feeds d ON d.owner_id = f.follower_id AND d.active WHERE f.followed_id = "
                             "(SELECT author_id FROM snapshots WHERE post_id = %s)", post["id"])  # fmt: skip
        while True:
            if self._count("SELECT count(*) FROM feed_entries WHERE post_id = %s", post["id"]) > wanted:
                break
            await asyncio.sleep(0.05)
        took = time.perf_counter() - began
        spent: Counter[str] = self._usage.cpu_ms() - before
        print(
            f"  answered after {answered * 1000:.0f} ms, in all of {wanted} feeds after {took:.1f} s; {sum(spent.values()) / 1000:.1f} s of CPU, others' posts included"
        )
        await others

    async def _merged(self, star: str, reader: str, star_id: int) -> None:
        """A post that is merged in when a feed is read."""
        self._run("INSERT INTO pulled_authors (author_id, since) VALUES (%s, now() - interval '1 minute') ON CONFLICT DO NOTHING", star_id)
        await asyncio.sleep(11)  # by then every process knows that there is somebody to merge in
        began = time.perf_counter()
        post = await self._json("POST", "/api/v1/statuses", star, {"status": f"to all of you again {secrets.token_hex(4)}"})
        answered = time.perf_counter() - began
        while True:
            if (await self._json("GET", "/api/v1/timelines/home?limit=1", reader))[0]["id"] == post["id"]:
                break
            await asyncio.sleep(0.002)
        seen = time.perf_counter() - began
        entries = self._count("SELECT count(*) FROM feed_entries WHERE post_id = %s", post["id"])
        print(
            f"\nmerged in on reading: answered after {answered * 1000:.0f} ms, read by a follower after {seen * 1000:.0f} ms, {entries} entry written"
        )
        await self._page(reader, "home feed with somebody merged in")

    async def _json(self, method: str, path: str, who: str, body: Any = None) -> Any:
        async with self._session.request(method, path, headers=self._as(who), json=body) as answer:
            told = await answer.json()
            if answer.status != 200:
                raise AssertionError(f"{method} {path}: {answer.status} {told}")
            return told

    def _as(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[who]}"}

    def _count(self, statement: str, post_id: str) -> int:
        with psycopg.connect(self._database, autocommit=True) as connection:
            row = connection.execute(statement.encode(), (int(post_id),)).fetchone()
        return int(row[0]) if row else 0

    def _run(self, statement: str, value: int) -> None:
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(statement.encode(), (value,))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8600, help="where the stack of this run listens (default 8600)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load (default 10)")
    parser.add_argument("--share", type=float, default=1.0, help="a smaller community, 0.01 for a hundredth (default 1)")
    given = parser.parse_args()
    whole = Size()
    size = Size(*(int(getattr(whole, name) * given.share) for name in ("accounts", "follows", "posts", "favourites", "boosts")))
    # Nobody is merged in before it is tried: both ways are measured on the same author.
    with stack(given.port, SOCIAL_PULL_ABOVE="100000000") as data:
        asyncio.run(Large(given.port, data, size, given.seconds).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
