"""Consuming from the real broker: what comes twice, late, broken or too early, and what becomes of its neighbours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from common import kafka, telemetry
from common.db import Database
from common.errors import NotFound, Transient
from common.events import AccountState
from common.inbox import first_time
from common.kafka import Consumers, Undecodable, alone, decode, passes
from common.topics import dead_letter_topic
from psycopg.errors import UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

pytestmark = pytest.mark.anyio

_LARGEST = 1_048_576
"""What a producer sends if it isn't told otherwise."""

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
        await eventually(lambda: _last(database, "3"))
    assert await effects(database) == ["1", "2", "3"]


async def _last(database: Database, name: str) -> bool:
    return (await effects(database))[-1:] == [name]


async def test_poison_goes_to_the_dead_letters_once_and_its_neighbours_go_on(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    seen, like = Seen(), account(9)
    good = like.model_dump_json().encode()
    poison = [b"{not json", b"", b"[]", b"null", b'{"account_id": 9}', good.replace(b'"version":1', b'"version":"x"'), b"\xff\xfe"]
    sent = []
    for number, value in enumerate(poison):
        await send(producer, account(number))
        sent.append(await put(producer, like, value, [("ce_id", b"7"), ("ce_type", b"account.changed")]))
    await send(producer, account(100))
    async with consuming(kafka_servers, account_class, seen) as consumers:
        await eventually(lambda: (100, 1) in seen)
        assert await consumers.problem() is None
    assert seen == [(number, 1) for number in (*range(len(poison)), 100)]
    dead = await read(dead_letter_topic(like.topic, "tests"), len(poison))
    assert [(record.key, record.value) for record in dead] == [(b"9", value) for value in poison]
    for record, original in zip(dead, sent, strict=True):
        headers = dict(record.headers)
        assert (headers["ce_id"], headers["ce_type"]) == (b"7", b"account.changed")
        assert headers["x-origin"] == f"{like.topic}/0/{original.offset}".encode()
        assert headers["x-error"].startswith(b"Undecodable: ")


async def test_headers_that_are_not_utf_8_do_not_lose_the_event(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    seen, event = Seen(), account(1)
    await put(producer, event, event.model_dump_json().encode(), [("ce_type", b"\xff\xfe"), ("ce_id", b"1")])
    await put(producer, event, event.model_dump_json().encode(), [])
    await send(producer, account(2))
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: (2, 1) in seen)
    assert seen == [(1, 1), (1, 1), (2, 1)]


async def test_the_largest_record_that_a_topic_takes_fits_with_its_reason_into_the_dead_letters(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    seen, like = Seen(), account(1)
    headers = [("ce_id", b"1"), ("ce_type", b"account.changed")]
    value = b"x" * (_LARGEST - DefaultRecordBatchBuilder.estimate_size_in_bytes(b"1", b"", headers) - 2)  # its length takes two bytes more
    await put(producer, like, value, headers)
    await send(producer, account(2))
    async with consuming(kafka_servers, account_class, seen) as consumers:
        await eventually(lambda: (2, 1) in seen)
        assert await consumers.problem() is None
    (dead,) = await read(dead_letter_topic(like.topic, "tests"), 1)
    assert dead.value == value
    assert [name for name, _ in dead.headers] == ["ce_id", "ce_type", "x-error", "x-origin"]


async def test_a_dead_letter_that_nothing_takes_is_told_and_tried_again_after_a_pause(
    kafka_servers: str,
    new_account_class: Callable[..., Awaitable[type[AccountState]]],
    producer: AIOKafkaProducer,
    eventually: Eventually,
) -> None:
    account_class, tried = await new_account_class(largest=1_000), []

    async def handler(event: AccountState) -> None:
        tried.append(event.account_id)
        raise UniqueViolation

    large = account_class(account_id=1, version=1, username="ada" * 500, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    await send(producer, large)
    async with consuming(kafka_servers, account_class, handler) as consumers:
        await eventually(lambda: len(tried) == 3)
        for _ in range(20):  # so that what is read again comes at once
            await send(producer, large)
            await asyncio.sleep(0.1)
        assert await consumers.problem() == f"{account_class.topic}: a dead letter can't be put aside, MessageSizeTooLargeError"
        assert tried == [1, 1, 1]


async def test_tombstones_and_contracts_of_the_future_are_passed_over(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    seen, event = Seen(), account(1)
    await put(producer, event, None)
    await put(producer, event, b'{"something": "else"}', [("ce_dataschema", f"{event.topic}.v2".encode())])
    await put(producer, event, event.model_dump_json().encode()[:-1] + b',"unheard_of":[1]}')
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: seen == [(1, 1)])
    assert await read(dead_letter_topic(event.topic, "tests"), 0) == []


async def test_a_type_never_heard_of_is_read_by_its_state(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, eventually: Eventually
) -> None:
    seen, event = Seen(), account(1)
    await put(producer, event, event.model_dump_json().encode(), [("ce_type", b"account.knighted")])
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: seen == [(1, 1)])


async def test_a_handler_that_always_fails_is_tried_three_times_and_leaves_nothing_behind(
    kafka_servers: str,
    database: Database,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    read: Read,
    eventually: Eventually,
) -> None:
    tried = []

    async def handler(event: AccountState, session: AsyncSession) -> None:
        tried.append(event.key)
        await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.key})
        if event.account_id == 2:
            raise RuntimeError("a fault of ours")

    await send(producer, account(1), account(2), account(3))
    async with consuming(kafka_servers, account_class, handler, database):
        await eventually(lambda: _last(database, "3"))
    assert tried == ["1", "2", "2", "2", "3"]
    assert await effects(database) == ["1", "3"]
    (dead,) = await read(dead_letter_topic(account_class.topic, "tests"), 1)
    assert dead.key == b"2"
    assert dict(dead.headers)["x-error"] == b"RuntimeError: a fault of ours"


async def test_what_passes_is_waited_out_in_order_and_told_meanwhile(
    kafka_servers: str,
    database: Database,
    account_class: type[AccountState],
    account: Make,
    producer: AIOKafkaProducer,
    read: Read,
    eventually: Eventually,
) -> None:
    back, tried = asyncio.Event(), 0

    async def handler(event: AccountState, session: AsyncSession) -> None:
        nonlocal tried
        tried += 1
        await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": event.key})
        if not back.is_set():
            raise Transient

    await send(producer, account(1), account(2), account(3))
    async with consuming(kafka_servers, account_class, handler, database) as consumers:
        await eventually(lambda: tried > 4)  # more often than a fault of ours would be tried
        assert await consumers.problem() == f"{account_class.topic}: waiting, Transient"
        back.set()
        await eventually(lambda: _last(database, "3"))
        assert await consumers.problem() is None
    assert await effects(database) == ["1", "2", "3"]
    assert await read(dead_letter_topic(account_class.topic, "tests"), 0) == []


async def test_a_second_try_that_succeeds_makes_no_dead_letter(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    tried: list[int] = []

    async def handler(event: AccountState) -> None:
        tried.append(event.account_id)
        if tried == [1]:
            raise RuntimeError

    await send(producer, account(1), account(2))
    async with consuming(kafka_servers, account_class, handler):
        await eventually(lambda: tried == [1, 1, 2])
    assert await read(dead_letter_topic(account_class.topic, "tests"), 0) == []


@pytest.mark.slow
async def test_a_bad_release_stops_after_twenty_dead_letters_and_a_good_one_goes_on(
    kafka_servers: str, account_class: type[AccountState], account: Make, producer: AIOKafkaProducer, read: Read, eventually: Eventually
) -> None:
    tried: list[int] = []

    async def broken(event: AccountState) -> None:
        tried.append(event.account_id)
        raise UniqueViolation

    await send(producer, *(account(number) for number in range(30)))
    async with consuming(kafka_servers, account_class, broken) as consumers:
        await eventually(lambda: _stopped(consumers), 40)
        assert await consumers.problem() == f"{account_class.topic}: stopped after 20 dead letters in a row, UniqueViolation"
        assert max(tried) == 20
    seen = Seen()
    async with consuming(kafka_servers, account_class, seen):
        await eventually(lambda: len(seen) == 10)
    assert seen == [(number, 1) for number in range(20, 30)]
    assert len(await read(dead_letter_topic(account_class.topic, "tests"), 20)) == 20


async def _stopped(consumers: Consumers) -> bool:
    return "stopped" in (await consumers.problem() or "")


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


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (Transient(), True),
        (KafkaError(), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (httpx.ConnectTimeout("slow"), True),
        (OperationalError("", None, Exception()), True),
        (NotFound(), False),
        (ValueError(), False),
        (UniqueViolation(), False),
        (httpx.HTTPStatusError("no", request=httpx.Request("GET", "http://x"), response=httpx.Response(400)), False),
    ],
)
def test_only_what_waiting_can_cure_is_waited_for(error: Exception, helps: bool) -> None:
    assert passes(error) is helps


def record(value: bytes | None, schema: bytes) -> ConsumerRecord:
    return ConsumerRecord("auth.accounts", 0, 0, 0, 0, b"1", value, None, 0, 0, (("ce_dataschema", schema),))


def test_a_schema_of_another_topic_is_no_newer_contract_but_a_mistake() -> None:
    with pytest.raises(Undecodable):
        decode(AccountState, record(b'{"post_id": 1}', b"posts.posts.v1"))


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
