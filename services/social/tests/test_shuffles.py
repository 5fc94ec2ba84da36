"""Posts in any order, some versions several times, end in what each of them once and in order ends in."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PollState, PostState, TagState
from common.testing.shuffling import Telling, in_any_order
from social.posts.projections import apply_post
from sqlalchemy import text

if TYPE_CHECKING:
    from .conftest import World

from .conftest import NOW, URL

pytestmark = pytest.mark.anyio

_ada, _bob, _cyd, _dan, _reader = range(1, 6)


def said(number: int, version: int, author: int, **more: Any) -> PostState:
    words = "" if more.get("deleted") else f"<p>post {number}, version {version}</p>"
    more["usernames"] = [f"person{person}" for person in more.pop("names", ())]
    more["tags"] = [TagState(name=tag, display=tag) for tag in more.pop("labels", ())]
    fields = {"post_id": 100 + number, "version": version, "author_id": author, "created_at": NOW, "html": words}
    return PostState(**{**fields, **more})


_ANSWER = {"reply_to_id": 101, "reply_to_account_id": _ada, "conversation_id": 101}
_ASIDE = {"visibility": "direct", "reply_to_account_id": _dan, "conversation_id": 106}

STORY: Sequence[PostState] = (
    said(1, 1, _ada, labels=["tea"], names=[_bob]),
    said(2, 1, _bob, **_ANSWER),
    said(3, 1, _cyd, **_ANSWER, names=[_ada, _bob]),
    said(1, 2, _ada, labels=["tea", "cake"], names=[_cyd]),
    said(4, 1, _bob, reply_to_id=102, reply_to_account_id=_bob, conversation_id=101),
    said(2, 2, _bob, **_ANSWER, deleted=True),
    said(5, 1, _dan, visibility="private"),
    said(6, 1, _dan, visibility="direct", names=[_ada], conversation_id=106),
    said(7, 1, _ada, labels=["cake"]),
    said(7, 2, _ada, labels=["cake"]),
    said(7, 3, _ada, deleted=True),
    said(3, 2, _cyd, **_ANSWER, names=[_ada]),
    said(3, 3, _cyd, **_ANSWER, names=[_ada], labels=["late"]),
    said(8, 1, _dan, poll=PollState(options=["tea", "cake"], expires_at=NOW)),
    said(8, 2, _dan, poll=PollState(options=["tea", "cake"], expires_at=NOW, hide_totals=True)),
    said(8, 3, _dan, poll=PollState(options=["tea", "pie"], expires_at=NOW, revision=3)),
    said(9, 1, _dan, poll=PollState(options=["yes", "no"], expires_at=NOW)),
    said(9, 2, _dan),
    said(10, 1, _cyd, poll=PollState(options=["yes", "no"], expires_at=NOW)),
    said(10, 2, _cyd, deleted=True),
    said(11, 1, _ada, **_ASIDE, reply_to_id=106, names=[_dan, _cyd]),
    said(12, 1, _cyd, **_ASIDE, reply_to_id=111, names=[_dan]),
    said(11, 2, _ada, **_ASIDE, reply_to_id=106, names=[_dan]),
    said(13, 1, _dan, **_ASIDE, reply_to_id=112, names=[_bob]),
    said(13, 2, _dan, **_ASIDE, reply_to_id=112, deleted=True),
    said(14, 1, _bob, labels=["tea"]),
    said(14, 2, _bob, labels=["coffee"]),
)
"""What four people say, answer, edit and delete, in order: every version of every post."""


@pytest.fixture
async def people(world: "World") -> "World":
    """Four people who follow each other, and one who follows hashtags only."""
    names = await world.people(*(f"person{person}" for person in (_ada, _bob, _cyd, _dan, _reader)))
    await world.run(
        "INSERT INTO follows (follower_id, followed_id) SELECT a, b FROM generate_series(1, 4) a, generate_series(1, 4) b WHERE a <> b"
    )
    await world.run("INSERT INTO followed_tags (name, account_id) VALUES ('tea', :reader), ('cake', :reader)", reader=names[-1])
    return world


async def told(world: "World", order: Iterable[int]) -> list[list[tuple[Any, ...]]]:
    """All that the posts led to; nothing of it stays."""
    statements = (
        """SELECT post_id, version, deleted, author_id, visibility, reply_to_id, conversation_id, threaded,
                  substring(convert_from(content, 'UTF8') FROM 'post [0-9]+, version [0-9]+')
           FROM snapshots ORDER BY 1""",
        "SELECT post_id, account_id FROM mentions ORDER BY 1, 2",
        "SELECT post_id, name FROM hashtags ORDER BY 1, 2",
        "SELECT post_id, author_id, revision, options, hide_totals, tallies FROM polls ORDER BY 1",
        "SELECT account_id, conversation_id, last_post_id, read_id FROM conversations ORDER BY 1, 2",
        "SELECT owner_id, entry_id, booster_id FROM feed_entries ORDER BY 1, 2",
        "SELECT account_id, statuses FROM profile_counts WHERE statuses <> 0 ORDER BY 1",
        "SELECT post_id, replies FROM post_counts WHERE replies <> 0 ORDER BY 1",
    )
    async with world.database.sessions() as session:
        for place in order:
            await apply_post(session, STORY[place], URL)
        return [[tuple(row) for row in await session.execute(text(statement))] for statement in statements]


@pytest.fixture
async def in_order(people: "World") -> list[list[tuple[Any, ...]]]:
    return await told(people, range(len(STORY)))


@in_any_order(len(STORY))
async def test_any_order_ends_in_the_same(people: "World", in_order: list[list[tuple[Any, ...]]], telling: Telling) -> None:
    assert await told(people, chain.from_iterable(telling)) == in_order
