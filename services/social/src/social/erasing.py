"""Keeps apart who changes or deletes a post and who erases an account.

Both take away what people did with posts, the one by post, the other by person, so that no order of rows suits both: each could hold what
the other waits for. Changes of posts don't wait for each other.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK: Final = 0x6572617365
_ALONE: Final = text("SELECT pg_advisory_xact_lock(:lock)")
_BESIDE_OTHERS: Final = text("SELECT pg_advisory_xact_lock_shared(:lock)")


async def erase_alone(session: AsyncSession) -> None:
    """Wait for all changes of posts under way; until this transaction ends the next ones wait. Comes before any row is locked."""
    await session.execute(_ALONE, {"lock": _LOCK})


async def keep_erasers_out(session: AsyncSession) -> None:
    """Wait for an account that is being erased; until this transaction ends no other is. Comes before any row is locked."""
    await session.execute(_BESIDE_OTHERS, {"lock": _LOCK})
