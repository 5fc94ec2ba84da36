"""Events put on the real broker, and consumers that take them, for the tests of consuming."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord
from common.db import Database
from common.events import AccountState
from common.kafka import Consumers
from sqlalchemy import text

Read = Callable[..., Awaitable[list[ConsumerRecord]]]
Make = Callable[..., AccountState]
Eventually = Callable[..., Awaitable[None]]


async def send(producer: AIOKafkaProducer, *events: AccountState) -> None:
    for event in events:
        await put(producer, event, event.model_dump_json().encode())


async def put(
    producer: AIOKafkaProducer, like: AccountState, value: bytes | None, headers: Sequence[tuple[str, bytes]] | None = None
) -> ConsumerRecord:
    """Send any bytes with the key and the headers of an event."""
    usual = [("ce_id", b"1"), ("ce_dataschema", like.data_schema().encode())]
    return await producer.send_and_wait(like.topic, value, key=like.key.encode(), headers=usual if headers is None else list(headers))


@asynccontextmanager
async def consuming(
    servers: str, event_class: type[AccountState], handler: Callable[..., Awaitable[Any]], database: Database | None = None
) -> AsyncIterator[Consumers]:
    consumers = Consumers("tests", servers, "tests-0", database)
    consumers.on(event_class)(handler)
    await consumers.broker.start()
    try:
        yield consumers
    finally:
        await consumers.stop()


class Seen(list[tuple[int, int]]):
    """A handler that remembers key and version of what it was given."""

    __name__ = "seen"

    async def __call__(self, event: AccountState) -> None:
        self.append((event.account_id, event.version))


async def effects(database: Database) -> list[str]:
    async with database.sessions() as session:
        return list(await session.scalars(text("SELECT name FROM effects ORDER BY number")))


async def last_effect(database: Database, name: str) -> bool:
    return (await effects(database))[-1:] == [name]
