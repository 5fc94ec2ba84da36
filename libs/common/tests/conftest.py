"""A database with outbox, inbox and ids but no service; topics of each test's own; small helpers to wait for what happens."""

import asyncio
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from common import ids, inbox, outbox
from common.db import Database
from common.events import AccountState
from common.topics import dead_letters
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

SERVICE = "tests"


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A new database with what `common` gives to every service, and a table to write to."""
    name = f"test_common_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts: dict[str, Any] = conninfo_to_dict(postgres_url)
    url = f"postgresql://{parts['user']}:{parts.get('password', '')}@{parts['host']}:{parts['port']}/{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (outbox.CREATE_V1, inbox.CREATE_V1, ids.create_function("posts")):
            connection.execute(statement.encode())
        connection.execute("CREATE TABLE things (id bigint PRIMARY KEY, version int NOT NULL DEFAULT 0)")
        connection.execute("CREATE TABLE effects (number bigserial, name text NOT NULL)")
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def new_account_class(kafka_servers: str) -> Callable[..., Awaitable[type[AccountState]]]:
    """Makes an event class with a topic (and dead-letter topic of the service `tests`) that nobody else uses."""

    async def make(partitions: int = 1, servers: str = kafka_servers, largest: int | None = None) -> type[AccountState]:
        name = f"tests.t{secrets.token_hex(6)}"
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","))
        await admin.start()
        try:
            dead = dead_letters(name, SERVICE)
            config = {**dead.config, **({} if largest is None else {"max.message.bytes": str(largest)})}
            await admin.create_topics([NewTopic(name, partitions, 1), NewTopic(dead.name, 1, 1, topic_configs=config)])
        finally:
            await admin.close()

        class Here(AccountState):
            topic: ClassVar[str] = name

        return Here

    return make


@pytest.fixture
async def account_class(new_account_class: Callable[..., Awaitable[type[AccountState]]]) -> type[AccountState]:
    """An event class with a topic of one partition for this test alone."""
    return await new_account_class()


@pytest.fixture
def account(account_class: type[AccountState]) -> Callable[..., AccountState]:
    """Makes events of `account_class`: `account(key, version)`."""

    def make(key: int, version: int = 1, username: str = "ada") -> AccountState:
        return account_class(account_id=key, version=version, username=username, created_at=datetime(2026, 1, 1, tzinfo=UTC))

    return make


@pytest.fixture
async def producer(kafka_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    opened = AIOKafkaProducer(bootstrap_servers=kafka_servers.split(","))
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
def read(kafka_servers: str) -> Callable[..., Awaitable[list[ConsumerRecord]]]:
    """Waits until a topic holds `count` records, then returns all that it holds by then, in the order of each partition."""

    async def records(
        topic: str, count: int, seconds: float = 30, servers: str = kafka_servers, partitions: int = 1
    ) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(bootstrap_servers=servers.split(","), enable_auto_commit=False)
        await consumer.start()
        found: list[ConsumerRecord] = []
        try:
            parts = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            async with asyncio.timeout(seconds):
                while True:
                    ends = await consumer.end_offsets(parts)
                    if len(found) >= max(count, sum(ends.values())):
                        return found
                    for batch in (await consumer.getmany(timeout_ms=100)).values():
                        found += batch
        except TimeoutError:
            pytest.fail(f"{len(found)} of {count} records after {seconds} s")
        finally:
            await consumer.stop()

    return records


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Waits until a function (or coroutine function) answers something true; fails after some seconds."""

    async def wait(condition: Callable[[], Any], seconds: float = 20) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            value = condition()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"still not so after {seconds} s")
            await asyncio.sleep(0.02)

    return wait


class Gate:
    """A port that refuses connections until it is opened, then leads to the broker: one that isn't there yet, as clients see it."""

    def __init__(self, port: int, target: str) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self._port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.split(",")[0].rsplit(":", 1)
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


@pytest.fixture
async def gate(kafka_servers: str) -> AsyncIterator[Gate]:
    from common.testing.plugin import free_port

    made = Gate(free_port(), kafka_servers)
    yield made
    await made.close()


@pytest.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    """Two connections of each kind."""
    opened = Database(database_url, pool_size=2)
    await opened.open()
    yield opened
    await opened.close()
