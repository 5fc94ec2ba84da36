"""The API of `translate` on a new database, with a provider that speaks the contract of Microsoft Translator."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import pytest
from common.db import Database
from common.events import MediaState, PostState
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from fakes.server import serving
from fakes.translator import FakeTranslator
from fastapi import FastAPI
from faststream.kafka import TestKafkaBroker
from sqlalchemy import text
from translate import ahead
from translate.main import create_app
from translate.projections import apply_posts
from translate.worker import create_consumers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """What was said, who reads it, and what the provider was asked."""

    database: Database
    identities: TestIdentities
    shared: SharedSettings
    provider: FakeTranslator
    address: str
    monkeypatch: pytest.MonkeyPatch
    stack: AsyncExitStack
    app: FastAPI = field(init=False)
    client: httpx.AsyncClient = field(init=False)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    async def serve(self, **settings: Any) -> "World":
        """Begin a process of the API; what it is told besides the usual stands in upper case, without the prefix."""
        usual = {"PROVIDER": "microsoft", "MICROSOFT_KEY": self.provider.key, "MICROSOFT_ENDPOINT": self.address}
        for name, value in {**usual, "DATABASE_URL": self.database.url, **settings}.items():
            self.monkeypatch.setenv(f"TRANSLATE_{name}", str(value))
        self.app = create_app()
        await self.stack.enter_async_context(self.app.router.lifespan_context(self.app))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = await self.stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://translate"))
        return self

    async def post(self, html: str = "<p>hello</p>", *, post_id: int | None = None, **more: Any) -> PostState:
        """Somebody says something in English, and this service has heard of it."""
        state = PostState(
            **{
                "post_id": post_id or next(self._ids),
                "version": 1,
                "author_id": 1,
                "created_at": NOW,
                "html": html,
                "language": "en",
                **more,
            }
        )
        await self.apply(state)
        return state

    async def edit(self, post: PostState, **more: Any) -> PostState:
        """The next version of a post."""
        edited = post.model_copy(update={"version": post.version + 1, **more})
        await self.apply(edited)
        return edited

    async def delete(self, post: PostState) -> None:
        await self.edit(post, deleted=True, html="", spoiler="", media=[], language=None)

    async def apply(self, *posts: PostState) -> list[bool]:
        """Apply states, each in a transaction of its own; whether each was new."""
        applied = []
        for post in posts:
            async with self.database.transaction() as session:
                applied.append(bool(await apply_posts(session, [post])))
        return applied

    async def consume(self, *posts: PostState) -> None:
        """The same through Kafka's consumers."""
        async with TestKafkaBroker(create_consumers(self.shared, self.database).broker) as broker:
            for post in posts:
                await broker.publish(post.model_dump_json().encode(), post.topic, headers={"ce_dataschema": post.data_schema()})

    async def ask(
        self, post: PostState | int, lang: str | None = "de", *, version: int | None = None, reader: dict[str, Any] | None = None
    ) -> httpx.Response:
        """A reader wants a post in a language; `reader` says what is special about them."""
        post_id = post if isinstance(post, int) else post.post_id
        headers = self.identities.headers("translate", **{"account_id": 9, "name": "reader", **(reader or {})})
        headers |= {"x-microblog-version": str(version)} if version is not None else {}
        body = {} if lang is None else {"lang": lang}
        return await self.client.post(f"/api/v1/statuses/{post_id}/translate", json=body, headers=headers)

    async def read(self, post: PostState | int, lang: str | None = "de", **more: Any) -> Any:
        """The translation, which must be a good one."""
        answer = await self.ask(post, lang, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def translate_ahead(self) -> None:
        """Do all that is planned, as the worker would."""
        while await ahead.one_job(self.database, self.app.state.translations):
            pass

    async def value(self, statement: str, **parameters: Any) -> Any:
        """One value from the database, or a change to it."""
        async with self.database.transaction() as session:
            result = await session.execute(text(statement), parameters)
            return result.scalar() if result.returns_rows else None

    @staticmethod
    def picture(media_id: int, description: str) -> MediaState:
        return MediaState(
            media_id=media_id, url="x", preview_url="x", description=description, width=1, height=1, preview_width=1, preview_height=1
        )

    async def kept(self) -> list[tuple[str, str]]:
        """Target and words of every kept translation."""
        async with self.database.sessions() as session:
            rows = await session.execute(text("SELECT target, translated FROM translations ORDER BY 1, 2"))
            return [(row.target, row.translated) for row in rows]


@pytest.fixture
async def stranger(
    database: Database, identities: TestIdentities, shared_settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """A world in which no API process runs yet."""
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", identities.jwks)
    provider = FakeTranslator()
    with serving(provider.app()) as address:
        async with AsyncExitStack() as stack:
            yield World(database, identities, shared_settings, provider, address, monkeypatch, stack)


@pytest.fixture
async def world(stranger: World) -> World:
    return await stranger.serve()
