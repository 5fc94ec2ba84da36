"""Hears of what happens: events from the end of their topics, without a group, while anybody listens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from common.events import Event, FeedMoment, NoticeTrigger, PostState
from pydantic import ValidationError

log = logging.getLogger(__name__)

_TOPICS: Final[dict[str, type[Event]]] = {event.topic: event for event in (PostState, FeedMoment, NoticeTrigger)}
_PATIENCE: Final = 2.0
"""Seconds that the first client waits at most until everything that happens is heard; what it missed then it has to read."""


class Heard(NamedTuple):
    """An event, and what happened, as its CloudEvents type says."""

    happened: str
    event: Event


class Listener:
    """Listens from when it is first asked to until `stop`."""

    def __init__(self, servers: str, tell: Callable[[Sequence[Heard]], Awaitable[None]]) -> None:
        self._servers = servers
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    async def hearing(self) -> None:
        """Begin to listen, and return when nothing that happens from now on is missed; while the broker is away, at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="streams")
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._begun.wait()

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._begun.clear()

    async def _run(self) -> None:
        pause = 0.5
        while True:
            consumer = AIOKafkaConsumer(
                *_TOPICS, bootstrap_servers=self._servers.split(","), auto_offset_reset="latest", enable_auto_commit=False
            )
            try:
                await consumer.start()
                for partition in consumer.assignment():
                    await consumer.position(partition)
                self._begun.set()
                pause = 0.5
                while True:
                    records = await consumer.getmany(timeout_ms=1000)
                    heard = [one for some in records.values() for record in some if (one := _read(record)) is not None]
                    if heard:
                        await self._tell(heard)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("streams tell nothing new", extra={"reason": type(error).__name__, "seconds": pause})
                self._begun.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)
            finally:
                await consumer.stop()


def _read(record: Any) -> Heard | None:
    headers = dict(record.headers)
    try:
        return Heard(headers.get("ce_type", b"").decode(), _TOPICS[record.topic].model_validate_json(record.value or b""))
    except (ValidationError, UnicodeDecodeError):  # the services put it aside
        return None
