"""The event process of a service: consumers, outbox relay, own loops, and a small HTTP face for probes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from aiokafka.errors import KafkaError
from starlette.applications import Starlette

from common import logs, telemetry
from common.db import Database
from common.health import Check, Health
from common.kafka import Consumers
from common.kafka_connections import mend
from common.relay import Relay
from common.settings import SharedSettings
from common.topics import declared
from common.watchdog import Watchdog

log = logging.getLogger(__name__)

Loop = Callable[[], Awaitable[None]]
"""Runs for as long as the worker does; an error is logged and it is started again after a pause."""


def create_worker_app(
    service: str,
    shared: SharedSettings,
    consumers: Consumers,
    *,
    database: Database | None = None,
    relay: Relay | None = None,
    checks: Sequence[Check] = (),
    loops: Sequence[Loop] = (),
    prepare: Callable[[], Awaitable[None]] | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> Starlette:
    """Return the ASGI application of a worker; `prepare` runs before consuming and is tried until it succeeds."""
    mend()
    health = Health(f"{service} worker")
    state = _State(service, consumers, prepare)
    health.add(state.problem)
    health.add(consumers.problem)
    for check in checks:
        health.add(check)
    if database is not None:
        health.add(database.answers)
    if relay is not None:
        health.add(_relay_check(relay))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        logs.set_up(f"{service} worker", shared.log_level)
        telemetry.set_up(f"{service}-worker", shared.otlp_endpoint)
        if database is not None:
            await database.open()
        if relay is not None:
            relay.start()
        watchdog = Watchdog(consumers)
        measure(service, watchdog, relay)
        tasks = [asyncio.create_task(state.connect(), name="consumers"), asyncio.create_task(watchdog.run(), name="watchdog")]
        tasks += [asyncio.create_task(_for_ever(loop), name=getattr(loop, "__qualname__", "loop")) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            with suppress(KafkaError, OSError):
                await consumers.stop()
            if relay is not None:
                await relay.stop()
            if close is not None:
                await close()
            if database is not None:
                await database.close()

    return Starlette(routes=health.routes(), lifespan=lifespan)


def measure(service: str, watchdog: Watchdog, relay: Relay | None) -> None:
    """Tell of what waits for a worker and for its relay, and of what it can't digest."""
    for topic in declared():
        if service in topic.consumers:
            telemetry.count_dead_letter(topic.name, 0)
    telemetry.gauge(
        "microblog.consumer.lag",
        "{record}",
        "records that are still to be read",
        lambda: [(lag, {"topic": topic}) for topic, lag in list(watchdog.lag.items())],
    )
    if relay is not None:
        telemetry.gauge(
            "microblog.outbox.waiting",
            "{event}",
            "events that wait to be published",
            lambda: [] if relay.waiting is None else [(relay.waiting, {})],
        )
        telemetry.gauge(
            "microblog.outbox.age",
            "s",
            "how long the oldest event has been waiting to be published",
            lambda: [] if relay.waiting is None else [(relay.oldest, {})],
        )


class _State:
    def __init__(self, service: str, consumers: Consumers, prepare: Callable[[], Awaitable[None]] | None) -> None:
        self._consumers = consumers
        self._prepare = prepare
        self._reason: str | None = "consumers: starting"

    async def problem(self) -> str | None:
        return self._reason

    async def connect(self) -> None:
        """Start consuming, however long the engines take to come."""
        pause = 0.2
        while True:
            try:
                if self._prepare is not None:
                    await self._prepare()
                await self._consumers.broker.start()
            except Exception as error:
                self._reason = f"consumers: {type(error).__name__}"
                log.warning("consumers wait", extra={"reason": str(error)[:200], "seconds": pause})
                with suppress(Exception):
                    await self._consumers.broker.stop()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                self._reason = None
                return


def _relay_check(relay: Relay) -> Callable[[], Awaitable[str | None]]:
    async def check() -> str | None:
        return relay.problem

    return check


async def _for_ever(loop: Loop) -> None:
    pause = 0.2
    while True:
        try:
            await loop()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.warning("a loop starts again", extra={"reason": f"{type(error).__name__}: {error}"[:200], "seconds": pause})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            pause = 0.2
