"""What is told to those who look on just now; whoever comes later reads what it led to."""

from common import outbox
from common.events import FeedMoment
from sqlalchemy.ext.asyncio import AsyncSession


async def boosted(session: AsyncSession, account_id: int, boost_id: int, post_id: int, visibility: str) -> None:
    await _tell(session, FeedMoment(kind="boosted", account_id=account_id, boost_id=boost_id, post_id=post_id, visibility=visibility))


async def unboosted(session: AsyncSession, account_id: int, boost_id: int, post_id: int) -> None:
    await _tell(session, FeedMoment(kind="unboosted", account_id=account_id, boost_id=boost_id, post_id=post_id))


async def filters_changed(session: AsyncSession, account_id: int) -> None:
    await _tell(session, FeedMoment(kind="filters_changed", account_id=account_id))


async def _tell(session: AsyncSession, moment: FeedMoment) -> None:
    await outbox.add(session, moment, happened=f"feed.{moment.kind}")
