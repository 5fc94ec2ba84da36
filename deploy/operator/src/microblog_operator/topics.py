"""How far each service is behind, and what lies in the dead-letter topics."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from common.topics import dead_letter_topic, declared, ensure_topics


@dataclass(frozen=True, slots=True)
class Lag:
    """How many records of a topic a service has still to read; None when it never read any."""

    service: str
    topic: str
    records: int | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a service could not digest; `error` and `origin` (topic/partition/offset) are what it noted."""

    topic: str
    partition: int
    offset: int
    buried_at: datetime
    key: str
    kind: str
    error: str
    origin: str
    record: ConsumerRecord


def dead_letter_topics() -> list[tuple[str, str, str]]:
    """Every dead-letter topic with the topic and the service that it belongs to."""
    return [(dead_letter_topic(topic.name, service), topic.name, service) for topic in declared() for service in topic.consumers]


async def lags(servers: str) -> list[Lag]:
    """Every consumer's lag. Raises `aiokafka.errors.KafkaError`."""
    read_by_somebody = [topic for topic in declared() if topic.consumers]
    async with _admin(servers) as admin, _reader(servers, *(topic.name for topic in read_by_somebody)) as reader:
        found, all_ends = [], await reader.end_offsets(reader.assignment())
        for topic in read_by_somebody:
            ends = {part: end for part, end in all_ends.items() if part.topic == topic.name}
            for service in topic.consumers:
                committed = await admin.list_consumer_group_offsets(f"{service}.{topic.name}")
                read = {part: entry.offset for part, entry in committed.items() if part.topic == topic.name and entry.offset >= 0}
                behind = sum(end - read.get(part, 0) for part, end in ends.items())
                found.append(Lag(service, topic.name, behind if read or not any(ends.values()) else None))
        return found


async def dead_letter_counts(servers: str) -> dict[str, int]:
    """How many records lie in each dead-letter topic that has any."""
    async with _reader(servers, *(name for name, _, _ in dead_letter_topics())) as reader:
        partitions = reader.assignment()
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
        counts: Counter[str] = Counter()
        for part in partitions:
            counts[part.topic] += ends[part] - begins[part]
    return {name: counts[name] for name in sorted(counts) if counts[name]}


async def record_count(servers: str) -> int:
    """How many records lie in all topics; none in those that don't exist."""
    existing = await _existing(servers)
    if not existing:
        return 0
    async with _reader(servers, *existing) as reader:
        partitions = reader.assignment()
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
        return sum(ends[part] - begins[part] for part in partitions)


async def empty(servers: str, replication: int) -> None:
    """Make all topics anew, so that nobody has read any of them. Raises `TimeoutError`."""
    async with _admin(servers) as admin:
        await admin.delete_topics(await _existing(servers))
    async with asyncio.timeout(60):
        while await _existing(servers):  # noqa: ASYNC110 - the broker answers before they are gone, and tells nobody
            await asyncio.sleep(0.2)
    await asyncio.to_thread(ensure_topics, servers, replication)


async def _existing(servers: str) -> list[str]:
    async with _admin(servers) as admin:
        known = set(await admin.list_topics())
    return [topic.name for topic in declared() if topic.name in known]


async def dead_letters(servers: str, topic: str) -> list[DeadLetter]:
    """What lies in a dead-letter topic now, oldest first."""
    async with _reader(servers, topic) as reader:
        partitions = reader.assignment()
        await reader.seek_to_beginning(*partitions)
        ends = await reader.end_offsets(partitions)
        letters: list[DeadLetter] = []
        while any([await reader.position(part) < ends[part] for part in partitions]):
            for records in (await reader.getmany(timeout_ms=1000)).values():
                letters += [_letter(record) for record in records if record.offset < ends[TopicPartition(topic, record.partition)]]
        return letters


async def drop(servers: str, letters: Sequence[DeadLetter]) -> None:
    """Delete these dead letters and those before them."""
    upto: dict[TopicPartition, int] = {}
    for letter in letters:
        part = TopicPartition(letter.topic, letter.partition)
        upto[part] = max(upto.get(part, 0), letter.offset + 1)
    async with _admin(servers) as admin:
        await admin.delete_records({part: RecordsToDelete(before_offset=offset) for part, offset in upto.items()})


def _letter(record: ConsumerRecord) -> DeadLetter:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        buried_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=(record.key or b"").decode("utf-8", "replace"),
        kind=headers.get("ce_type", ""),
        error=headers.get("x-error", ""),
        origin=headers.get("x-origin", ""),
        record=record,
    )


@asynccontextmanager
async def _admin(servers: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def _reader(servers: str, *names: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of these topics that has all their partitions, for there is no group."""
    reader = AIOKafkaConsumer(*names, bootstrap_servers=servers.split(","), enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
