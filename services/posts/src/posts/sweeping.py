"""Forgets what nobody needs any more: pictures that no post took, idempotency keys of yesterday, what deleted accounts left."""

import asyncio
from collections.abc import Awaitable, Callable

from common.db import Database
from common.media import MediaStore
from sqlalchemy import delete, func, select, text

from posts.projections import erase
from posts.tables import AuthorRow, IdempotencyRow, MediaRow, PostRow

_EVERY = 300.0
_AT_ONCE = 100


def sweeper(database: Database, store: MediaStore) -> Callable[[], Awaitable[None]]:
    """A loop for the worker; several at once don't disturb each other."""

    async def sweep_for_ever() -> None:
        while True:
            while await sweep_erased(database) or await sweep_media(database, store):
                pass
            await sweep_keys(database)
            await asyncio.sleep(_EVERY)

    return sweep_for_ever


async def sweep_media(database: Database, store: MediaStore) -> int:
    """Delete up to 100 pictures that were loose for a day, files first; return how many."""
    async with database.transaction() as session:
        old = select(MediaRow).where(MediaRow.post_id.is_(None), MediaRow.loose_since < func.now() - text("interval '1 day'"))
        rows = (await session.scalars(old.limit(_AT_ONCE).with_for_update(skip_locked=True))).all()
        for row in rows:
            await store.delete(row.file, row.preview_file)
            await session.delete(row)
    return len(rows)


async def sweep_keys(database: Database) -> None:
    """Forget idempotency keys after an hour, as the Mastodon API promises no more."""
    async with database.transaction() as session:
        await session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < func.now() - text("interval '1 hour'")))


async def sweep_erased(database: Database) -> bool:
    """Delete what was just being published when its author's account was erased, which saw nothing of it; True when there may be more."""
    kept = select(PostRow.id).where(PostRow.author_id == AuthorRow.account_id, PostRow.deleted_at.is_(None)).exists()
    async with database.transaction() as session:
        found = select(AuthorRow.account_id).where(AuthorRow.erased, kept).limit(1).with_for_update(skip_locked=True)
        account_id = await session.scalar(found)
        if account_id is not None:
            await erase(session, account_id)
    return account_id is not None
