"""Events that come together are handled together, from the real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from common import kafka, telemetry
from common.events import AccountState
from common.kafka import Consumers, alone
from common.topics import dead_letter_topic
from psycopg.errors import UniqueViolation

from .consuming import Eventually, Make, Read, put, send

pytestmark = pytest.mark.anyio


class Together(list[list[int]]):
    """A handler of several events that remembers whom it was given together, and fails for some."""

    __name__ = "together"

    def __init__(self, *broken: int) -> None:
        super().__init__()
        self._broken = broken

    async def __call__(self, events: Sequence[AccountState]) -> None:
        self.append([event.account_id for event in events])
        if any(event.account_id in self._broken for event in events):
            raise UniqueViolation


@asynccontextmanager
async def consuming_together(servers: str, event_class: type[AccountState], handler: Together) -> AsyncIterator[Consumers]:
    consumers = Consumers("tests", servers, "tests-0")
    consumers.on_many(event_class, every=0.3)(handler)
    await consumers.broker.start()
    try:
        yield consumers
    finally:
        await consumers.stop()


async def test_events_that_come_together_are_given_together_and_not_again(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    handler = Together()
    await send(producer, *(account(number) for number in range(10)))
    async with consuming_together(kafka_servers, account_class, handler):
        await eventually(lambda: sum(map(len, handler)) == 10)
        assert len(handler) < 10
    assert [number for some in handler for number in some] == list(range(10))
    after = Together()
    await send(producer, account(10))
    async with consuming_together(kafka_servers, account_class, after):
        await eventually(lambda: after == [[10]])


async def test_what_comes_while_one_is_handled_waits_for_no_fetch_of_other_partitions(
    kafka_servers: str,
    new_account_class: Callable[..., Awaitable[type[AccountState]]],
    producer: AIOKafkaProducer,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "_LONGEST_FETCH", 60.0)
    account_class = await new_account_class(partitions=4)
    handled: list[int] = []

    async def slow(events: Sequence[AccountState]) -> None:
        handled.extend(event.version for event in events)
        await asyncio.sleep(0.4)  # longer than aiokafka leaves other partitions alone for

    consumers = Consumers("tests", kafka_servers, "tests-0")
    consumers.on_many(account_class, every=0.1)(slow)
    await consumers.broker.start()
    try:
        for version in range(1, 6):
            made = datetime(2026, 1, 1, tzinfo=UTC)
            await send(producer, account_class(account_id=1, version=version, username="ada", created_at=made))
            await eventually(lambda version=version: version in handled, 10)
            await asyncio.sleep(0.2)
    finally:
        await consumers.stop()
    assert handled == [1, 2, 3, 4, 5]


async def test_what_is_done_for_one_of_many_belongs_to_the_trace_that_it_came_with(
    kafka_servers: str,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telemetry, "_enabled", True)
    heard: list[tuple[int, str]] = []
    consumers = Consumers("tests", kafka_servers, "tests-0")

    @consumers.on_many(account_class, every=0.3)
    async def together(events: Sequence[AccountState]) -> None:
        assert len(events) > 1
        for event in events:
            with alone(event):
                heard.append((event.account_id, (telemetry.current_traceparent() or "")[:35]))

    traces = [f"00-{number:x}af7651916cd43dd8448eb211c80319c" for number in range(4)]
    for number, trace in enumerate(traces):
        event = account(number)
        await put(producer, event, event.model_dump_json().encode(), [("traceparent", f"{trace}-b7ad6b7169203331-01".encode())])
    await consumers.broker.start()
    try:
        await eventually(lambda: len(heard) >= 4)
    finally:
        await consumers.stop()
    assert heard == list(enumerate(traces))


async def test_one_to_blame_among_many_is_found_and_buried_alone(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    handler = Together(4)
    await send(producer, *(account(number) for number in range(8)))
    async with consuming_together(kafka_servers, account_class, handler):
        await eventually(lambda: [7] in handler)
    assert [some for some in handler if 4 not in some or len(some) == 1][-7:] == [[3], [4], [4], [4], [5], [6], [7]]
    (dead,) = await read(dead_letter_topic(account_class.topic, "tests"), 1)
    assert dead.key == b"4"
