"""Publishing by the short way writes what the long way writes."""

import asyncio
import json
from typing import Any

import pytest
from common.db import Database
from common.events import PostState
from posts.commands import Site, publish_plain_post, publish_post
from posts.domain import AuthorGone, Draft, EmptyPost
from sqlalchemy import text

pytestmark = pytest.mark.anyio

SITE = Site("https://microblog.example", 500)
FRESH = {"id", "post_id", "created_at", "event_id", "happened_at", "key", "conversation_id"}
"""What two posts can't share."""


async def written(database: Database) -> list[list[dict[str, Any]]]:
    """The rows of each table, oldest first, without what is fresh in each."""
    async with database.sessions() as session:
        found = []
        for table in ("posts", "outbox", "idempotency"):
            rows = [
                json.loads(row)
                for row in await session.scalars(text(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY to_jsonb(t)->'id'"))
            ]
            found.append([{name: value for name, value in row.items() if name not in FRESH | {"body"}} for row in rows])
        return found


async def short(database: Database, draft: Draft, key: str | None = None) -> PostState | None:
    async with database.brief() as connection:
        made = await publish_plain_post(connection, SITE, draft, key)
    return None if made is None else PostState.model_validate_json(made[1])


async def long(database: Database, draft: Draft, key: str | None = None) -> PostState:
    async with database.transaction() as session:
        return (await publish_post(session, SITE, draft, key))[0]


@pytest.mark.parametrize(
    "draft",
    [
        Draft(1, "ada", "**Hello** @bob, see #garden and https://example.org/x"),
        Draft(1, "ada", "plain", markdown=False, language="de", visibility="private", spoiler=" careful "),
        Draft(2, "bob", "mit den eigenen Vorgaben geschrieben", application_name="app", application_website="https://app.example"),
    ],
)
async def test_both_ways_write_the_same(database: Database, draft: Draft) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO authors VALUES (2, 1, 'unlisted', true, 'de', false)"))
    one, other = await long(database, draft), await short(database, draft)
    assert other is not None
    assert one.model_dump(exclude=FRESH) == other.model_dump(exclude=FRESH)
    assert other.conversation_id == other.post_id
    posts, events, keys = await written(database)
    assert len(posts) == len(events) == 2
    assert (posts[0], events[0], keys) == (posts[1], events[1], [])


async def test_one_key_makes_one_post_however_many_ask_at_once(database: Database) -> None:
    made = await asyncio.gather(*(short(database, Draft(1, "ada", "only once"), "k") for _ in range(6)))
    (first,) = [state for state in made if state is not None]
    assert (await long(database, Draft(1, "ada", "only once"), "k")).post_id == first.post_id
    posts, events, keys = await written(database)
    assert (len(posts), len(events), len(keys)) == (1, 1, 1)


async def test_who_is_gone_publishes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO authors VALUES (1, 1, 'public', false, NULL, true)"))
    with pytest.raises(AuthorGone):
        await short(database, Draft(1, "ada", "from beyond"))
    with pytest.raises(EmptyPost):
        await short(database, Draft(1, "ada", "  "))
    assert await written(database) == [[], [], []]
