"""Granting what was asked of a profile while it was locked, once it is locked no more: the first requests at once, many in the worker."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from common.db import Database
from common.errors import NotFound
from sqlalchemy import text

from social.graph.commands import grant_request

AT_ONCE: Final = 40
_EVERY: Final = 5.0

_WAITING = text("""
    SELECT r.id, r.follower_id FROM follow_requests r JOIN unlocked_profiles u ON u.account_id = r.followed_id
    WHERE r.followed_id = :account AND r.id > :after ORDER BY r.id LIMIT :limit
""")
_NEXT = text("SELECT account_id FROM unlocked_profiles LIMIT 1")
_DONE = text("DELETE FROM unlocked_profiles WHERE account_id = :account")


async def grant(database: Database, account_id: int, after: int = 0) -> int | None:
    """Grant the oldest requests behind `after`, each in a transaction of its own; return where to go on, None when that was all.

    A request whose maker is hidden for now stays, for its owner to answer.
    """
    async with database.transaction() as session:
        waiting = (await session.execute(_WAITING, {"account": account_id, "after": after, "limit": AT_ONCE})).all()
    for request in waiting:
        try:
            async with database.transaction() as session:
                await grant_request(session, account_id, request.follower_id)
        except NotFound:
            continue
    if len(waiting) == AT_ONCE:
        return int(waiting[-1].id)
    async with database.transaction() as session:
        await session.execute(_DONE, {"account": account_id})
    return None


def worker(database: Database) -> Callable[[], Awaitable[None]]:
    """A loop that grants what is left of many requests; several at once do no harm."""

    async def grant_for_ever() -> None:
        while True:
            await grant_rest(database)
            await asyncio.sleep(_EVERY)

    return grant_for_ever


async def grant_rest(database: Database) -> None:
    """Grant all requests of all profiles that were unlocked."""
    while True:
        async with database.transaction() as session:
            account_id = await session.scalar(_NEXT)
        if account_id is None:
            return
        after: int | None = 0
        while after is not None:
            after = await grant(database, account_id, after)
