"""Following hashtags: idempotent; the home feed has what belongs there at once."""

import re
from typing import Final

from common.errors import DomainError, NotFound
from common.markdown import HASHTAG
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.feeds.filling import add_tag, remove_tag

MOST_FOLLOWED: Final = 500

_LOCK = text("SELECT 1 FROM profiles WHERE account_id = :owner AND shown FOR UPDATE")
_FOLLOW = text("INSERT INTO followed_tags (account_id, name) VALUES (:owner, :name) ON CONFLICT DO NOTHING RETURNING id")
_COUNT = text("SELECT count(*) FROM followed_tags WHERE account_id = :owner")
_UNFOLLOW = text("DELETE FROM followed_tags WHERE account_id = :owner AND name = :name RETURNING id")


class TooManyTags(DomainError):
    """Validation failed: You have reached the maximum number of followed hashtags (500)"""

    code = "too_many_tags"


async def follow(session: AsyncSession, owner: int, name: str) -> None:
    """See public posts with a hashtag in one's home feed. Raises `NotFound` for what can be no hashtag, `TooManyTags`."""
    if re.fullmatch(HASHTAG, name) is None or await session.scalar(_LOCK, {"owner": owner}) is None:
        raise NotFound
    values = {"owner": owner, "name": name}
    if (await session.execute(_FOLLOW, values)).first() is None:
        return
    if (await session.scalar(_COUNT, values) or 0) > MOST_FOLLOWED:
        raise TooManyTags
    await add_tag(session, owner, name)


async def unfollow(session: AsyncSession, owner: int, name: str) -> None:
    """See them there no longer, but for those that are there for another reason. Raises `NotFound`."""
    if re.fullmatch(HASHTAG, name) is None or await session.scalar(_LOCK, {"owner": owner}) is None:
        raise NotFound
    if (await session.execute(_UNFOLLOW, {"owner": owner, "name": name})).first() is not None:
        await remove_tag(session, owner, name)
