"""Featuring hashtags: idempotent, at most ten."""

from typing import Final

from common.errors import NotFound
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.featured_tags import domain

_LOCK: Final = 0x746167

_ONE_AFTER_THE_OTHER = text("SELECT pg_advisory_xact_lock(:lock, hashint8(:account))")
_FEATURED = text("SELECT name, id FROM featured_tags WHERE account_id = :account")
_ADD = text("INSERT INTO featured_tags (account_id, name, display) VALUES (:account, :name, :display) RETURNING id")
_REMOVE_NAME = text("DELETE FROM featured_tags WHERE name = :name AND account_id = :account")
_REMOVE = text("DELETE FROM featured_tags WHERE id = :id AND account_id = :account RETURNING id")


async def feature(session: AsyncSession, account_id: int, given: str) -> int:
    """Show a hashtag on one's profile; return the id under which it stands there. Raises `BadTag`, `TooManyFeatured`."""
    display = domain.check_tag(given)
    await session.execute(_ONE_AFTER_THE_OTHER, {"lock": _LOCK, "account": account_id})
    featured = {row.name: row.id for row in await session.execute(_FEATURED, {"account": account_id})}
    if display.lower() in featured:
        return int(featured[display.lower()])
    if len(featured) >= domain.MOST:
        raise domain.TooManyFeatured
    added = await session.scalar(_ADD, {"account": account_id, "name": display.lower(), "display": display})
    return int(added or 0)


async def unfeature(session: AsyncSession, account_id: int, featured_id: int) -> None:
    """Show it no longer; raises `NotFound` for anybody else's."""
    if await session.scalar(_REMOVE, {"id": featured_id, "account": account_id}) is None:
        raise NotFound


async def unfeature_name(session: AsyncSession, account_id: int, name: str) -> None:
    """The same by the hashtag's name in lower case, featured or not."""
    await session.execute(_REMOVE_NAME, {"name": name, "account": account_id})
