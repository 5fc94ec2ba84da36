"""Translating new posts into the languages that their author's readers asked for lately, before anybody asks."""

import logging
from collections.abc import Awaitable, Callable

from common.db import Database
from common.errors import DomainError
from psycopg import AsyncConnection
from sqlalchemy import text

from translate.commands import Translations
from translate.domain import BudgetSpent, ProviderFailed

log = logging.getLogger(__name__)

_PATIENCE = 30.0
# A plan may run `IN (SELECT … LIMIT 1 FOR UPDATE)` once for each row, and take them all: a materialized part runs once.
_TAKE = text("""
    WITH oldest AS MATERIALIZED (
        SELECT post_id, target FROM jobs WHERE not_before <= now() ORDER BY added_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs j SET not_before = now() + interval '1 minute' FROM oldest o WHERE j.post_id = o.post_id AND j.target = o.target
    RETURNING j.post_id, j.target, j.added_at
""")
"""A minute is longer than any call takes: whoever took it and hasn't done it by then has ended."""
# What was planned anew meanwhile, by an edit, is another job.
_DONE = text("DELETE FROM jobs WHERE post_id = :post_id AND target = :target AND added_at = :added_at")
_TOO_OLD = text("DELETE FROM jobs WHERE post_id = :post_id AND target = :target AND added_at < now() - interval '1 day'")


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
    """Do the oldest job that is due; False when there is none, or the provider fails: then it is tried again in a minute, for a day.

    What can't be translated, or is beyond the budget, is dropped: whoever wants it will ask.
    """
    async with database.transaction() as session:
        job = (await session.execute(_TAKE)).first()
    if job is None:
        return False
    failed = False
    try:
        await translations.translate(job.post_id, None, job.target, ahead=True)
    except DomainError as error:
        failed = isinstance(error, ProviderFailed) and not isinstance(error, BudgetSpent)
        log.info("not translated ahead", extra={"post_id": job.post_id, "reason": error.code})
    async with database.transaction() as session:
        await session.execute(_TOO_OLD if failed else _DONE, job._asdict())
    return not failed
