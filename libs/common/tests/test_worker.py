"""A worker starts before its engines, tells what it waits for, keeps its loops going, and ends in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from common import outbox
from common.db import Database
from common.events import AccountState
from common.kafka import Consumers
from common.relay import Relay
from common.settings import SharedSettings
from common.worker import create_worker_app
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

pytestmark = pytest.mark.anyio

Make = Callable[..., AccountState]
Eventually = Callable[..., Awaitable[None]]
Read = Callable[..., Awaitable[list[ConsumerRecord]]]


@asynccontextmanager
async def alive(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as client,
    ):
        yield client


async def reasons(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/health/self")
    assert answer.status_code == (503 if answer.json()["reasons"] else 200)
    found: list[str] = answer.json()["reasons"]
    return found


async def test_a_worker_that_is_there_before_the_broker_waits_and_then_works(
    gate: Any,
    database_url: str,
    shared_settings: SharedSettings,
    account_class: type[AccountState],
    account: Make,
    read: Read,
    eventually: Eventually,
) -> None:
    database = Database(database_url)
    consumers = Consumers("tests", gate.servers, "tests-0", database)

    @consumers.on(account_class)
    async def heard(event: AccountState, session: AsyncSession) -> None:
        await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.key})

    app = create_worker_app("tests", shared_settings, consumers, database=database, relay=Relay(database_url, gate.servers, "tests"))
    async with alive(app) as client:
        async with database.transaction() as session:
            await outbox.add(session, account(7), happened="account.changed")

        async def waits() -> bool:
            return await reasons(client) == ["consumers: KafkaConnectionError", "relay: KafkaConnectionError"]

        await eventually(waits)
        assert (await client.get("/health/live")).status_code == 200
        await gate.open()

        async def works() -> bool:
            async with database.sessions() as session:
                told = await session.scalar(text("SELECT count(*) FROM effects WHERE name = '7'"))
            return told == 1 and await reasons(client) == []

        await eventually(works, 30)


async def test_consuming_begins_only_after_the_preparation_succeeded(
    kafka_servers: str,
    shared_settings: SharedSettings,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    eventually: Eventually,
) -> None:
    order: list[str] = []
    consumers = Consumers("tests", kafka_servers, "tests-0")

    @consumers.on(account_class)
    async def heard(event: AccountState) -> None:
        order.append("heard")

    async def prepare() -> None:
        order.append("prepare")
        if len(order) < 3:
            raise RuntimeError("the index is away")

    async def close() -> None:
        order.append("close")

    await producer.send_and_wait(account_class.topic, account(1).model_dump_json().encode(), key=b"1")
    app = create_worker_app("tests", shared_settings, consumers, prepare=prepare, close=close)
    async with alive(app) as client:
        assert await reasons(client) == ["consumers: starting"]
        await eventually(lambda: "heard" in order)
    assert order == ["prepare", "prepare", "prepare", "heard", "close"]


async def test_a_loop_that_fails_is_started_again_and_ended_with_the_worker(
    shared_settings: SharedSettings, eventually: Eventually
) -> None:
    runs, ended = 0, False

    async def loop() -> None:
        nonlocal runs, ended
        runs += 1
        if runs < 3:
            raise RuntimeError
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    async def check() -> str | None:
        return f"{runs} runs"

    app = create_worker_app("tests", shared_settings, Consumers("tests", "127.0.0.1:1", "tests-0"), loops=[loop], checks=[check])
    async with alive(app) as client:
        await eventually(lambda: runs == 3)
        assert "3 runs" in await reasons(client)
    assert ended
