"""Telling authors and voters that a poll has ended: each once, however many workers do it and however often they are restarted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from common.db import Database
from sqlalchemy import text

from social import notices

CHUNK: Final = 200
_EVERY: Final = 10.0
"""Seconds between looks; polls last for five minutes at least, so nearly all of them end while the loop sleeps until just then."""

_CLAIM = text("""
    SELECT post_id, author_id, revision, expires_at, told_up_to FROM polls WHERE NOT told AND expires_at <= clock_timestamp()
    ORDER BY expires_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""")
_VOTERS = text("""
    SELECT account_id FROM poll_votes WHERE post_id = :post AND revision = :revision AND account_id > :after ORDER BY account_id LIMIT :chunk
""")
_MOVE = text("UPDATE polls SET told_up_to = :up_to, told = :told WHERE post_id = :post")
_NEXT = text("SELECT CAST(extract(epoch FROM min(expires_at) - clock_timestamp()) AS float) FROM polls WHERE NOT told")


def worker(database: Database) -> Callable[[], Awaitable[None]]:
    """A loop that tells of polls as they end."""

    async def tell_for_ever() -> None:
        while True:
            while await tell_some(database):
                pass
            async with database.transaction() as session:
                pause = await session.scalar(_NEXT)
            await asyncio.sleep(_EVERY if pause is None else max(0.05, min(pause, _EVERY)))

    return tell_for_ever


async def tell_some(database: Database) -> bool:
    """Tell up to 200 voters of the poll that ended first, and its author before them; False when everybody knows."""
    async with database.transaction() as session:
        poll = (await session.execute(_CLAIM)).first()
        if poll is None:
            return False
        asked = {"post": poll.post_id, "revision": poll.revision, "after": poll.told_up_to, "chunk": CHUNK}
        voters = list(await session.scalars(_VOTERS, asked))
        told = voters if poll.told_up_to else [poll.author_id, *voters]
        # The deadline makes the end of a poll that is opened once more another one, and the same end never told as news again.
        occasion = f"{poll.expires_at.timestamp():.0f}"
        await notices.give_all(session, "poll", told, poll.author_id, poll.post_id, occasion=occasion, happened_at=poll.expires_at)
        up_to = voters[-1] if voters else poll.told_up_to
        await session.execute(_MOVE, {"post": poll.post_id, "up_to": up_to, "told": len(voters) < CHUNK})
    return True
