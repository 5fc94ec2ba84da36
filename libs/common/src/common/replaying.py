"""Reading topics from their beginning, beside the consumers and without a group: what fills a read model anew."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from common.events import Event
from common.kafka import Undecodable, decode

log = logging.getLogger(__name__)

_AT_ONCE: Final = 500
_PATIENCE_MS: Final = 1_000

Handle = Callable[[Sequence[Event]], Awaitable[None]]
Progress = Callable[[int, int], None]
"""Is told how many records were read and how many there are."""


class Replay:
    """All events of some topics in the order of their partitions; each call of `to_the_end` goes on where the last one stopped.

    With `behind`, a service's name, it never reads what that service's own consumers have still to digest.
    """

    def __init__(self, servers: str, kinds: Sequence[type[Event]], *, behind: str | None = None) -> None:
        self._servers = servers
        self._behind = behind
        self._kinds = {kind.topic: kind for kind in kinds}
        self._consumer = AIOKafkaConsumer(
            *self._kinds, bootstrap_servers=servers.split(","), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        """Raises `aiokafka.errors.KafkaError` when the broker can't be reached, or doesn't know a topic."""
        await self._consumer.start()
        self._partitions = sorted(self._consumer.assignment())  # all of them: there is no group
        await self._consumer.seek_to_beginning(*self._partitions)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._consumer.stop()

    async def to_the_end(self, handle: Handle, progress: Progress | None = None) -> int:
        """Hand over everything that the topics hold at this moment, in batches; return how many records that was.

        What can't be read lies with the dead letters and is passed over here.
        """
        ends = await self._ends()
        begins = {partition: await self._consumer.position(partition) for partition in self._partitions}
        total, done = sum(max(0, ends[partition] - begins[partition]) for partition in self._partitions), 0
        open_ = [partition for partition in self._partitions if begins[partition] < ends[partition]]
        while open_:
            found = await self._consumer.getmany(*open_, timeout_ms=_PATIENCE_MS, max_records=_AT_ONCE)
            events = [event for records in found.values() for event in self._readable(records)]
            if events:
                await handle(events)
            positions = {partition: await self._consumer.position(partition) for partition in open_}
            done = total - sum(max(0, ends[partition] - position) for partition, position in positions.items())
            if progress is not None:
                progress(done, total)
            open_ = [partition for partition, position in positions.items() if position < ends[partition]]
        return int(total)

    async def _ends(self) -> dict[TopicPartition, int]:
        """Up to which offset to read."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        if self._behind is None:
            return ends
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers.split(","))
        await admin.start()
        try:
            digested: dict[TopicPartition, int] = {}
            for topic in self._kinds:
                committed = await admin.list_consumer_group_offsets(f"{self._behind}.{topic}")
                digested |= {partition: entry.offset for partition, entry in committed.items()}
        finally:
            await admin.close()
        return {partition: min(end, max(0, digested.get(partition, 0))) for partition, end in ends.items()}

    def _readable(self, records: Sequence[ConsumerRecord]) -> list[Event]:
        events = []
        for record in records:
            try:
                event = decode(self._kinds[record.topic], record) if record.value is not None else None
            except Undecodable:
                continue
            if event is not None:
                events.append(event)
        return events
