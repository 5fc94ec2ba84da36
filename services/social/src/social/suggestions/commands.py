"""Dismissing suggestions."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_DISMISS = text("""
    INSERT INTO dismissed_suggestions (account_id, dismissed_id) SELECT :account, account_id FROM profiles WHERE account_id = :dismissed
    ON CONFLICT DO NOTHING
""")


async def dismiss(session: AsyncSession, account_id: int, dismissed: int) -> None:
    """Never suggest somebody again, whether they were suggested or not."""
    await session.execute(_DISMISS, {"account": account_id, "dismissed": dismissed})
