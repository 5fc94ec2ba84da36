"""Telling every account's state again: for a broker that lost its data. Who knows it already changes nothing."""

from collections.abc import AsyncIterator

from common import outbox
from common.db import Database
from sqlalchemy import select

from auth.tables import AccountRow

_AT_ONCE = 500


async def republish(database: Database) -> AsyncIterator[int]:
    """Put all states into the outbox, 500 a transaction, and yield how many each was."""
    after = 0
    while True:
        async with database.transaction() as session:
            statement = (
                select(AccountRow).where(AccountRow.id > after).order_by(AccountRow.id).limit(_AT_ONCE).with_for_update(key_share=True)
            )
            rows = (await session.scalars(statement)).all()
            await outbox.add(session, *(row.as_event() for row in rows), happened="account.republished")
        if not rows:
            return
        yield len(rows)
        after = rows[-1].id
