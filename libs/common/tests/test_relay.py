"""The outbox on its way to Kafka: what was committed arrives, in order within a key; what was not, never."""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from common import outbox, telemetry
from common.db import Database
from common.events import AccountState, SecurityEvent
from common.relay import Relay
from common.testing.plugin import free_port
from psycopg import AsyncConnection
from sqlalchemy import text

pytestmark = pytest.mark.anyio

Read = Callable[..., Awaitable[list[ConsumerRecord]]]
Make = Callable[..., AccountState]
Eventually = Callable[..., Awaitable[None]]
KEYS = 5


class Undo(Exception):
    """Makes a transaction roll back."""


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    for relay in relays:
        relay.start()
    try:
        yield
    finally:
        for relay in relays:
            await relay.stop()


async def write(database: Database, account: Make, key: int, *, undo: bool = False) -> int:
    """Change one thing and announce it, as every command does: the row is locked, the version grows, the event goes along."""
    async with database.transaction() as session:
        statement = text(
            "INSERT INTO things (id, version) VALUES (:key, 1) ON CONFLICT (id) DO UPDATE SET version = things.version + 1 RETURNING version"
        )
        version: int = (await session.execute(statement, {"key": key})).scalar_one()
        await outbox.add(session, account(key, version), happened="account.changed")
        if undo:
            raise Undo
    return version


async def writer(database: Database, account: Make, seed: int, count: int) -> list[tuple[int, int]]:
    """Some writes to random keys, a quarter of them undone; returns what was committed."""
    chance, done = random.Random(seed), []
    for _ in range(count):
        key, undo = chance.randrange(KEYS), chance.random() < 0.25
        try:
            version = await write(database, account, key, undo=undo)
        except Undo:
            continue
        done.append((key, version))
        await asyncio.sleep(chance.random() / 500)
    return done


def told(records: Sequence[ConsumerRecord]) -> list[tuple[int, int]]:
    states = [AccountState.model_validate_json(record.value) for record in records]
    return [(state.account_id, state.version) for state in states]


def assert_in_order(records: Sequence[ConsumerRecord]) -> None:
    """Every version arrives for the first time behind the one before it; arriving again is allowed, missing isn't."""
    newest: dict[int, int] = defaultdict(int)
    for key, version in told(records):
        assert version <= newest[key] + 1, f"version {version} of {key} came before {newest[key] + 1}"
        newest[key] = max(newest[key], version)


async def waiting(database: Database) -> int:
    async with database.sessions() as session:
        return int(await session.scalar(text("SELECT count(*) FROM outbox WHERE published_at IS NULL")) or 0)


async def test_what_eight_writers_commit_arrives_once_and_in_order_and_nothing_else(
    database: Database, kafka_servers: str, account: Make, read: Read, eventually: Eventually, account_class: Any
) -> None:
    async with running(Relay(database.url, kafka_servers, "tests")):
        committed = list(chain.from_iterable(await asyncio.gather(*(writer(database, account, seed, 100) for seed in range(8)))))
        records = await read(account_class.topic, len(committed))
        await eventually(lambda: _empty(database))
    assert sorted(told(records)) == sorted(committed)
    assert len({dict(record.headers)["ce_id"] for record in records}) == len(committed)
    assert_in_order(records)


async def _empty(database: Database) -> bool:
    return await waiting(database) == 0


async def test_a_long_transaction_with_an_early_number_is_not_forgotten(
    database: Database, kafka_servers: str, account: Make, read: Read, account_class: Any, eventually: Eventually
) -> None:
    async with running(Relay(database.url, kafka_servers, "tests")):
        async with database.transaction() as slow:
            await outbox.add(slow, account(1), happened="account.changed")  # takes the lowest number, commits last
            for key in (2, 3, 4):
                await write(database, account, key)
            assert told(await read(account_class.topic, 3)) == [(2, 1), (3, 1), (4, 1)]
        assert told(await read(account_class.topic, 4))[-1] == (1, 1)
        await eventually(lambda: _empty(database))


async def test_of_two_relays_one_leads_and_the_other_takes_over_without_a_loss(
    database: Database, kafka_servers: str, account: Make, read: Read, account_class: Any, eventually: Eventually
) -> None:
    first, second = (Relay(database.url, kafka_servers, "tests") for _ in range(2))
    async with running(first, second):
        await eventually(lambda: first.leading or second.leading)
        leader, follower = (first, second) if first.leading else (second, first)
        writers = [asyncio.create_task(writer(database, account, seed, 60)) for seed in range(8)]
        await read(account_class.topic, 40)
        await eventually(lambda: follower.problem is None)
        assert leader.leading
        assert not follower.leading
        await leader.stop()
        committed = list(chain.from_iterable(await asyncio.gather(*writers)))
        await eventually(lambda: follower.leading)
        await eventually(lambda: _empty(database))
    records = await read(account_class.topic, len(committed))
    assert set(told(records)) == set(committed)
    assert_in_order(records)


async def test_a_relay_whose_connection_is_cut_goes_on(
    database: Database, kafka_servers: str, account: Make, read: Read, account_class: Any, eventually: Eventually
) -> None:
    relay = Relay(database.url, kafka_servers, "tests")
    async with running(relay):
        writers = [asyncio.create_task(writer(database, account, seed, 60)) for seed in range(4)]
        await read(account_class.topic, 20)
        await cut(database)
        committed = list(chain.from_iterable(await asyncio.gather(*writers)))
        await eventually(lambda: _empty(database))
    records = await read(account_class.topic, len(committed))
    assert set(told(records)) == set(committed)
    assert_in_order(records)


async def cut(database: Database) -> None:
    """Hang up on whoever leads."""
    async with database.sessions() as session:
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        statement = f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = {here}"
        assert (await session.execute(text(statement))).scalar_one()


async def test_what_is_written_before_the_broker_comes_waits_and_drains(
    database: Database, gate: Any, account: Make, read: Read, account_class: Any, eventually: Eventually
) -> None:
    relay = Relay(database.url, gate.servers, "tests")
    async with running(relay):
        for _ in range(10):
            await write(database, account, 1)
        await eventually(lambda: relay.problem == "relay: KafkaConnectionError")
        assert await waiting(database) == 10
        await gate.open()
        await eventually(lambda: _empty(database))
        assert relay.problem is None
    assert told(await read(account_class.topic, 10)) == [(1, version) for version in range(1, 11)]


async def test_what_waits_is_counted_while_the_broker_is_away(
    database: Database, gate: Any, account: Make, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "_enabled", True)
    first, second = (Relay(database.url, gate.servers, "tests") for _ in range(2))
    for _ in range(3):
        await write(database, account, 1)
    async with running(first):
        await eventually(lambda: first.waiting == 3)
        await write(database, account, 1)
        await eventually(lambda: first.waiting == 4)
        before = first.oldest
        await eventually(lambda: first.oldest > before + 0.5, 20)
        assert not first.leading
        await gate.open()
        await eventually(lambda: first.leading, 30)
        async with running(second):
            await eventually(lambda: second.problem is None)
            assert second.waiting is None, "one relay counts for all"


async def test_only_a_relay_that_leads_listens(
    database: Database, kafka_servers: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[AsyncConnection[Any]] = []

    class Noted(AsyncConnection[Any]):
        @classmethod
        async def connect(cls, *arguments: Any, **more: Any) -> Any:
            connections.append(await AsyncConnection.connect(*arguments, **more))
            return connections[-1]

    async def channels(connection: AsyncConnection[Any]) -> list[str]:
        return [row[0] for row in await (await connection.execute("SELECT pg_listening_channels()")).fetchall()]

    async def heard(channel: str) -> bool:
        return await channels(connections[-1]) == [channel]

    monkeypatch.setattr("common.relay.AsyncConnection", Noted)
    first, second = (Relay(database.url, kafka_servers, "tests") for _ in range(2))
    async with running(first):
        await eventually(lambda: first.leading)
        async with running(second):
            await eventually(lambda: second.problem is None)
            assert await channels(connections[-1]) == []
            await first.stop()
            await eventually(lambda: second.leading)
            await eventually(lambda: heard(outbox.CHANNEL))


async def test_a_database_that_refuses_is_told_without_its_password(
    database: Database, kafka_servers: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    relay = Relay(database.url.replace("@", "canary@"), kafka_servers, "tests")
    async with running(relay):
        await eventually(lambda: relay.problem == "relay: OperationalError")
    told = [str(record.__dict__) for record in caplog.records if record.name == "common.relay"]
    assert told
    assert "canary" not in "".join(told)


async def test_an_event_travels_as_a_cloud_event(
    database: Database, kafka_servers: str, account: Make, read: Read, account_class: Any
) -> None:
    async with running(Relay(database.url, kafka_servers, "tests")):
        await write(database, account, 7)
        (record,) = await read(account_class.topic, 1)
    headers = {name: value.decode() for name, value in record.headers}
    assert record.key == b"7"
    assert len(headers.pop("ce_id")) == 36
    assert headers.pop("ce_time").endswith("+00:00")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_source": "/tests",
        "ce_type": "account.changed",
        "ce_subject": "7",
        "ce_dataschema": f"{account_class.topic}.v1",
        "content-type": "application/json",
    }


async def test_states_are_forgotten_and_triggers_kept_for_some_days(
    database: Database, kafka_servers: str, account: Make, read: Read, eventually: Eventually
) -> None:
    trigger = SecurityEvent(kind="tokens_revoked", account_id=1, happened_at=datetime(2026, 1, 1, tzinfo=UTC))
    async with database.transaction() as session:
        await outbox.add(session, account(1), happened="account.changed")
        await outbox.add(session, trigger, trigger, happened="account.secured")
        await session.execute(text("UPDATE outbox SET published_at = now() - interval '4 days' WHERE id = 3"))
    async with running(Relay(database.url, kafka_servers, "tests")):
        await eventually(lambda: _journal(database, [(2, True)]))


async def _journal(database: Database, expected: list[tuple[int, bool]]) -> bool:
    async with database.sessions() as session:
        found = await session.execute(text("SELECT id, published_at IS NOT NULL FROM outbox ORDER BY id"))
        return [(row[0], row[1]) for row in found] == expected


async def test_a_commit_wakes_the_relay_long_before_it_polls(
    database: Database, kafka_servers: str, account: Make, eventually: Eventually
) -> None:
    relay = Relay(database.url, kafka_servers, "tests")
    async with running(relay):
        await eventually(lambda: relay.leading)
        loop, took = asyncio.get_running_loop(), []
        for _ in range(3):
            started = loop.time()
            await write(database, account, 1)
            await eventually(lambda: _empty(database))
            took.append(loop.time() - started)
    assert min(took) < 1, "polling every two seconds would have been as fast"


async def test_events_of_a_lost_notification_are_found_by_polling(
    database: Database, kafka_servers: str, account: Make, eventually: Eventually
) -> None:
    relay = Relay(database.url, kafka_servers, "tests")
    async with running(relay):
        await eventually(lambda: relay.leading)
        async with database.sessions.begin() as session:  # not `transaction`: nobody is woken
            await outbox.add(session, account(1), happened="account.changed")
        await eventually(lambda: _empty(database), 10)


async def test_a_relay_that_worked_again_in_between_does_not_hesitate_at_the_next_fault(
    database: Database, kafka_servers: str, eventually: Eventually
) -> None:
    relay, loop = Relay(database.url, kafka_servers, "tests"), asyncio.get_running_loop()
    async with running(relay):
        await eventually(lambda: relay.leading)
        for _ in range(5):
            await cut(database)
            await eventually(lambda: not relay.leading)
            started = loop.time()
            await eventually(lambda: relay.leading)
    assert loop.time() - started < 2


async def test_an_event_too_large_for_kafka_does_not_hold_up_the_others(
    database: Database, kafka_servers: str, account: Make, read: Read, account_class: Any
) -> None:
    async with running(Relay(database.url, kafka_servers, "tests")):
        async with database.transaction() as session:
            await outbox.add(session, account(1, username="a" * 2_000_000), happened="account.changed")
        await write(database, account, 2)
        assert told(await read(account_class.topic, 1, 8)) == [(2, 1)]


@pytest.mark.slow
@pytest.mark.skipif("TEST_KAFKA_SERVERS" in os.environ, reason="needs a broker that it may stop")
async def test_a_broker_that_goes_and_comes_back_gets_everything(
    database: Database, new_account_class: Any, read: Read, eventually: Eventually, tmp_path: Path
) -> None:
    from engines.kafka import Kafka
    from engines.kafka_jars import resolve_jars

    broker = Kafka(tmp_path, free_port(), free_port(), resolve_jars())
    await asyncio.to_thread(broker.start)
    servers = f"127.0.0.1:{broker.port}"
    made = await new_account_class(servers=servers)

    def account(key: int, version: int) -> AccountState:
        state: AccountState = made(account_id=key, version=version, username="ada", created_at=datetime(2026, 1, 1, tzinfo=UTC))
        return state

    try:
        relay = Relay(database.url, servers, "tests")
        async with running(relay):
            committed = list(chain.from_iterable(await asyncio.gather(*(writer(database, account, seed, 50) for seed in range(4)))))
            await eventually(lambda: _empty(database))
            await asyncio.to_thread(broker.stop)
            committed += await writer(database, account, 4, 30)
            await eventually(lambda: relay.problem is not None, 30)  # what was under way has failed for good
            assert await waiting(database) > 0
            await asyncio.to_thread(broker.start)
            await eventually(lambda: _empty(database), 60)
        records = await read(made.topic, len(committed), servers=servers)
    finally:
        await asyncio.to_thread(broker.stop)
    assert set(told(records)) == set(committed)
    assert_in_order(records)
