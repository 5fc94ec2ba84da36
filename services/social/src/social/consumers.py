"""What `social` hears: accounts from `auth`, posts from `posts`; the same functions apply what the gateway carries ahead."""

from collections.abc import Sequence
from typing import Final

from common.db import Database
from common.events import AccountState, PostState
from common.kafka import Consumers, alone
from sqlalchemy.ext.asyncio import AsyncSession

from social.posts.projections import apply_post, unknown
from social.profiles.commands import apply_account

_EVERY: Final = 0.05
"""Seconds: nearly all that comes was carried ahead already."""


def register(consumers: Consumers, database: Database, public_url: str) -> None:
    """Subscribe this worker's consumers."""

    @consumers.on(AccountState)
    async def account_changed(event: AccountState, session: AsyncSession) -> None:
        await apply_account(session, event, public_url)

    @consumers.on_many(PostState, every=_EVERY)
    async def posts_changed(events: Sequence[PostState]) -> None:
        async with database.reading() as connection:
            new = await unknown(connection, events)
        for event in new:  # each by itself: two transactions with several posts could wait for each other
            with alone(event):
                async with database.transaction() as session:
                    await apply_post(session, event, public_url)
