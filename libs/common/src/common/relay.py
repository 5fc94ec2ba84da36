"""Carries the outbox to Kafka: one active relay for each service, woken by NOTIFY, polling as the fall-back."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from psycopg import AsyncConnection, sql

from common import telemetry
from common.outbox import CHANNEL
from common.postgres import address

log = logging.getLogger(__name__)

_LEADER_LOCK: Final = 0x6D6963726F  # any number, the same for every relay of one database
_BATCH: Final = 500
_POLL_SECONDS: Final = 2.0
_GATHER_SECONDS: Final = 0.02
"""How long a woken relay waits for more. Who must know at once is told ahead of Kafka; a broker and five consumers at work in the same
milliseconds as the request itself would only slow it, and records that travel together cost less."""
_GATHER_BUSY_SECONDS: Final = 0.1
"""How long while events keep coming: then as many travel together as fit into a delay that nobody sees."""
_BUSY_SECONDS: Final = 0.25
"""Events keep coming when there were some within this time before."""
_COUNT_SECONDS: Final = 10.0
_SWEEP_SECONDS: Final = 600.0
_JOURNAL_DAYS: Final = 3

_WAITING: Final = """
    SELECT id, event_id, topic, key, type, schema, happened_at, traceparent, body, durable
    FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT %s
"""
_HOW_MANY: Final = """
    SELECT count(*), greatest(0, extract(epoch FROM now() - min(happened_at)))::float8 FROM outbox WHERE published_at IS NULL
"""


class Relay:
    """Publishes committed events with `acks=all` and forgets them only after the broker's answer.

    Without the client's idempotent mode, which can wedge for ever after a broker's restart: consumers expect events twice.
    An advisory lock makes one relay active however many run, since several would invert the order within a key.
    """

    def __init__(self, url: str, servers: str, service: str) -> None:
        self._url = address(url)
        self._servers = servers
        self._service = service
        self._task: asyncio.Task[None] | None = None
        self.problem: str | None = "relay: starting"
        self.leading = False
        self.waiting: int | None = None
        """Events that wait in the outbox, as of the last count; None while another relay leads, or where telemetry is off."""
        self.oldest = 0.0
        """Seconds for which the oldest of them had been waiting then."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox relay")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause = 0.2
        while True:
            try:
                await self._lead()
            except Exception as error:
                pause = 0.2 if self.leading else pause
                self.leading = False
                self.problem = f"relay: {type(error).__name__}"
                log.warning("relay waits", extra={"reason": str(error).strip()[:200], "seconds": pause})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _lead(self) -> None:
        """Publish for as long as connections hold; returns never, raises when one breaks."""
        async with await AsyncConnection.connect(self._url, autocommit=True) as connection:
            while not await self._elected(connection):
                self.problem, self.waiting = None, None  # a follower in good health: another relay leads
                await asyncio.sleep(_POLL_SECONDS)
            await self._count(connection)  # also where no broker is there to publish to
            producer = AIOKafkaProducer(
                bootstrap_servers=self._servers.split(","),
                acks="all",
                enable_idempotence=False,
                linger_ms=0,
                request_timeout_ms=10_000,
                client_id=f"{self._service}-relay",
            )
            try:
                await producer.start()
                # Not before, since whoever listens and doesn't read keeps every notification in memory.
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                self.leading, self.problem = True, None
                await self._publish_for_ever(connection, producer)
            finally:
                with suppress(KafkaError, OSError, asyncio.TimeoutError):
                    async with asyncio.timeout(5):
                        await producer.stop()

    async def _elected(self, connection: AsyncConnection[Any]) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER_LOCK,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def _count(self, connection: AsyncConnection[Any]) -> None:
        if telemetry.enabled():
            cursor = await connection.execute(_HOW_MANY)
            self.waiting, self.oldest = await cursor.fetchone() or (0, 0.0)

    async def _publish_for_ever(self, connection: AsyncConnection[Any], producer: AIOKafkaProducer) -> None:
        loop = asyncio.get_running_loop()
        swept = counted = float("-inf")
        while True:
            if loop.time() - counted > _COUNT_SECONDS:
                await self._count(connection)
                counted = loop.time()
            published = await self._publish_batch(connection, producer)
            if loop.time() - swept > _SWEEP_SECONDS:
                await connection.execute("DELETE FROM outbox WHERE published_at < now() - make_interval(days => %s)", (_JOURNAL_DAYS,))
                swept = loop.time()
            ended = loop.time()
            if published < _BATCH:
                async for _ in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                    busy = published and loop.time() - ended < _BUSY_SECONDS
                    await asyncio.sleep(_GATHER_BUSY_SECONDS if busy else _GATHER_SECONDS)

    async def _publish_batch(self, connection: AsyncConnection[Any], producer: AIOKafkaProducer) -> int:
        cursor = await connection.execute(_WAITING, (_BATCH,), prepare=True)
        rows = await cursor.fetchall()
        if not rows:
            return 0
        sent, sending = [], []
        for row in rows:
            try:
                sending.append(await producer.send(row[2], row[8], key=row[3].encode(), headers=_headers(self._service, row)))
                sent.append(row)
            except MessageSizeTooLargeError:
                await self._set_aside(connection, row)
        results = await asyncio.gather(*sending, return_exceptions=True)
        failed = [(row[2:4], result) for row, result in zip(sent, results, strict=True) if isinstance(result, BaseException)]
        # What follows a failure under the same key is sent again after it, so that the last word of the topic is the newest.
        again = {place for place, _ in failed}
        await _forget(connection, [row for row in sent if row[2:4] not in again])
        if failed:
            raise failed[0][1]
        return len(rows)

    async def _set_aside(self, connection: AsyncConnection[Any], row: tuple[Any, ...]) -> None:
        """No broker takes it, and waiting for it would stop all the others: it stays in the outbox for whoever looks (`published_at` infinity)."""
        await connection.execute("UPDATE outbox SET published_at = 'infinity' WHERE id = %s", (row[0],))
        log.error("event too large for Kafka set aside", extra={"topic": row[2], "key": row[3], "bytes": len(row[8])})


async def _forget(connection: AsyncConnection[Any], rows: list[tuple[Any, ...]]) -> None:
    """State can be told again from the tables; triggers are kept for some days, nothing else remembers them."""
    states = [row[0] for row in rows if not row[9]]
    triggers = [row[0] for row in rows if row[9]]
    if states:
        await connection.execute("DELETE FROM outbox WHERE id = ANY(%s)", (states,), prepare=True)
    if triggers:
        await connection.execute("UPDATE outbox SET published_at = now() WHERE id = ANY(%s)", (triggers,), prepare=True)


def _headers(service: str, row: tuple[Any, ...]) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0, binary mode of the Kafka binding."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(row[1]).encode()),
        ("ce_source", f"/{service}".encode()),
        ("ce_type", row[4].encode()),
        ("ce_subject", row[3].encode()),
        ("ce_time", row[6].isoformat().encode()),
        ("ce_dataschema", row[5].encode()),
        ("content-type", b"application/json"),
    ]
    if row[7]:
        headers.append(("traceparent", row[7].encode()))
    return headers
