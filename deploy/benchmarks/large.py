"""Whether reading costs the same in a large community, and what a post to 100,000 followers costs others: `make bench-large`.

Two stacks of their own with production settings, each with the demo community, are filled: one with 1,000 accounts and 10,000 posts, one with
100,000 accounts and a million posts, in which everybody follows as many and writes as much. The same reader, who follows fifty people in each,
asks both in turn, so that a machine that is slower for a while is slower for both. Then every hot read is measured in both, with its plan in the
large one. Then comes an author whom everybody follows: with their posts written into each feed while others post, and merged in when a feed is
read. Load and stacks share the machine.
"""

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg
from clients import People
from common.db import Database
from crowd import Crowd, Loader, Size
from load import Measured, at_rate, closed
from plans import Plan, Subjects, measure, reads
from running import stack
from social.rendering.stored import Stored
from usage import Usage

_READS: Final = ("gateway", "social api", "postgresql")
_SMALLER: Final = 0.01
_LEAST_SHARE: Final = 0.1
_ROUNDS: Final = 3
_FOLLOWED: Final = 50
_FLAT: Final = 1.3
"""How many times as much a read may cost in the large community."""

_POSTERS: Final = 10
_POSTS_A_SECOND: Final = 20.0
_SPREADS: Final = 10
_SOON: Final = 5.0
_BESIDE: Final = 1.1
"""How many times as long the slowest hundredth of others' posts may take while one is spread."""


class Community:
    """One running stack, and the load on it."""

    def __init__(self, port: int, data: Path, size: Size, seconds: float) -> None:
        self._people = People(f"http://127.0.0.1:{port}", data)
        self._public_url = f"http://localhost:{port}"
        self._seconds = seconds
        self._size = size
        self._usage = Usage(data)
        kept = json.loads((data / "secrets.json").read_text())
        self._database = f"postgresql://social:{kept['databases']['social']}@127.0.0.1:{port + 20}/social"
        self._star, self._reader, *others = self._people.names
        self._posters = others[:_POSTERS]
        self._subjects: Subjects

    @asynccontextmanager
    async def asked(self) -> AsyncIterator["Community"]:
        """With connections, within one event loop."""
        async with self._people.connected(keepalive_timeout=2):
            yield self

    async def fill(self) -> None:
        """Put the crowd in, all of it following the star; the reader follows fifty of those whom many follow, and lists others."""
        star, reader = await self._id(self._star), await self._id(self._reader)
        await self._people.json("POST", f"/api/v1/accounts/{star}/follow", self._reader)
        crowd = await asyncio.to_thread(self._load, star, reader)
        known = crowd.people[: max(len(crowd.people) // 20, _FOLLOWED)]
        for account_id in random.Random(2).sample(known, _FOLLOWED):  # noqa: S311 - the same people every time
            await self._people.json("POST", f"/api/v1/accounts/{account_id}/follow", self._reader)
        a_list = int((await self._people.json("POST", "/api/v1/lists", self._reader, {"title": "five hundred"}))["id"])
        listed = {"account_ids": [str(account_id) for account_id in crowd.people[:1000:2]]}
        await self._people.json("POST", f"/api/v1/lists/{a_list}/accounts", self._reader, listed)
        post, tags = crowd.posts[-min(5_000, len(crowd.posts) // 2)], ("garden", "books", "trains")
        self._subjects = Subjects(reader, crowd.people[10], post, tags, a_list, list(crowd.people[:60]))

    async def page(self, name: str) -> float:
        """CPU in ms of a home feed page over gateway, social and PostgreSQL."""
        path = "/api/v1/timelines/home?limit=20"
        send = self._people.reading(path, self._reader)
        if len(await self._people.json("GET", path, self._reader)) != 20:
            raise AssertionError("the feed has less than a page")
        await closed(send, 4, 2.0)
        before = self._usage.cpu_ms()
        measured = await closed(send, 16, self._seconds)
        spent = self._usage.cpu_ms() - before
        cpu = sum(spent[part] for part in _READS) / len(measured.times)
        print(f"{name}: {measured.rate:.0f} req/s, p50 {measured.percentile(0.5):.1f} ms, p99 {measured.percentile(0.99):.1f} ms, "
              f"{cpu:.2f} ms CPU over {', '.join(_READS)}", flush=True)  # fmt: skip
        return cpu

    @asynccontextmanager
    async def reads(self) -> AsyncIterator["Reads"]:
        """Every hot read, on the database itself."""
        database = Database(self._database, 2)
        await database.open()
        try:
            yield Reads(database, reads(Stored(self._public_url), self._subjects))
        finally:
            await database.close()

    async def written(self) -> None:
        """Posts that are put into the feed of each follower, while others post; how long others' take then, and without."""
        star = await self._id(self._star)
        with psycopg.connect(self._database, autocommit=True) as connection:
            wanted = _count(connection, "SELECT count(*) FROM follows f JOIN feeds d ON d.owner_id = f.follower_id AND d.active "
                            "WHERE f.followed_id = %s", star)  # fmt: skip
            print(
                f"\nposting by {len(self._posters)} others, {_POSTS_A_SECOND:.0f} a second together, {wanted} followers of another",
                flush=True,
            )
            await at_rate(self._post, _POSTS_A_SECOND, 3)
            quiet, meanwhile, took = Measured(), Measured(), list[float]()
            for _ in range(_SPREADS):
                quiet.add(await at_rate(self._post, _POSTS_A_SECOND, self._seconds))
                spreading = asyncio.create_task(self._spread(connection, wanted))
                meanwhile.add(await at_rate(self._post, _POSTS_A_SECOND, 60, enough=spreading.done))
                took.append(await spreading)
        for name, measured in (("nobody else writes", quiet), ("one is written into all feeds", meanwhile)):
            p50, p99 = measured.percentile(0.5), measured.percentile(0.99)
            print(f"  others' posting while {name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms of {len(measured.times)}", flush=True)
        print(f"  in all feeds after {', '.join(f'{one:.1f}' for one in took)} s: {_aim(max(took), _SOON, 's')}")
        ratio = meanwhile.percentile(0.99) / quiet.percentile(0.99)
        print(f"  others' p99 then: {ratio:.2f} times as long: {_aim(ratio, _BESIDE, 'times')}", flush=True)

    async def merged(self) -> None:
        """A post that is merged in when a feed is read."""
        with psycopg.connect(self._database, autocommit=True) as connection:
            pulled = b"INSERT INTO pulled_authors (author_id, since) VALUES (%s, now() - interval '1 minute') ON CONFLICT DO NOTHING"
            connection.execute(pulled, (await self._id(self._star),))
            await asyncio.sleep(11)  # by then every process knows that there is somebody to merge in
            began = time.perf_counter()
            post = await self._people.json(
                "POST", "/api/v1/statuses", self._star, {"status": f"to all of you again {secrets.token_hex(4)}"}
            )
            answered = time.perf_counter() - began
            while True:
                if (await self._people.json("GET", "/api/v1/timelines/home?limit=1", self._reader))[0]["id"] == post["id"]:
                    break
                await asyncio.sleep(0.002)
            seen = time.perf_counter() - began
            entries = _count(connection, "SELECT count(*) FROM feed_entries WHERE post_id = %s", int(post["id"]))
        print(f"\nmerged in on reading: answered after {answered * 1000:.0f} ms, read by a follower after {seen * 1000:.0f} ms, "
              f"{entries} entry written")  # fmt: skip
        await self.page("home feed with somebody merged in")

    async def _spread(self, connection: psycopg.Connection, wanted: int) -> float:
        """Have the star post; seconds from the request until it is in the last feed. Looking costs little: what is left to do is one row."""
        before, began = self._usage.cpu_ms(), time.perf_counter()
        post = await self._people.json("POST", "/api/v1/statuses", self._star, {"status": f"to all of you {secrets.token_hex(4)}"})
        an_id, answered = int(post["id"]), time.perf_counter() - began
        done = (
            "SELECT count(*) FROM snapshots WHERE post_id = %s AND NOT EXISTS (SELECT FROM fanouts f WHERE f.post_id = snapshots.post_id)"
        )
        while True:
            if _count(connection, done, an_id):
                break
            await asyncio.sleep(0.05)
        took, spent = time.perf_counter() - began, self._usage.cpu_ms() - before
        entries = await asyncio.to_thread(_count, connection, "SELECT count(*) FROM feed_entries WHERE post_id = %s", an_id)
        if entries != wanted + 1:  # and the author's own
            raise AssertionError(f"{entries} feeds have it, not {wanted + 1}")
        print(f"  answered after {answered * 1000:.0f} ms, in all feeds after {took:.1f} s; {spent.total() / 1000:.1f} s of CPU, others' posts included", flush=True)  # fmt: skip
        return took

    async def _post(self, number: int) -> None:
        said = {"status": f"what others say, {number} {secrets.token_hex(4)}"}
        await self._people.json("POST", "/api/v1/statuses", self._posters[number % len(self._posters)], said)

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

    async def _id(self, who: str) -> int:
        return int((await self._people.json("GET", "/api/v1/accounts/verify_credentials", who))["id"])


class Reads:
    """The hot reads of one community, by name."""

    def __init__(self, database: Database, named: Mapping[str, Any]) -> None:
        self._database = database
        self.named = named

    async def measure(self, name: str) -> tuple[float, float, list[Plan]]:
        return await measure(self._database, self.named[name])


async def compare(small: Community, large: Community) -> None:
    """Fill both and print what reading costs in each, in turn."""
    async with small.asked(), large.asked():
        await small.fill()
        await large.fill()
        print("", flush=True)
        few, many = list[float](), list[float]()
        for _ in range(_ROUNDS):
            few.append(await small.page("home feed, small community"))
            many.append(await large.page("home feed, large community"))
        ratio = median(many) / median(few)
        print(f"a page of the large community costs {ratio:.2f} times as much CPU: {_aim(ratio, _FLAT, 'times')}", flush=True)
        print(f"\n{'read':38} {'small p50':>10} {'large p50':>10} {'p99 ms':>8} {'ratio':>6}", flush=True)
        async with small.reads() as of_few, large.reads() as of_many:
            for name in of_many.named:
                before, _, _ = await of_few.measure(name)
                middle, slowest, plans = await of_many.measure(name)
                ratio = middle / before
                print(
                    f"{name:38} {before:10.2f} {middle:10.2f} {slowest:8.2f} {ratio:6.2f}{'' if ratio <= _FLAT else ' (grows)'}", flush=True
                )
                for plan in plans:
                    print(f"    {plan.line()}", flush=True)


async def spread(large: Community) -> None:
    async with large.asked():
        await large.written()
        await large.merged()


def _aim(measured: float, most: float, unit: str) -> str:
    return f"{'within' if measured <= most else 'BEYOND'} the aim of {most:g} {unit}"


def _count(connection: psycopg.Connection, statement: str, value: int) -> int:
    row = connection.execute(statement.encode(), (value,)).fetchone()
    return int(row[0]) if row else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--port", type=int, default=8600, help="where the stacks of this run listen: here and 100 further on (default 8600)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load (default 10)")
    parser.add_argument("--share", type=float, default=1.0, help="smaller communities, 0.1 for a tenth, the least (default 1)")
    given = parser.parse_args()
    if given.share < _LEAST_SHARE:
        parser.error(f"--share: at least {_LEAST_SHARE}, since everybody follows fifty others in the small community, too")
    # Nobody is merged in before it is tried: both ways are measured on the same author.
    written = {"SOCIAL_PULL_ABOVE": "100000000"}
    with stack(given.port, **written) as data:
        large = Community(given.port, data, _size(given.share), given.seconds)
        with stack(given.port + 100, **written) as other:
            asyncio.run(compare(Community(given.port + 100, other, _size(given.share * _SMALLER), given.seconds), large))
        asyncio.run(spread(large))
    return 0


def _size(share: float) -> Size:
    whole = Size()
    return Size(*(int(getattr(whole, name) * share) for name in ("accounts", "follows", "posts", "favourites", "boosts")))


if __name__ == "__main__":
    sys.exit(main())
