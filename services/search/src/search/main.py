"""The HTTP process of `search`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.api import create_api
from common.settings import SharedSettings, load
from fastapi import FastAPI

from search.api import router
from search.index import Index, client
from search.settings import Settings


def create_app() -> FastAPI:
    """The ASGI application; reads its settings now. It serves without Elasticsearch, by saying so."""
    shared, settings = load(SharedSettings), load(Settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        elastic = client(settings.elasticsearch_url, _key(settings))
        app.state.index = Index(elastic, settings.replicas)
        yield
        await elastic.close()

    return create_api("search", shared, [router], lifespan=lifespan)


def _key(settings: Settings) -> str | None:
    return settings.elasticsearch_api_key.get_secret_value() if settings.elasticsearch_api_key else None
