"""What `notify` hears: notices from `social`, mail requests and people from `auth`, deleted posts from `posts`."""

from collections.abc import Sequence
from typing import Final

from common.db import Database
from common.events import AccountState, NoticeTrigger, PostState, SecurityEvent
from common.kafka import Consumers
from sqlalchemy.ext.asyncio import AsyncSession

from notify import projections

_EVERY: Final = 0.2
"""Seconds: nobody sees the notifications of a deleted post meanwhile, as `social` doesn't show it any more."""


def register(consumers: Consumers, database: Database) -> None:
    """Subscribe this worker's consumers."""

    @consumers.on(NoticeTrigger)
    async def noticed(event: NoticeTrigger, session: AsyncSession) -> None:
        await projections.apply_notice(session, event)

    @consumers.on(SecurityEvent)
    async def secured(event: SecurityEvent, session: AsyncSession) -> None:
        await projections.apply_security(session, event)

    @consumers.on(AccountState)
    async def account_changed(event: AccountState, session: AsyncSession) -> None:
        await projections.apply_account(session, event)

    @consumers.on_many(PostState, every=_EVERY)
    async def posts_changed(events: Sequence[PostState]) -> None:
        deleted = [event.post_id for event in events if event.deleted]
        if deleted:
            async with database.transaction() as session:
                await projections.forget_posts(session, deleted)
