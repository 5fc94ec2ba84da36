"""Translating new posts into the languages that their author's readers asked for lately, before anybody asks."""

import logging
from collections.abc import Awaitable, Callable

from common.db import Database
from common.errors import DomainError
from psycopg import AsyncConnection
from sqlalchemy import text

from translate.commands import Translations

log = logging.getLogger(__name__)

_PATIENCE = 30.0
_TAKE = text("""
    DELETE FROM jobs WHERE (post_id, target) IN (SELECT post_id, target FROM jobs ORDER BY added_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING post_id, target
""")


def worker(database: Database, translations: Translations) -> Callable[[], Awaitable[None]]:
    """A loop for the worker, woken by what is planned."""

    async def translate_for_ever() -> None:
        async with await AsyncConnection.connect(database.url, autocommit=True, connect_timeout=3) as connection:
            await connection.execute("LISTEN jobs")
            while True:
                while await one_job(database, translations):
                    pass
                async for _ in connection.notifies(timeout=_PATIENCE, stop_after=1):
                    pass

    return translate_for_ever


async def one_job(database: Database, translations: Translations) -> bool:
    """Do the oldest job; False when there is none. One that fails is dropped: whoever wants the translation will ask."""
    async with database.transaction() as session:
        job = (await session.execute(_TAKE)).first()
    if job is None:
        return False
    try:
        await translations.translate(job.post_id, None, job.target, ahead=True)
    except DomainError as error:
        log.info("not translated ahead", extra={"post_id": job.post_id, "reason": error.code})
    return True
