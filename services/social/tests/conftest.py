"""The API of `social` on a new database, and a small community in it, made of the events that other services would send."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from common.db import Database
from common.events import AccountState, Event, PostState
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from fastapi import FastAPI
from faststream.kafka import TestKafkaBroker
from social.main import create_app
from social.posts.projections import apply_post
from social.profiles.commands import apply_account
from social.worker import create_consumers
from sqlalchemy import text

URL = "https://microblog.example"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """Who is there and what they do. People and posts are known by their ids; viewer 0 is nobody."""

    client: httpx.AsyncClient
    database: Database
    identities: TestIdentities
    shared: SharedSettings
    names: dict[int, str] = field(default_factory=dict)

    async def person(self, name: str, **more: Any) -> int:
        """Somebody new."""
        account_id = len(self.names) + 1
        self.names[account_id] = name
        await self.account(account_id, **more)
        return account_id

    async def people(self, *names: str) -> list[int]:
        return [await self.person(name) for name in names]

    async def account(self, account_id: int, version: int = 1, **more: Any) -> None:
        """What `auth` says of somebody now."""
        async with self.database.transaction() as session:
            await apply_account(session, self.account_state(account_id, version, **more), URL)

    def account_state(self, account_id: int, version: int = 1, **more: Any) -> AccountState:
        return AccountState(**{"account_id": account_id, "version": version, "username": self.names[account_id], "created_at": NOW, **more})

    async def post(self, author: int, **more: Any) -> PostState:
        """Somebody says something, and everybody has heard of it."""
        state = await self.said(author, **more)
        await self.apply(state)
        return state

    async def said(self, author: int, **more: Any) -> PostState:
        """Somebody said something, and nobody has heard of it yet."""
        post_id = more.pop("post_id", None) or await self.run("SELECT microblog_id()")
        html = "<p>hello</p>"
        fields = {
            "version": 1,
            "author_username": self.names.get(author, ""),
            "created_at": datetime.now(UTC),
            "html": html,
            "plain": "hello",
            "conversation_id": None if "reply_to_id" in more else post_id,
        }
        return PostState(**{"post_id": post_id, "author_id": author, **fields, **more})

    async def answer(self, author: int, parent: PostState, **more: Any) -> PostState:
        """Somebody answers a post."""
        thread = {"reply_to_id": parent.post_id, "reply_to_account_id": parent.author_id}
        return await self.post(author, **thread, **{"conversation_id": parent.conversation_id or parent.post_id, **more})

    @staticmethod
    def gone(post: PostState, version: int | None = None) -> PostState:
        """The post, deleted."""
        kept = {
            name: getattr(post, name)
            for name in ("post_id", "author_id", "created_at", "visibility", "reply_to_id", "reply_to_account_id", "conversation_id")
        }
        return PostState(version=version or post.version + 1, deleted=True, **kept)

    async def apply(self, *posts: PostState) -> list[bool]:
        """Apply states, each in a transaction of its own; whether each was new."""
        applied = []
        for post in posts:
            async with self.database.transaction() as session:
                applied.append(await apply_post(session, post, URL))
        return applied

    async def consume(self, *events: Event) -> None:
        """The same through Kafka's consumers."""
        consumers = create_consumers(self.shared, self.database)
        async with TestKafkaBroker(consumers.broker) as broker:
            for event in events:
                await broker.publish(event.model_dump_json().encode(), event.topic, headers={"ce_dataschema": event.data_schema()})

    async def carry(self, event: Event) -> httpx.Response:
        """The same ahead of Kafka, by the gateway."""
        path = "accounts" if isinstance(event, AccountState) else "posts"
        headers = self.identities.gateway("social") | {"content-type": "application/json"}
        return await self.client.post(f"/internal/carried/{path}", content=event.model_dump_json(), headers=headers)

    def headers(self, viewer: int, **more: Any) -> dict[str, str]:
        return self.identities.headers("social", viewer, self.names.get(viewer, ""), **more) if viewer else {}

    async def get(self, path: str, viewer: int = 0, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers=self.headers(viewer))

    async def show(self, path: str, viewer: int = 0, **query: Any) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = await self.get(path, viewer, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, path: str, caller: int, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/v1/{path}", json=body, headers=self.headers(caller))

    async def did(self, path: str, caller: int, **body: Any) -> Any:
        """The JSON that answers something that must work."""
        answer = await self.do(path, caller, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def follow(self, follower: int, *followed: int) -> None:
        for account_id in followed:
            await self.did(f"accounts/{account_id}/follow", follower)

    async def status(self, post: PostState, viewer: int = 0) -> Any:
        return await self.show(f"/api/v1/statuses/{post.post_id}", viewer)

    async def home(self, viewer: int, **query: Any) -> list[int]:
        """Ids of the posts in a home feed, newest entry first; what a boost wraps stands for it."""
        return [int((status["reblog"] or status)["id"]) for status in await self.show("/api/v1/timelines/home", viewer, **query)]

    async def counts(self, account_id: int) -> tuple[int, int, int]:
        """Followers, following and statuses of an account, as everybody sees them."""
        account = await self.show(f"/api/v1/accounts/{account_id}")
        return account["followers_count"], account["following_count"], account["statuses_count"]

    async def notices(self, told: int) -> list[tuple[str, int, bool]]:
        """What somebody was told: kind, by whom, and whether it was taken back."""
        statement = """
            SELECT b->>'kind', (b->>'actor_id')::bigint, (b->>'retracted')::boolean
            FROM (SELECT id, convert_from(body, 'UTF8')::jsonb AS b FROM outbox WHERE topic = 'social.notices') o
            WHERE (b->>'account_id')::bigint = :told ORDER BY id
        """
        async with self.database.sessions() as session:
            return [tuple(row) for row in await session.execute(text(statement), {"told": told})]

    async def everything(self) -> dict[str, list[str]]:
        """All rows of all tables."""
        async with self.database.sessions() as session:
            tables = (await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))).all()
            return {
                table: list((await session.scalars(text(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1"))).all()) for table in tables
            }

    async def run(self, statement: str, **parameters: Any) -> Any:
        """One value from the database, or a change to it."""
        async with self.database.transaction() as session:
            result = await session.execute(text(statement), parameters)
            return result.scalar() if result.returns_rows else None

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self.database.sessions() as session:
            return [tuple(row) for row in await session.execute(text(statement), parameters)]

    @staticmethod
    def ids(things: Iterable[Any]) -> list[int]:
        return [int(thing["id"]) for thing in things]


@pytest.fixture
async def app(database_url: str, identities: TestIdentities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", identities.jwks)
    monkeypatch.setenv("MICROBLOG_PUBLIC_URL", URL)
    monkeypatch.setenv("SOCIAL_DATABASE_URL", database_url)
    monkeypatch.setenv("SOCIAL_MEDIA_URL", f"file://{tmp_path}/media")
    made = create_app()
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def world(app: FastAPI, database: Database, identities: TestIdentities, shared_settings: SharedSettings) -> AsyncIterator[World]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://social") as client:
        yield World(client, database, identities, shared_settings)
