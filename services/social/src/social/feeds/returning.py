"""Who reads their feed, and filling it for those who come back after it was cleared."""

import asyncio
import time
from typing import Final

from common.db import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.feeds.filling import fill

_ONCE_IN: Final = 3600.0
_MOST_KNOWN: Final = 50_000
_PATIENCE: Final = 2.0

_OPEN = text("INSERT INTO feeds (owner_id) VALUES (:owner) ON CONFLICT DO NOTHING")
_READ = text("UPDATE feeds SET read_at = now() WHERE owner_id = :owner AND active AND filled RETURNING owner_id")
_RETURN = text("""
    INSERT INTO feeds (owner_id, filled) VALUES (:owner, false) ON CONFLICT (owner_id) DO UPDATE SET active = true, read_at = now()
    RETURNING CAST(CAST(pg_current_xact_id() AS text) AS bigint)
""")
_EARLIER_ENDED = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) > :mine")
_FILLED = text("UPDATE feeds SET filled = true WHERE owner_id = :owner")


class Readers:
    """Remembers when people read their feed, to the hour, and fills the feeds of those who were away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, float] = {}

    async def reads(self, owner: int) -> None:
        """Note that somebody reads their feed; if it was cleared, return when it is filled again."""
        now = time.monotonic()
        if now - self._known.get(owner, -_ONCE_IN) < _ONCE_IN:
            return
        async with self._database.transaction() as session:
            kept_up = await session.scalar(_READ, {"owner": owner}) is not None
        if kept_up or await self._return(owner):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[owner] = now

    async def _return(self, owner: int) -> bool:
        """Have fan-outs write to the feed from now on, then fill it; True when nothing can be missing from it.

        A fan-out that began before may not have known, and its post not have been committed when the feed was filled: those are waited for.
        """
        async with self._database.transaction() as session:
            mine = await session.scalar(_RETURN, {"owner": owner})
        whole, deadline = False, time.monotonic() + _PATIENCE
        while not whole and time.monotonic() < deadline:
            async with self._database.transaction() as session:
                whole = bool(await session.scalar(_EARLIER_ENDED, {"mine": mine}))
            if not whole:
                await asyncio.sleep(0.02)
        async with self._database.transaction() as session:
            await fill(session, owner)
            if whole:
                await session.execute(_FILLED, {"owner": owner})
        return whole


async def open_feed(session: AsyncSession, owner: int) -> None:
    """Have fan-outs write to the feed of somebody new."""
    await session.execute(_OPEN, {"owner": owner})
