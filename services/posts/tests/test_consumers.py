from datetime import UTC, datetime

import httpx
import pytest
from common.db import Database
from common.events import AccountState, Event, ProfileState
from common.settings import SharedSettings
from faststream.kafka import TestKafkaBroker
from posts.commands import Site, publish_post
from posts.domain import Draft
from posts.sweeping import sweep_erased
from posts.worker import create_consumers
from sqlalchemy import text

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def profile(version: int, visibility: str) -> ProfileState:
    return ProfileState(account_id=1, version=version, username="ada", created_at=NOW, default_visibility=visibility)


async def deliver(database: Database, settings: SharedSettings, *events: Event) -> None:
    consumers = create_consumers(settings, database)
    async with TestKafkaBroker(consumers.broker) as broker:
        for event in events:
            await broker.publish(event.model_dump_json().encode(), event.topic, headers={"ce_dataschema": event.data_schema()})


async def default_visibility(database: Database) -> str | None:
    async with database.sessions() as session:
        found: str | None = await session.scalar(text("SELECT visibility FROM authors WHERE account_id = 1"))
        return found


async def test_the_newest_defaults_win_whatever_comes_last(database: Database, shared_settings: SharedSettings) -> None:
    newer, older = profile(2, "private"), profile(1, "unlisted")
    await deliver(database, shared_settings, newer, newer, older)
    assert await default_visibility(database) == "private"


async def test_a_post_takes_its_authors_defaults(client: httpx.AsyncClient, database: Database, shared_settings: SharedSettings) -> None:
    await deliver(database, shared_settings, profile(1, "private"))
    assert (await client.post("/api/v1/statuses", json={"status": "x"})).json()["event"]["visibility"] == "private"


async def test_a_deleted_account_takes_its_words_along(
    client: httpx.AsyncClient, database: Database, shared_settings: SharedSettings
) -> None:
    for number in range(3):
        await client.post("/api/v1/statuses", json={"status": f"number {number}"})
    gone = AccountState(account_id=1, version=9, username="ada", deleted=True, created_at=NOW)
    await deliver(database, shared_settings, gone, gone)
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM posts WHERE source <> '' OR deleted_at IS NULL")) == 0
        assert await session.scalar(text("SELECT count(*) FROM outbox WHERE type = 'post.deleted'")) == 3
    assert (await client.post("/api/v1/statuses", json={"status": "after"})).status_code == 403


async def test_what_is_being_published_while_its_author_is_erased_does_not_stay(
    database: Database, shared_settings: SharedSettings
) -> None:
    async with database.transaction() as session:
        await publish_post(session, Site("https://microblog.example", 500), Draft(1, "ada", "late"))
        await deliver(database, shared_settings, AccountState(account_id=1, version=9, username="ada", deleted=True, created_at=NOW))
    async with database.transaction() as session:
        await publish_post(session, Site("https://microblog.example", 500), Draft(2, "bob", "of somebody else"))
    assert [await sweep_erased(database) for _ in range(2)] == [True, False]
    async with database.sessions() as session:
        assert (await session.scalars(text("SELECT source FROM posts WHERE deleted_at IS NULL"))).all() == ["of somebody else"]
        assert await session.scalar(text("SELECT count(*) FROM outbox WHERE type = 'post.deleted'")) == 1
