"""What keeps feeds cheap: nobody's are written who doesn't read, large audiences aren't written to, and no feed grows for ever.

People who didn't read for some days have their feed cleared; `feeds.returning` fills it when they come back. Whoever has more followers
than a threshold isn't put into feeds any more: their posts are merged in when a feed is read (`feeds.queries`). Below the newest 800
entries nobody scrolls, and the authors' own pages have it all.
"""

import asyncio
from typing import Final

from common.db import Database
from sqlalchemy import text

KEPT: Final = 800
_EVERY: Final = 60.0
_SLICE: Final = 200
"""Feeds that are looked at in a round: a hundred thousand within some hours, for a few milliseconds of work a minute."""
_PROMOTE_EVERY: Final = 10

# From then on; what was put into feeds before stays there. Nobody is demoted: what was merged in would vanish from feeds.
_PROMOTE = text("""
    INSERT INTO pulled_authors (author_id) SELECT account_id FROM profile_counts WHERE followers > :above ON CONFLICT DO NOTHING
""")
_REST = text("""
    WITH away AS MATERIALIZED (
        SELECT owner_id FROM feeds WHERE active AND read_at < now() - make_interval(days => :days)
        ORDER BY read_at LIMIT :slice FOR UPDATE SKIP LOCKED
    ), resting AS (
        UPDATE feeds f SET active = false, filled = false FROM away WHERE f.owner_id = away.owner_id RETURNING f.owner_id
    ), cleared AS (
        DELETE FROM feed_entries e USING resting r WHERE e.owner_id = r.owner_id
    )
    SELECT count(*) FROM resting
""")
_NEXT = text("SELECT max(owner_id) FROM (SELECT owner_id FROM feeds WHERE owner_id > :after ORDER BY owner_id LIMIT :slice) f")
_TRIM = text("""
    DELETE FROM feed_entries e USING (
        SELECT f.owner_id, k.entry_id AS oldest FROM feeds f CROSS JOIN LATERAL (
            SELECT entry_id FROM feed_entries WHERE owner_id = f.owner_id ORDER BY entry_id DESC OFFSET :kept * 5 / 4 LIMIT 1
        ) longer CROSS JOIN LATERAL (
            SELECT entry_id FROM feed_entries WHERE owner_id = f.owner_id ORDER BY entry_id DESC OFFSET :kept - 1 LIMIT 1
        ) k WHERE f.active AND f.owner_id > :after AND f.owner_id <= :until
    ) long WHERE e.owner_id = long.owner_id AND e.entry_id < long.oldest
""")


class Upkeep:
    """A loop for the worker; several at once do no harm."""

    def __init__(self, database: Database, *, active_days: int, pull_above: int) -> None:
        self._database = database
        self._active_days = active_days
        self._pull_above = pull_above
        self._after = 0

    async def run(self) -> None:
        rounds = 0
        while True:
            if rounds % _PROMOTE_EVERY == 0:
                await self.promote()
            await self.rest()
            await self.trim()
            rounds += 1
            await asyncio.sleep(_EVERY)

    async def promote(self) -> None:
        """Have the posts of whoever is followed by many merged in when feeds are read."""
        async with self._database.transaction() as session:
            await session.execute(_PROMOTE, {"above": self._pull_above})

    async def rest(self) -> int:
        """Clear feeds that nobody read lately, and write to them no more; return how many."""
        async with self._database.transaction() as session:
            return int(await session.scalar(_REST, {"days": self._active_days, "slice": _SLICE}) or 0)

    async def trim(self, kept: int = KEPT) -> int:
        """Cut those of the next feeds back that are a quarter too long; return how many entries went."""
        async with self._database.transaction() as session:
            until = await session.scalar(_NEXT, {"after": self._after, "slice": _SLICE})
            if until is None:
                self._after = 0
                return 0
            cut = await session.execute(_TRIM, {"kept": kept, "after": self._after, "until": until})
        self._after = int(until)
        return int(cut.rowcount)  # type: ignore[attr-defined]
