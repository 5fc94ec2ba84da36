"""What `search` hears: posts and profiles; each event's place is remembered in the index itself."""

from collections.abc import Sequence
from typing import Final

from aiokafka import ConsumerRecord
from common.events import PostState, ProfileState
from common.kafka import Consumers

from search.feeding import Feeder

_EVERY: Final = 0.1
"""Seconds: a fraction of the time that Elasticsearch takes to show what was written."""


def register(consumers: Consumers, feeder: Feeder) -> None:
    """Subscribe this worker's consumers."""

    @consumers.on_many(PostState, every=_EVERY)
    async def posts_changed(events: Sequence[PostState]) -> None:
        await feeder.apply(events)

    @consumers.on_many(ProfileState, every=_EVERY)
    async def profiles_changed(events: Sequence[ProfileState]) -> None:
        await feeder.apply(events)

    @consumers.after
    async def remember(record: ConsumerRecord) -> None:
        await feeder.remember(record.topic, record.partition, record.offset)
