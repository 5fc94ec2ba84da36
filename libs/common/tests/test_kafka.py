"""Consuming from the real broker: what comes once, twice, late, or while somebody ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from common.db import Database
from common.events import AccountState
from common.inbox import first_time
from common.kafka import Consumers
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from .consuming import Eventually, Make, Seen, consuming, effects, last_effect, send

pytestmark = pytest.mark.anyio


async def test_what_was_published_before_the_group_existed_is_read_and_once_only(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    seen = Seen()
    await send(producer, *(account(1, version) for version in range(1, 6)))
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: len(seen) == 5)
    await send(producer, account(2))
    async with consuming(kafka_servers, account_class, seen):  # the same group again: it goes on where it stopped
        await eventually(lambda: len(seen) == 6)
    assert seen == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 1)]


async def test_an_event_that_comes_twice_has_one_effect(
    kafka_servers: str,
    database: Database,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    eventually: Eventually,
) -> None:
    async def greet(event: AccountState, session: AsyncSession) -> None:
        if await first_time(session, "greeting", event.key):
            await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.key})

    await send(producer, account(1), account(1), account(2), account(1), account(3))
    async with consuming(kafka_servers, account_class, greet, database):
        await eventually(lambda: last_effect(database, "3"))
    assert await effects(database) == ["1", "2", "3"]


async def test_an_event_in_the_middle_of_its_handler_is_finished_before_the_end(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    begun, ended = asyncio.Event(), []

    async def handler(event: AccountState) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        ended.append(event.account_id)

    await send(producer, account(1))
    async with consuming(kafka_servers, account_class, handler):
        await begun.wait()
    assert ended == [1]
    seen = Seen()
    await send(producer, account(2))
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: (2, 1) in seen)
    assert seen == [(2, 1)]


@asynccontextmanager
async def replica(name: str, servers: str, event_class: type[AccountState]) -> AsyncIterator[Seen]:
    consumers, seen = Consumers("tests", servers, name), Seen()
    consumers.on(event_class)(seen)
    await consumers.broker.start()
    try:
        yield seen
    finally:
        await consumers.stop()


async def test_who_ends_leaves_its_partitions_to_those_who_stay_and_to_those_who_come(
    kafka_servers: str,
    new_account_class: Callable[..., Awaitable[type[AccountState]]],
    producer: AIOKafkaProducer,
    eventually: Eventually,
) -> None:
    account_class = await new_account_class(partitions=4)

    def events(version: int) -> list[AccountState]:
        made = datetime(2026, 1, 1, tzinfo=UTC)
        return [account_class(account_id=number, version=version, username="ada", created_at=made) for number in range(20)]

    async with replica("container-1", kafka_servers, account_class) as staying:
        async with replica("container-2", kafka_servers, account_class) as leaving:
            await send(producer, *events(1))
            await eventually(lambda: len(staying) + len(leaving) >= 20)
            assert leaving, "it was given nothing that it could keep"
        await send(producer, *events(2))
        await eventually(lambda: sum(version == 2 for _, version in staying) == 20, 8)  # a session lasts 30 s
    async with replica("container-3", kafka_servers, account_class) as coming:
        await send(producer, *events(3))
        await eventually(lambda: len(coming) >= 20, 8)
    assert {version for _, version in coming} == {3}


async def test_who_remembers_its_place_is_told_after_the_handler(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    order: list[str] = []

    async def handler(event: AccountState) -> None:
        order.append(f"handled {event.key}")

    consumers = Consumers("tests", kafka_servers, "tests-0")
    consumers.on(account_class)(handler)

    @consumers.after
    async def remember(record: ConsumerRecord) -> None:
        order.append(f"at {record.offset}")

    await send(producer, account(1), account(2))
    await consumers.broker.start()
    await eventually(lambda: len(order) == 4)
    await consumers.stop()
    assert order == ["handled 1", "at 0", "handled 2", "at 1"]
