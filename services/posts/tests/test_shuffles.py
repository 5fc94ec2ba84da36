"""People and their defaults in any order, some events several times, end in what each of them once and in order ends in."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from common.db import Database
from common.events import AccountState, Event, ProfileState
from common.testing.shuffling import Telling, in_any_order
from posts import projections
from posts.commands import Site, publish_post
from posts.domain import AuthorGone, Draft
from sqlalchemy import text

pytestmark = pytest.mark.anyio

_SITE = Site("https://microblog.example", 500)
_ada, _bob, _cyd = 1, 2, 3


def account(account_id: int, version: int, **more: Any) -> AccountState:
    return AccountState(account_id=account_id, version=version, username=f"person{account_id}", created_at=datetime.now(UTC), **more)


def profile(account_id: int, version: int, visibility: str = "public", **more: Any) -> ProfileState:
    fields = {"username": f"person{account_id}", "created_at": datetime.now(UTC), "default_visibility": visibility}
    return ProfileState(account_id=account_id, version=version, **{**fields, **more})


STORY: Sequence[Event | Draft] = (
    account(_ada, 1, state="unconfirmed"),
    profile(_ada, 1),
    account(_bob, 1),
    profile(_bob, 1, default_language="de"),
    Draft(_bob, "person2", "before anybody is gone"),
    profile(_ada, 2, "private"),
    profile(_ada, 3, "unlisted", default_sensitive=True),
    account(_ada, 2),
    profile(_bob, 2, "private", default_language="fr"),
    account(_bob, 2, deleted=True, state="disabled"),
    profile(_bob, 3, shown=False, deleted=True),
    profile(_cyd, 4, "direct"),
    account(_cyd, 7, state="suspended"),
    account(_cyd, 8),
)
"""Ada changes her mind; Bob writes, and his account is deleted; of Cyd little was heard."""


async def told(database: Database, order: Iterable[int]) -> list[list[tuple[Any, ...]]]:
    """What is known of authors, which words there are, and which deletions were announced twice; nothing of it stays."""
    async with database.sessions() as session:
        for place in order:
            match STORY[place]:
                case AccountState() as event:
                    while await projections.apply_account(session, event):
                        pass
                case ProfileState() as event:
                    await projections.apply_profile(session, event)
                case Draft() as draft:
                    with suppress(AuthorGone):
                        await publish_post(session, _SITE, draft)
        await session.flush()
        statements = (
            "SELECT account_id, profile_version, visibility, sensitive, language, erased FROM authors ORDER BY 1",
            "SELECT author_id, source FROM posts WHERE deleted_at IS NULL OR source <> '' OR html <> '' ORDER BY 1, 2",
            "SELECT key FROM outbox WHERE type = 'post.deleted' GROUP BY key HAVING count(*) > 1",
        )
        return [[tuple(row) for row in await session.execute(text(statement))] for statement in statements]


@pytest.fixture
async def in_order(database: Database) -> list[list[tuple[Any, ...]]]:
    return await told(database, range(len(STORY)))


async def test_who_is_gone_has_no_words(in_order: list[list[tuple[Any, ...]]]) -> None:
    authors, words, twice = in_order
    assert (words, twice, [erased for *_, erased in authors]) == ([], [], [False, True, False])


@in_any_order(len(STORY))
async def test_any_order_ends_in_the_same(database: Database, in_order: list[list[tuple[Any, ...]]], telling: Telling) -> None:
    assert await told(database, chain.from_iterable(telling)) == in_order
