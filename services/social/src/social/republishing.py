"""Telling every profile's state again: for a broker that lost its data. Who knows it already changes nothing."""

from collections.abc import AsyncIterator
from typing import Final

from common import outbox
from common.db import Database
from sqlalchemy import text

from social.profiles.commands import profile_state

_AT_ONCE: Final = 500
_PAGE: Final = text("""
    SELECT p.*, coalesce(c.followers, 0) AS followers
    FROM profiles p LEFT JOIN profile_counts c ON c.account_id = p.account_id
    WHERE p.account_id > :after ORDER BY p.account_id LIMIT :limit FOR NO KEY UPDATE OF p
""")


async def republish(database: Database) -> AsyncIterator[int]:
    """Put all states into the outbox, 500 a transaction, and yield how many each was."""
    after = 0
    while True:
        async with database.transaction() as session:
            rows = (await session.execute(_PAGE, {"after": after, "limit": _AT_ONCE})).all()
            # An erased profile keeps nothing but its id: that is what its name says.
            states = [profile_state(row, row.followers, deleted=row.username == f"deleted_{row.account_id}") for row in rows]
            await outbox.add(session, *states, happened="profile.republished")
        if not rows:
            return
        yield len(rows)
        after = rows[-1].account_id
