"""Telling every post's state again: for a broker that lost its data. Who knows it already changes nothing."""

from collections import defaultdict
from collections.abc import AsyncIterator

from common import outbox
from common.db import Database
from sqlalchemy import select

from posts.states import post_state
from posts.tables import MediaRow, PostRow

_AT_ONCE = 500


async def republish(database: Database, public_url: str) -> AsyncIterator[int]:
    """Put all states into the outbox, 500 a transaction, and yield how many each was."""
    after = 0
    while True:
        async with database.transaction() as session:
            statement = select(PostRow).where(PostRow.id > after).order_by(PostRow.id).limit(_AT_ONCE).with_for_update(key_share=True)
            rows = (await session.scalars(statement)).all()
            pictures: dict[int | None, list[MediaRow]] = defaultdict(list)
            of_these = select(MediaRow).where(MediaRow.post_id.in_([row.id for row in rows])).order_by(MediaRow.position)
            for picture in await session.scalars(of_these):
                pictures[picture.post_id].append(picture)
            states = [post_state(row, pictures[row.id], public_url) for row in rows]
            await outbox.add(session, *states, happened="post.republished")
        if not rows:
            return
        yield len(rows)
        after = rows[-1].id
