"""The HTTP process of `translate`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.api import create_api
from common.db import Database
from common.settings import SharedSettings, load
from fastapi import FastAPI

from translate.api import router
from translate.commands import Translations
from translate.providers import translator_of
from translate.settings import Settings


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    database = Database(settings.database_url.get_secret_value(), settings.pool_size)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.translator = translator_of(settings)
        app.state.translations = Translations(database, app.state.translator, settings.daily_budget)
        yield
        await app.state.translator.close()

    return create_api("translate", shared, [router], database=database, lifespan=lifespan)
