"""The plans of all hot reads, on a small copy of the community that `make bench-large` measures: along indexes, and no more rows than a page needs."""

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest
from common.db import Database
from social.conversations.projections import DERIVE as CONVERSATIONS
from social.feeds.filling import fill
from social.rendering.stored import Stored

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from crowd import Loader, Size
from plans import Plan, Subjects, measure, reads

pytestmark = pytest.mark.anyio

URL: Final = "https://microblog.example"
SMALL: Final = Size(accounts=2_000, follows=60_000, posts=40_000, favourites=20_000, boosts=4_000, entries=40)
_MANY: Final = 1_500
"""Of everything that the reader did: a plan that reads all of it to show a page is found."""

_LIST: Final = 7

MOST_ROWS: Final = 100
"""Of one table, for a page of 20: some rows fall away, and some are looked at from two sides."""
WIDER: Final = {
    "home feed, with pulled authors": 400,  # each such author's newest are merged with what lies in the feed
    "an account's posts": 200,
    "any of three hashtags": 400,  # merged from what each of them has
    "a list of five hundred": 5_000,  # one entry of each member, and a page of a few
    "a thread": 400,  # all of it
    "conversations": 400,  # the latest 20 posts of each
    "how many conversations are unread": 400,  # a hundred at most
    "people by the beginning of a name": 2_000,  # ranked by followers, of some hundreds
    "suggestions of three people": 4_000,  # those whom a hundred people follow, and a thousand posts
    "the directory, new people": 1_000,  # the reader blocks the newest
    "familiar followers of ten people": 1_000,  # each of those whom the reader follows, for each
    "hashtags by their beginning": 2 * SMALL.posts,  # ranked by use
    "followers of somebody": 200,  # some of them are blocked
    "relations to forty people": 200,
}


@dataclass
class Community:
    database: Database
    about: Subjects


@pytest.fixture(scope="module")
async def community(new_database_url: Callable[[str], str]) -> AsyncIterator[Community]:
    url = new_database_url("social")
    with psycopg.connect(url, autocommit=True) as connection:
        crowd = Loader(connection, SMALL, URL).load()
        reader, author = crowd.people[700], crowd.people[10]
        doings = {
            "favourites (account_id, post_id)": f"SELECT {reader}, post_id FROM snapshots ORDER BY post_id LIMIT {_MANY}",
            "bookmarks (account_id, post_id)": f"SELECT {reader}, post_id FROM snapshots ORDER BY post_id LIMIT {_MANY}",
            "blocks (blocker_id, blocked_id)": f"SELECT {reader}, account_id FROM profiles ORDER BY account_id DESC LIMIT {_MANY // 2}",
            "mutes (muter_id, muted_id)": f"SELECT {reader}, account_id FROM profiles ORDER BY account_id DESC LIMIT {_MANY // 2}",
            "mentions (post_id, account_id)": f"SELECT post_id, {reader} FROM snapshots ORDER BY post_id LIMIT {_MANY}",
        }
        for into, rows in doings.items():
            connection.execute(f"INSERT INTO {into} {rows} ON CONFLICT DO NOTHING".encode())
        connection.execute(
            "UPDATE snapshots SET visibility = 'direct' WHERE post_id IN (SELECT post_id FROM mentions ORDER BY 1 LIMIT 500)"
        )
        connection.execute(CONVERSATIONS.encode())
        connection.execute(
            "INSERT INTO lists (id, owner_id, title, replies_policy, exclusive) VALUES (%s, %s, 'many', 'list', false)", (_LIST, reader)
        )
        connection.execute(f"INSERT INTO list_members SELECT {_LIST}, account_id FROM profiles ORDER BY account_id LIMIT 500".encode())
        connection.execute("DELETE FROM feed_entries WHERE owner_id = %s", (reader,))
        connection.execute("ANALYZE")
    database = Database(url, 2)
    await database.open()
    async with database.transaction() as session:
        await fill(session, reader)
    yield Community(database, Subjects(reader, author, crowd.posts[-500], ("garden", "books", "trains"), _LIST, list(crowd.people[:60])))
    await database.close()


@pytest.mark.parametrize("name", list(reads(Stored(URL), Subjects(0, 0, 0, ("", "", ""), 0, []))))
async def test_a_read_goes_along_indexes_and_no_further_than_its_page(community: Community, name: str) -> None:
    _, _, plans = await measure(community.database, reads(Stored(URL), community.about)[name], times=0)
    assert plans
    assert [line for plan in plans for line in too_much(plan, WIDER.get(name, MOST_ROWS))] == []


def too_much(plan: Plan, most: int) -> list[str]:
    """What a plan reads beyond `most` rows of a table, or not by an index; how many authors are merged in is a handful."""
    return [
        f"{table}: {rows} rows by {', '.join(sorted(plan.ways[table]))}"
        for table, rows in plan.touched.items()
        if rows > most or (plan.ways[table] - {"Index Scan", "Index Only Scan"} and table != "pulled_authors")
    ]
