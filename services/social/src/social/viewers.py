"""The version of what a viewer set up for what they see, filters and muted threads: renewed by every change, none for who has set up nothing.

Versions are ids, so that no version is ever used twice and what processes keep by an earlier one is never taken for the newest.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_RENEW: Final = text("""
    INSERT INTO viewers (account_id, version) VALUES (:account, microblog_id())
    ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version
""")
_FORGET: Final = text("""
    DELETE FROM viewers WHERE account_id = :account
      AND NOT EXISTS (SELECT FROM filters WHERE account_id = :account) AND NOT EXISTS (SELECT FROM muted_threads WHERE account_id = :account)
""")


async def renew(session: AsyncSession, account_id: int) -> None:
    """Renew the version; comes before the change itself, since it has one change of a viewer wait for the other."""
    await session.execute(_RENEW, {"account": account_id})


async def forget_if_empty(session: AsyncSession, account_id: int) -> None:
    """Take the version away where nothing is set up any more."""
    await session.execute(_FORGET, {"account": account_id})
