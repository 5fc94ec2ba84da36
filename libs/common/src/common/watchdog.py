"""Ends a worker whose consumers get nowhere while there is something to read: a fresh process is the cure for a stuck client.

After a broker's restart aiokafka can hang, or go on reading without being in its group, without any public sign of it: what it reads then is
never acknowledged, and given to another replica as well. So the measure is what the group has committed, as the broker knows it.
"""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from common.kafka import Consumers
from common.stacks import waiting

log = logging.getLogger(__name__)

_EVERY: Final = 15.0
_PATIENCE: Final = 45.0
_ANSWER: Final = 10.0


@dataclass
class _Seen:
    """What the last looks at a consumer showed: where its topic ended when all of it was committed, what was committed, and since when."""

    read_to: dict[TopicPartition, int] = field(default_factory=dict)
    committed: dict[TopicPartition, int] | None = None
    since: float | None = None


class Watchdog:
    """Compares what was committed with what is there, every 15 s; 45 s of lag without a step end the process."""

    def __init__(self, consumers: Consumers) -> None:
        self._consumers = consumers
        self._seen: dict[str, _Seen] = {}
        self.lag: dict[str, int] = {}
        """Records that are still to be read, by topic, as of the last look."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            for subscriber in self._consumers.broker.subscribers:
                consumer: AIOKafkaConsumer | None = getattr(subscriber, "consumer", None)
                if consumer is not None:
                    await self._look(consumer)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        name = ",".join(sorted(consumer.subscription()))
        seen = self._seen.setdefault(name, _Seen())
        parts = consumer.assignment() or _all_of(consumer)
        try:
            async with asyncio.timeout(_ANSWER):  # `wait_for` would lose an end that it is told in the moment of the answer
                ends = await consumer.end_offsets(parts)
        except (KafkaError, OSError, TimeoutError):
            return  # the broker is away: nobody can move
        if all(seen.read_to.get(part) == end for part, end in ends.items()):
            seen.since = None
            return
        committed = await _committed(consumer, parts)
        if committed is not None:
            self.lag[name] = sum(max(0, end - committed[part]) for part, end in ends.items())
        now = asyncio.get_running_loop().time()
        if committed is not None and self.lag[name] == 0:
            seen.read_to, seen.since = ends, None
        elif await self._consumers.problem() is not None:
            seen.since = None  # waiting on purpose
        elif seen.since is None or committed != seen.committed:
            seen.since = now
        elif now - seen.since > _PATIENCE:
            log.critical("consumer gets nowhere, the process ends", extra={"topic": name, "lag": self.lag.get(name), "tasks": waiting()})
            os._exit(70)
        seen.committed = committed


def _all_of(consumer: AIOKafkaConsumer) -> set[TopicPartition]:
    """Every partition of its topics: whoever is given none may be out of the group without knowing."""
    return {TopicPartition(topic, number) for topic in consumer.subscription() for number in consumer.partitions_for_topic(topic) or ()}


async def _committed(consumer: AIOKafkaConsumer, parts: set[TopicPartition]) -> dict[TopicPartition, int] | None:
    """What the group has acknowledged; None when the client can't say, although the broker answers it."""
    try:
        async with asyncio.timeout(_ANSWER):
            return {part: await consumer.committed(part) or 0 for part in parts}
    except (KafkaError, OSError, TimeoutError):
        return None
