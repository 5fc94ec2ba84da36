"""Events are announced within the transaction, and only there."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psycopg
import pytest
from common import outbox
from common.db import Database
from common.events import AccountState, SecurityEvent
from sqlalchemy import text

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATE = AccountState(account_id=1, version=3, username="ada", created_at=NOW)
TRIGGER = SecurityEvent(kind="tokens_revoked", account_id=2, happened_at=NOW)


async def test_an_event_becomes_a_row_that_reads_back_as_the_event(database: Database) -> None:
    async with database.transaction() as session:
        await outbox.add(session, STATE, TRIGGER, happened="account.changed")
    async with database.sessions() as session:
        first, second = (await session.execute(outbox.TABLE.select().order_by(outbox.TABLE.c.id))).all()
    assert AccountState.model_validate_json(first.body) == STATE
    assert (first.topic, first.key, first.type, first.schema) == ("auth.accounts", "1", "account.changed", "auth.accounts.v1")
    assert (first.durable, second.durable) == (False, True)
    assert first.event_id != second.event_id
    assert abs((first.happened_at - datetime.now(UTC)).total_seconds()) < 60


async def test_an_event_of_a_transaction_that_fails_was_never_there(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await outbox.add(session, STATE, happened="account.changed")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM outbox")) == 0


async def test_only_a_transaction_with_events_wakes_the_relay(database: Database) -> None:
    async with database.sessions() as session:
        await outbox.add(session, happened="account.changed")
        assert not outbox.pending(session)
        await outbox.add(session, STATE, happened="account.changed")
        assert outbox.pending(session)
        assert not outbox.pending(session), "asked a second time"


async def test_many_commits_at_once_become_few_notifications(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as listener:
        await listener.execute("LISTEN outbox")
        for _ in range(200):
            database.waker.wake()
        heard = [note async for note in listener.notifies(timeout=1, stop_after=200)]
    assert 1 <= len(heard) < 10


async def test_waking_works_again_after_the_server_hung_up(database: Database, eventually: Callable[..., Awaitable[None]]) -> None:
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as listener:
        await listener.execute("LISTEN outbox")

        async def heard() -> bool:
            database.waker.wake()
            return [note async for note in listener.notifies(timeout=0.2, stop_after=1)] != []

        await eventually(heard)
        await listener.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()"
        )
        await asyncio.sleep(0)
        await eventually(heard)


async def test_who_has_had_nothing_to_tell_for_long_hangs_up_and_calls_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Awaitable[None]]
) -> None:
    monkeypatch.setattr(outbox, "_REST_SECONDS", 0.2)
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as listener:
        await listener.execute("LISTEN outbox")

        async def calling() -> int:
            found = await listener.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query = 'NOTIFY outbox' AND datname = current_database()"
            )
            row = await found.fetchone()
            return int(row[0]) if row else -1

        async def silent() -> bool:
            return await calling() == 0

        for _ in range(2):
            database.waker.wake()
            assert [note async for note in listener.notifies(timeout=5, stop_after=1)]
            assert await calling() == 1
            await eventually(silent)
