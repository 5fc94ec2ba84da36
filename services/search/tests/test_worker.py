"""The worker on a real broker: it takes what is well-formed, lays the rest aside, and feeds its indices again."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from common.events import Event, PostState
from common.testing.plugin import free_port
from common.topics import dead_letter_topic
from search import feeding, index
from search.confirming import Confirmer
from search.feeding import Feeder
from search.index import KINDS
from search.rebuilding import rebuild
from search.worker import create_worker

if TYPE_CHECKING:
    from .conftest import World

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DEAD = TopicPartition(dead_letter_topic(PostState.topic, "search"), 0)


class Broker:
    """Publishes as the relay of another service would."""

    def __init__(self, servers: str, producer: AIOKafkaProducer) -> None:
        self.servers = servers
        self._producer = producer

    async def publish(self, *events: Event) -> None:
        for event in events:
            await self.raw(event.topic, event.key, event.model_dump_json().encode(), event.data_schema())

    async def raw(self, topic: str, key: str, value: bytes | None, schema: str = "", headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        told = [("ce_dataschema", schema.encode()), *headers]
        await self._producer.send_and_wait(topic, value, key=key.encode(), headers=told)

    async def dead(self) -> list[bytes]:
        """What lies with the dead letters of posts."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([DEAD])
            await consumer.seek_to_beginning(DEAD)
            end = (await consumer.end_offsets([DEAD]))[DEAD]
            values: list[bytes] = []
            while await consumer.position(DEAD) < end:
                found = await consumer.getmany(DEAD, timeout_ms=1000)
                values += [record.value or b"" for record in found.get(DEAD, [])]
            return values
        finally:
            await consumer.stop()


async def eventually(wanted: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await wanted():
            await asyncio.sleep(0.05)


@pytest.fixture
async def broker(kafka_servers: str) -> AsyncIterator[Broker]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka_servers, acks="all")
    await producer.start()
    yield Broker(kafka_servers, producer)
    await producer.stop()


@pytest.fixture
def word() -> str:
    """A word that no other test says: the topics are shared."""
    return "w" + secrets.token_hex(8)


@asynccontextmanager
async def working(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A worker, and the way to its probes."""
    monkeypatch.setenv("MICROBLOG_KAFKA_SERVERS", broker.servers)
    monkeypatch.setenv("MICROBLOG_REPLICA", "test-0")
    app = create_worker()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as probes,
    ):
        yield probes


def new_feeder(world: "World", broker: Broker) -> Feeder:
    """That of a process that begins now."""
    return Feeder(world.index, broker.servers, Confirmer(world.index))


async def catch_up(feeder: Feeder) -> int:
    """Have it compared, in a task of its own: one that is cancelled from within would take the test's along."""
    task = asyncio.create_task(feeder.catch_up())
    await asyncio.wait([task])
    assert not task.cancelled(), "it was cancelled, by nobody"
    return task.result()


async def test_what_is_malformed_is_laid_aside_and_holds_nothing_up(
    world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = secrets.randbits(40)
    good = world.post(number, f"{word} good", tags=[word])
    topic, key, schema = good.topic, good.key, PostState.data_schema()
    bad = [f'{{"half": "{word}'.encode(), f'"{word}"'.encode(), f'{{"post_id": "{word}"}}'.encode(), b"\xff" + word.encode()]
    async with working(broker, monkeypatch) as probes:
        for value in bad:
            await broker.raw(topic, key, value, schema)
        await broker.raw(topic, key, None, schema)
        await broker.raw(topic, key, b'{"in": "a shape that nobody knows yet"}', f"{topic}.v2")
        unknown = {**json.loads(good.model_dump_json()), "mood": {"new": True}}
        await broker.raw(topic, key, json.dumps(unknown).encode(), schema, headers=(("x-odd", b"\xff\xfe"), ("traceparent", b"nonsense")))
        await broker.publish(world.profile(number, word))
        await eventually(lambda: _is(world.posts(word), [number]))
        await eventually(lambda: _is(world.accounts(word), [number]))
        await eventually(lambda: _is(world.hashtags(word), [word]))
        assert (await probes.get("/health/self")).status_code == 200
    assert sorted(value for value in await broker.dead() if word.encode() in value) == sorted(bad)


async def test_an_index_that_was_lost_is_fed_again(world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = secrets.randbits(40)
    post, gone = world.post(number, f"{word} stays"), world.post(number + 1, f"{word} goes")
    who = world.profile(number, word)
    async with working(broker, monkeypatch):
        await broker.publish(post, gone, who, gone.model_copy(update={"version": 2, "deleted": True, "plain": ""}))
        last = world.post(number + 2, f"{word} last")
        await broker.publish(last)
        await eventually(lambda: _is(world.accounts(word), [number]))
        await eventually(lambda: _same(world.posts(word), {number, number + 2}))
    before = {name: told for name, told in (await world.everything()).items() if "progress" not in name}
    await world.index.clear()
    feeder = new_feeder(world, broker)
    assert await catch_up(feeder) >= 5
    after = {name: told for name, told in (await world.everything()).items() if "progress" not in name}
    assert {name: after.get(name) for name in before} == before
    assert set(await world.posts(word)) == {number, number + 2}


async def test_an_engine_that_came_back_older_is_fed_from_where_it_stopped(
    world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = secrets.randbits(40)
    post = world.post(number, f"{word} lost")
    async with working(broker, monkeypatch):
        await broker.publish(post)
        await eventually(lambda: _is(world.posts(word), [number]))
    feeder = new_feeder(world, broker)
    await catch_up(feeder)  # everything, and what was consumed a moment ago once more
    await world.refresh()
    reached = await world.index.reached()
    assert reached
    await world.index.clear()
    for name, offset in reached.items():
        await world.index.remember(name, offset - 1)
    await world.refresh()
    assert await catch_up(feeder) <= len(reached)
    await world.refresh()
    assert await world.index.reached() == reached


@pytest.mark.parametrize("kind", ["posts", "accounts", "hashtags", "progress"])
async def test_one_index_that_was_lost_is_fed_again_whatever_is_consumed_meanwhile(
    world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    number = secrets.randbits(40)
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number, word, tags=[word]), world.profile(number, word))
        await eventually(lambda: _is(world.posts(word), [number]))
        await eventually(lambda: _is(world.accounts(word), [number]))
    await world.index.elastic.indices.delete(index=await world.index_of(kind))
    await world.index.prepare()  # by whichever process looks first
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number + 1, word), world.profile(number + 1, word))
        await eventually(lambda: _same(world.posts(word), {number, number + 1}))
        await eventually(lambda: _same(world.accounts(word), {number, number + 1}))
        await eventually(lambda: _is(world.hashtags(word), [word]))


async def test_a_raised_schema_fills_new_indices_beside_the_old_which_go_a_day_later(
    world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = secrets.randbits(40)
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number, word, tags=[word]))
        await eventually(lambda: _is(world.posts(word), [number]))
    old = {kind: await world.index_of(kind) for kind in KINDS}
    monkeypatch.setattr(index, "SCHEMA", index.SCHEMA + 1)
    try:
        async with working(broker, monkeypatch):
            await broker.publish(world.post(number + 1, word))
            await world.index.prepare()
            await eventually(lambda: _same(world.posts(word), {number, number + 1}))
            await eventually(lambda: _is(world.hashtags(word), [word]))
        assert await world.index.sweep() == []
        kept = (await world.index.elastic.search(index=old["posts"], query={"term": {"post_id": number}}))["hits"]["hits"]
        assert [hit["_id"] for hit in kept] == [str(number)]
        monkeypatch.setattr(index, "_KEPT", -1.0)
        assert set(old.values()) <= set(await world.index.sweep())
        assert set(await world.posts(word)) == {number, number + 1}
    finally:
        for kind in KINDS:
            await world.index.elastic.indices.delete(index=await world.index_of(kind))


async def test_a_rebuild_leaves_out_what_is_refused_and_keeps_finding_and_hearing_meanwhile(
    world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = secrets.randbits(40)
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number, word), world.post(2**63 + number, word), world.post(number + 1, word))
        await eventually(lambda: _same(world.posts(word), {number, number + 1}))
        before, written = await world.index_of("posts"), number + 1
        rebuilding = asyncio.create_task(rebuild(world.index, broker.servers))
        while not rebuilding.done():
            assert {number, number + 1} <= set(await world.posts(word, limit=200)), "searches see the old index until the new one is whole"
            written += 1
            await broker.publish(world.post(written, word))
            await asyncio.sleep(0.05)
        assert (await rebuilding)["posts"] >= 2
        await eventually(lambda: _same(world.posts(word, limit=200), set(range(number, written + 1))))
    assert await world.index_of("posts") != before
    assert await catch_up(new_feeder(world, broker)) >= 0
    reached = await world.index.reached()
    assert reached, "after a rebuild nothing needs to be fed again"


async def test_what_lost_nothing_is_not_fed_again(world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = secrets.randbits(40)
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number, word))
        await eventually(lambda: _is(world.posts(word), [number]))
    feeder = new_feeder(world, broker)
    await catch_up(feeder)
    assert [await catch_up(feeder) for _ in range(2)] == [0, 0]


async def test_an_index_is_watched_for_ever(world: "World", broker: Broker, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_EVERY", 0.1)
    number = secrets.randbits(40)
    async with working(broker, monkeypatch):
        await broker.publish(world.post(number, word))
        await eventually(lambda: _is(world.posts(word), [number]))
    watching = asyncio.ensure_future(new_feeder(world, broker).watch())
    try:
        await asyncio.wait([watching], timeout=8)
        await world.index.clear()
        async with asyncio.timeout(30):
            while await world.posts(word) != [number]:
                assert not watching.done()
                await asyncio.sleep(0.1)
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_the_worker_waits_for_elasticsearch_and_says_so(world: "World", broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_ELASTICSEARCH_URL", f"http://127.0.0.1:{free_port()}")
    async with working(broker, monkeypatch) as probes:
        answer = await probes.get("/health/self")
        assert answer.status_code == 503
        assert "elasticsearch" in answer.text
        assert (await probes.get("/health/live")).status_code == 200


async def _is(found: Awaitable[Any], wanted: list[int]) -> bool:
    return bool(await found == wanted)


async def _same(found: Awaitable[Any], wanted: set[int]) -> bool:
    return set(await found) == wanted
