"""The event process of `auth`: its relay, and a sweeper."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from common.db import Database
from common.kafka import Consumers
from common.relay import Relay
from common.settings import SharedSettings, load
from common.times import now
from common.worker import create_worker_app
from sqlalchemy import delete
from starlette.applications import Starlette

from auth.settings import Settings
from auth.tables import GrantRow, RequestRow, TokenRow
from auth.throttles import Throttles

_EVERY = 600.0


def create_consumers(shared: SharedSettings, database: Database) -> Consumers:
    """`auth` listens to nobody."""
    return Consumers("auth", shared.kafka_servers, shared.replica, database)


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=2)
    return create_worker_app(
        "auth",
        shared,
        create_consumers(shared, database),
        database=database,
        relay=Relay(url, shared.kafka_servers, "auth"),
        loops=[sweeper(database)],
    )


def sweeper(database: Database) -> Callable[[], Awaitable[None]]:
    """Forgets what is over: expired sessions, old codes, links and counters."""

    async def sweep_for_ever() -> None:
        while True:
            await sweep(database)
            await asyncio.sleep(_EVERY)

    return sweep_for_ever


async def sweep(database: Database) -> None:
    """One round."""
    await Throttles(database, enabled=True).forget_old()
    week_ago = now() - timedelta(days=7)
    async with database.transaction() as session:
        await session.execute(delete(TokenRow).where(TokenRow.expires_at < week_ago))
        await session.execute(delete(TokenRow).where(TokenRow.revoked_at < week_ago))
        await session.execute(delete(RequestRow).where(RequestRow.expires_at < week_ago))
        unused = ~GrantRow.id.in_(TokenRow.__table__.select().with_only_columns(TokenRow.grant_id).where(TokenRow.grant_id.is_not(None)))
        await session.execute(delete(GrantRow).where(GrantRow.created_at < week_ago, unused))
