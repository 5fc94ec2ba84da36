"""The event process of `translate`."""

from collections.abc import Sequence
from typing import Final

from common.db import Database
from common.events import PostState
from common.kafka import Consumers
from common.settings import SharedSettings, load
from common.worker import create_worker_app
from starlette.applications import Starlette

from translate import ahead
from translate.budget import Budget
from translate.commands import Translations
from translate.projections import apply_posts
from translate.providers import translator_of
from translate.settings import Settings

_EVERY: Final = 0.05
"""Seconds: shorter than it takes anybody to read a post and ask for its translation."""


def create_consumers(shared: SharedSettings, database: Database) -> Consumers:
    """Every subscriber of this service."""
    made = Consumers("translate", shared.kafka_servers, shared.replica, database)

    @made.on_many(PostState, every=_EVERY)
    async def posts_changed(events: Sequence[PostState]) -> None:
        async with database.transaction() as session:
            await apply_posts(session, events)

    return made


def create_worker() -> Starlette:
    """The ASGI application of the worker; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    database = Database(settings.database_url.get_secret_value(), pool_size=4)
    translator = translator_of(settings)
    return create_worker_app(
        "translate",
        shared,
        create_consumers(shared, database),
        database=database,
        loops=[
            ahead.worker(database, Translations(database, translator, settings.daily_budget)),
            Budget(database, settings.daily_budget).watch,
        ],
        close=translator.close,
    )
