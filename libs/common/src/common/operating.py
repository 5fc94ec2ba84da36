"""What the operator's commands of the services share: one change in one transaction, and one line when it can't be done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from common.db import AWAY, Database
from common.errors import DomainError
from common.settings import DatabaseSettings

T = TypeVar("T")


def carry_out(settings: DatabaseSettings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do it in a transaction of its own, or end the command with the reason."""

    async def whole() -> T:
        database = Database(settings.database_url.get_secret_value(), pool_size=1)
        try:
            async with database.transaction() as session:
                return await work(session)
        finally:
            await database.close()

    try:
        return asyncio.run(whole())
    except DomainError as error:
        raise SystemExit(str(error)) from None
    except AWAY as error:
        raise SystemExit(f"the database can't be reached: {type(error).__name__}") from None
