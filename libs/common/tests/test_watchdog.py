"""A consumer that stands still although there is something to read ends its process; one that waits or has nothing to do doesn't."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from common import kafka, watchdog
from common.errors import Transient
from common.events import AccountState
from common.kafka import Consumers
from common.watchdog import Watchdog

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Make = Callable[..., AccountState]
Eventually = Callable[..., Awaitable[None]]
PATIENCE = 1.0


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses that the process would have ended with."""
    found: list[int] = []
    monkeypatch.setattr(watchdog, "_EVERY", 0.1)
    monkeypatch.setattr(watchdog, "_PATIENCE", PATIENCE)
    monkeypatch.setattr(kafka, "_LONGEST_TURN", PATIENCE / 2)
    monkeypatch.setattr(watchdog, "os", SimpleNamespace(_exit=found.append))
    return found


@asynccontextmanager
async def watched(
    servers: str, event_class: type[AccountState], handler: Callable[[AccountState], Awaitable[None]]
) -> AsyncIterator[Consumers]:
    consumers = Consumers("tests", servers, "tests-0")
    consumers.on(event_class)(handler)
    await consumers.broker.start()
    task = asyncio.create_task(Watchdog(consumers).run())
    try:
        yield consumers
        assert not task.done(), "the watchdog itself died"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumers.stop()


async def send(producer: AIOKafkaProducer, *events: AccountState) -> None:
    for event in events:
        await producer.send_and_wait(event.topic, event.model_dump_json().encode(), key=event.key.encode())


async def test_a_consumer_that_stands_still_ends_the_process(
    kafka_servers: str,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    ends: list[int],
    eventually: Eventually,
) -> None:
    stuck = asyncio.Event()

    async def handler(event: AccountState) -> None:
        await stuck.wait()

    await send(producer, account(1), account(2), account(3))
    async with watched(kafka_servers, account_class, handler):
        await eventually(lambda: 70 in ends)
        stuck.set()


async def test_one_that_moves_slowly_has_nothing_to_do_or_waits_on_purpose_stays(
    kafka_servers: str,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    ends: list[int],
    eventually: Eventually,
) -> None:
    loop, heard = asyncio.get_running_loop(), []
    until = float("inf")

    async def handler(event: AccountState) -> None:
        heard.append(event.account_id)
        if event.account_id < 8:
            await asyncio.sleep(PATIENCE / 3)  # slow: 8 of them take longer than patience lasts
        elif loop.time() < until:
            raise Transient  # an engine is away

    await send(producer, *(account(number) for number in range(10)))
    async with watched(kafka_servers, account_class, handler):
        await eventually(lambda: 8 in heard)
        until = loop.time() + 2 * PATIENCE
        await eventually(lambda: 9 in heard)
        idle = loop.time() + 1.5 * PATIENCE
        await eventually(lambda: loop.time() > idle)
    assert ends == []


async def test_one_that_reads_on_without_being_in_its_group_ends_the_process(
    kafka_servers: str,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    ends: list[int],
    eventually: Eventually,
) -> None:
    heard = []

    async def handler(event: AccountState) -> None:
        heard.append(event.account_id)

    await send(producer, account(1))
    async with watched(kafka_servers, account_class, handler) as consumers:
        await eventually(lambda: 1 in heard)
        (subscriber,) = consumers.broker.subscribers
        coordinator = subscriber.consumer._coordinator
        coordinator._coordination_task.cancel()
        coordinator._coordination_task = asyncio.create_task(asyncio.wait([coordinator._closing]))  # hangs, and says nothing
        coordinator.member_id = "nobody"  # the broker knows no such member and takes no acknowledgement from it
        await send(producer, account(2))
        await eventually(lambda: 2 in heard)
        await eventually(lambda: 70 in ends)


async def test_what_waits_to_be_read_is_counted_while_its_consumer_waits_on_purpose(
    kafka_servers: str,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    ends: list[int],
    eventually: Eventually,
) -> None:
    consumers = Consumers("tests", kafka_servers, "tests-0")
    away = True

    @consumers.on(account_class)
    async def handler(event: AccountState) -> None:
        if away:
            raise Transient

    dog = Watchdog(consumers)
    await send(producer, account(1), account(2))
    await consumers.broker.start()
    task = asyncio.create_task(dog.run())
    try:
        await eventually(lambda: dog.lag.get(account_class.topic) == 2)
        await send(producer, account(3))
        await eventually(lambda: dog.lag[account_class.topic] == 3)
        assert await consumers.problem() is not None
        away = False
        await eventually(lambda: dog.lag[account_class.topic] == 0, 30)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await consumers.stop()
    assert ends == []


async def test_it_ends_when_it_is_told_so_in_the_moment_in_which_the_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_EVERY", 0.01)
    asked, answer, part = asyncio.Event(), asyncio.get_running_loop().create_future(), TopicPartition("topic", 0)

    async def end_offsets(parts: object) -> dict[TopicPartition, int]:
        asked.set()
        await answer
        return {part: 0}

    consumer = SimpleNamespace(subscription=lambda: {"topic"}, assignment=lambda: {part}, end_offsets=end_offsets)
    consumers = SimpleNamespace(broker=SimpleNamespace(subscribers=[SimpleNamespace(consumer=consumer)]))
    task = asyncio.create_task(Watchdog(consumers).run())  # type: ignore[arg-type]
    await asked.wait()
    answer.set_result(None)
    task.cancel()
    await asyncio.wait([task], timeout=0.5)
    assert task.cancelled()
