"""Keeping the indices fed, also after they lost something: they remember up to which offset of each partition they were fed.

Every so often that place is compared with what the consumer group has committed. An engine that came back with older data (or with none)
remembers an earlier place than the group: then what is missing is read again, from where the indices stopped, into the same indices.
Indices that had to be made anew, since one was lost or the schema was raised, are a generation of their own, of which nobody remembers a place:
they are fed from the topics' beginning, beside what is consumed meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from common.errors import Transient
from common.events import Event, PostState, ProfileState
from common.kafka import Undecodable, decode

from search import projections
from search.confirming import Confirmer
from search.index import Document, Index, Refused

log = logging.getLogger(__name__)

_EVERY: Final = 15.0
_IDLE: Final = 1.0
_NOTED_EVERY: Final = 1.0
_UNSURE_MS: Final = 60_000
"""What was consumed so shortly before this process began, nobody has confirmed: it is read again."""

SOURCES: Final[dict[str, tuple[type[Event], Callable[..., Iterable[Document]]]]] = {
    PostState.topic: (PostState, projections.of_post),
    ProfileState.topic: (ProfileState, projections.of_profile),
}


class Feeder:
    """Compares, and reads again what the indices lost."""

    def __init__(self, index: Index, servers: str, confirmer: Confirmer) -> None:
        self._index = index
        self._confirmer = confirmer
        self._servers = servers
        self._places: dict[str, int] = {}
        self._noted = float("-inf")
        self._whole: str | None = None
        """The generation that this process has compared: until then, a place says nothing about what lies before it."""
        self._began: int | None = int(time.time() * 1000)

    async def prepare(self) -> None:
        """Make the indices; raises `Transient` while Elasticsearch is away."""
        await self._index.prepare()

    async def watch(self) -> None:
        """Look every 15 seconds, and once at the start."""
        while True:
            try:
                await self.catch_up()
                await self._sweep()
            except Transient:
                pass  # consuming waits as well, and says so
            except KafkaError as error:
                log.warning("the index can't be compared", extra={"reason": type(error).__name__})
            await asyncio.sleep(_EVERY)

    async def catch_up(self) -> int:
        """Make what indices are missing, and read what lies between what they remember and what the group has committed.

        Returns how many events that was. Raises `Transient` while Elasticsearch is away, `aiokafka.errors.KafkaError` while Kafka is.
        """
        await self._index.prepare()
        generation = self._index.generation
        committed = {topic: await self._committed(topic) for topic in SOURCES}
        if self._whole == generation:
            await self._note()  # after asking the group, so that what is being consumed meanwhile doesn't look lost
        reached = await self._index.reached() or {}
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers.split(","), enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        await asyncio.sleep(0)  # its tasks begin: one that hasn't is cancelled together with whoever stops it
        fed = 0
        try:
            for topic, offsets in committed.items():
                for number, offset in offsets.items():
                    partition = TopicPartition(topic, number)
                    behind = reached.get(place(topic, number), -1) + 1
                    sure = await self._sure(consumer, partition, offset)
                    if min(behind, sure) < offset:
                        fed += await self._feed(consumer, partition, min(behind, sure), offset)
            self._began, self._whole = None, generation
        finally:
            await consumer.stop()
        if fed:
            log.info("the index was fed again", extra={"events": fed})
        return fed

    async def apply(self, events: Sequence[Event]) -> None:
        """Write what events say. Raises `Transient` and `search.index.Refused`."""
        documents = [document for event in events for document in SOURCES[event.topic][1](event)]
        await self._index.put(documents)
        for document in documents:
            self._confirmer.expect(document)

    async def remember(self, topic: str, partition: int, offset: int) -> None:
        """Note how far a partition was fed, at most once a second: a place that is too early only means reading some events again."""
        now = asyncio.get_running_loop().time()
        self._places[place(topic, partition)] = offset
        if now - self._noted < _NOTED_EVERY or self._whole != self._index.generation:
            return
        self._noted = now
        with suppress(Transient):  # the next one notes it
            await self._note()

    async def _sweep(self) -> None:
        gone = await self._index.sweep()
        if gone:
            log.info("indices of earlier versions were deleted", extra={"indices": gone})

    async def _note(self) -> None:
        places, self._places = self._places, {}
        for name, offset in places.items():
            await self._index.remember(name, offset)

    async def _feed(self, consumer: AIOKafkaConsumer, partition: TopicPartition, begin: int, end: int) -> int:
        consumer.assign([partition])
        first = (await consumer.beginning_offsets([partition]))[partition]
        consumer.seek(partition, max(begin, first))
        event_class, _ = SOURCES[partition.topic]
        fed, position = 0, max(begin, first)
        while position < end:
            records = (await consumer.getmany(partition, timeout_ms=int(_IDLE * 1000), max_records=200)).get(partition, [])
            events = [event for record in records if (event := _event(event_class, record)) is not None]
            try:
                await self.apply(events)
            except Refused:
                await self._apply_each(events)
            fed += len(events)
            moved = await consumer.position(partition)
            if moved == position and not records:
                break
            position = moved
        await self._index.remember(place(partition.topic, partition.partition), end - 1)
        return fed

    async def _apply_each(self, events: Sequence[Event]) -> None:
        for event in events:
            with suppress(Refused):  # it lies with the dead letters already
                await self.apply([event])

    async def _sure(self, consumer: AIOKafkaConsumer, partition: TopicPartition, end: int) -> int:
        """From which offset on it isn't certain that an earlier process's writes have stayed."""
        if self._began is None:
            return end
        found = (await consumer.offsets_for_times({partition: self._began - _UNSURE_MS}))[partition]
        return found.offset if found is not None else end

    async def _committed(self, topic: str) -> dict[int, int]:
        """What the group has committed, by partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers.split(","))
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(f"search.{topic}")
        finally:
            await admin.close()
        return {part.partition: found.offset for part, found in offsets.items() if part.topic == topic and found.offset >= 0}


def _event(event_class: type[Event], record: ConsumerRecord) -> Event | None:
    """What a record says, None if it can't be read: then it lies with the dead letters already."""
    try:
        return decode(event_class, record) if record.value is not None else None
    except Undecodable:
        return None


def place(topic: str, partition: int) -> str:
    """The name under which a partition's progress is kept."""
    return f"{topic}.{partition}"
