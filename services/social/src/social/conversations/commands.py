"""What somebody decides about a conversation of theirs."""

from typing import Final

from common.errors import NotFound
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

_CHANGE: Final = """
    UPDATE conversations SET {change} WHERE id = :conversation AND account_id = :caller AND last_post_id > hidden_id RETURNING id
"""
_READ = text(_CHANGE.format(change="read_id = last_post_id, marked_id = 0"))
_UNREAD = text(_CHANGE.format(change="marked_id = last_post_id"))
_HIDE = text(_CHANGE.format(change="hidden_id = last_post_id"))


async def read(session: AsyncSession, caller: int, conversation: int) -> None:
    """Count a conversation as read, as far as it goes now. Raises `NotFound`."""
    await _change(session, _READ, caller, conversation)


async def unread(session: AsyncSession, caller: int, conversation: int) -> None:
    """Count it as unread until something new is said. Raises `NotFound`."""
    await _change(session, _UNREAD, caller, conversation)


async def remove(session: AsyncSession, caller: int, conversation: int) -> None:
    """Take it from the list until something new is said; the posts stay. Raises `NotFound`."""
    await _change(session, _HIDE, caller, conversation)


async def _change(session: AsyncSession, statement: TextClause, caller: int, conversation: int) -> None:
    if await session.scalar(statement, {"conversation": conversation, "caller": caller}) is None:
        raise NotFound
