"""Events that can't be digested, or not yet: what is buried, what is waited out, and what becomes of their neighbours."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from common.db import Database
from common.errors import NotFound, Transient
from common.events import AccountState
from common.kafka import Consumers, Undecodable, decode, passes
from common.topics import dead_letter_topic
from psycopg.errors import UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from .consuming import Eventually, Make, Read, Seen, consuming, effects, last_effect, put, send

pytestmark = pytest.mark.anyio

_LARGEST = 1_048_576
"""What a producer sends if it isn't told otherwise."""


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
        await eventually(lambda: last_effect(database, "3"))
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
        await eventually(lambda: last_effect(database, "3"))
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
