"""Deletes avatars and headers that nobody shows any more: of those who changed them, and of those who left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from common.db import Database
from common.media import MediaStore
from sqlalchemy import text

_EVERY: Final = 60.0
_UNUSED = text("SELECT name FROM unused_pictures ORDER BY name LIMIT 100 FOR UPDATE SKIP LOCKED")
_GONE = text("DELETE FROM unused_pictures WHERE name = ANY(:names)")


def sweeper(database: Database, store: MediaStore) -> Callable[[], Awaitable[None]]:
    """A loop for the worker; several at once don't disturb each other."""

    async def sweep_for_ever() -> None:
        while True:
            while await sweep(database, store):
                pass
            await asyncio.sleep(_EVERY)

    return sweep_for_ever


async def sweep(database: Database, store: MediaStore) -> int:
    """Delete up to a hundred pictures, files first; return how many."""
    async with database.transaction() as session:
        names = list(await session.scalars(_UNUSED))
        await store.delete(*names)
        await session.execute(_GONE, {"names": names})
    return len(names)
