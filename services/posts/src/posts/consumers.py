"""What `posts` hears: posting defaults from `social`, deleted accounts from `auth`."""

from common.db import Database
from common.events import AccountState, ProfileState
from common.kafka import Consumers
from sqlalchemy.ext.asyncio import AsyncSession

from posts import projections


def register(consumers: Consumers, database: Database) -> None:
    """Subscribe this worker's consumers."""

    @consumers.on(ProfileState)
    async def profile_changed(event: ProfileState, session: AsyncSession) -> None:
        await projections.apply_profile(session, event)

    @consumers.on(AccountState)
    async def account_changed(event: AccountState, session: AsyncSession) -> None:
        more = await projections.apply_account(session, event)
        while more:
            async with database.transaction() as another:
                more = await projections.apply_account(another, event)
