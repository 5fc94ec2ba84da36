"""The HTTP process of `posts`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.api import create_api
from common.db import Database
from common.media import MediaStore, media_router
from common.settings import SharedSettings, load
from fastapi import FastAPI

from posts import language
from posts.api import instance, media, statuses
from posts.settings import Settings
from posts.states import MEDIA_PATH


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now."""
    shared, settings = load(SharedSettings), load(Settings)
    app = create_api(
        "posts",
        shared,
        [statuses.router, media.router, instance.router, media_router(MEDIA_PATH)],
        database=Database(settings.database_url.get_secret_value(), settings.pool_size),
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.media = MediaStore(settings.media_url)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await asyncio.to_thread(language.load)
    yield
