"""Consuming: at least once, in order within a key, patient with what passes and done with what doesn't.

FastStream's default acknowledges before the handler ran and loses messages; only NACK_ON_ERROR kept everything when measured. Its nack seeks
back at once and for ever, so this module decides first what waits (`Transient`, an engine that is away) and what is dead.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from common.db import Database, is_away
from common.errors import Transient
from common.events import Event
from common.telemetry import NOTHING, count_dead_letter, enabled, span, tell_ages, timed
from common.topics import LARGEST_DEAD_LETTER, dead_letter_topic

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Handler = Callable[..., Awaitable[Any]]

FINISH: Final = 10.0
"""Seconds that events have which are being handled when the worker ends."""
_TRIES: Final = 3
_LONGEST_PAUSE: Final = 10.0
_MAX_DEAD_IN_A_ROW: Final = 20
_AT_ONCE: Final = 100
"""Records that are handled together."""
_LONGEST_TURN: Final = 5.0
"""Seconds after which what was handled of the records that came together is acknowledged, before the rest: it wouldn't be given again after a
crash, and whoever looks whether a consumer gets on (`common.watchdog`) sees slow ones move."""
_FETCHED_AT_ONCE: Final = 131_072
"""Bytes of a partition, or one record: what was fetched is acknowledged by one commit, which costs the broker as much as a record does."""
_LONGEST_FETCH: Final = 1.0
"""Seconds that the broker waits for something new. aiokafka asks for what it left out of a request only after its answer."""
_PARENTS: Final[ContextVar[Mapping[int, str | None]]] = ContextVar("parents", default=MappingProxyType({}))
"""The traces that events came with which are handled together, by `id`."""


class Undecodable(Exception):
    """The record can't be read; trying again can't help."""


class TooManyDead(Exception):
    """So many dead letters in a row that the fault is probably ours: stop rather than empty the topic into the bin."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    """What is done with the events of one topic: `handle` takes some, in their order, and may be given them again."""

    event_class: type[Event]
    handle: Callable[[Sequence[Any]], Awaitable[None]]
    together: bool = False
    every: float = 0.0


class Consumers:
    """The subscribers of one service's worker; `database` gives each handler its transaction."""

    def __init__(self, service: str, servers: str, replica: str, database: Database | None = None) -> None:
        self.service = service
        self.broker = KafkaBroker(
            servers.split(","),
            apply_types=False,
            client_id=replica,
            graceful_timeout=FINISH,
            logger=None,
        )
        self._replica = replica
        self._servers = servers
        self._database = database
        self._waiting: dict[str, str] = {}
        self._ending = asyncio.Event()
        self._dead_in_a_row: dict[str, int] = {}
        self._producer: AIOKafkaProducer | None = None
        self._after: Callable[[ConsumerRecord], Awaitable[None]] | None = None
        self._subscriptions: dict[str, _Subscription] = {}

    def after(self, callback: Callable[[ConsumerRecord], Awaitable[None]]) -> Callable[[ConsumerRecord], Awaitable[None]]:
        """Call this with every record that was handled, before it is acknowledged: for read models that remember their place."""
        self._after = callback
        return callback

    def on(self, event_class: type[E]) -> Callable[[Handler], Handler]:
        """Give every event of the class's topic to the handler: `handler(event, session)`, or `handler(event)` without a database.

        The session's transaction ends with the handler. The handler sees events twice, late and before their parents, and must not mind.
        """

        def register(handler: Handler) -> Handler:
            async def handle(events: Sequence[E]) -> None:
                (event,) = events
                if self._database is None:
                    await handler(event)
                else:
                    async with self._database.transaction() as session:
                        await handler(event, session)

            self._subscribe(handler, _Subscription(event_class, handle))
            return handler

        return register

    def on_many(self, event_class: type[E], *, every: float = 0.0) -> Callable[[Handler], Handler]:
        """Give the handler all events that have come: `handler(events)`, a sequence in their order; it opens transactions by itself.

        It is called once in `every` seconds at most: the first event is handled at once, and those that follow it gather meanwhile, since
        what is done together costs a fraction. When the handler raises it is given the same events again, one by one.
        """

        def register(handler: Handler) -> Handler:
            self._subscribe(handler, _Subscription(event_class, handler, together=True, every=every))
            return handler

        return register

    async def digest_again(self, topic: str, record: ConsumerRecord) -> None:
        """Give a dead letter of the topic to its handler once more, without Kafka's groups; raises what it raises, or `Undecodable`."""
        subscription = self._subscriptions[topic]
        event = decode(subscription.event_class, record)
        if event is not None:
            await subscription.handle([event])

    async def problem(self) -> str | None:
        """A health check: what consuming waits for, if anything."""
        return "; ".join(f"{topic}: {reason}" for topic, reason in self._waiting.items()) or None

    async def stop(self) -> None:
        """Finish what is being handled, commit it, and leave the groups, so that others go on at once; a crash leaves nothing."""
        self._ending.set()
        for subscriber in self.broker.subscribers:
            _leave_at_its_end(getattr(subscriber, "consumer", None))
        await self.broker.stop()
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    def _subscribe(self, handler: Handler, subscription: _Subscription) -> None:
        event_class = subscription.event_class
        topic = event_class.topic
        self._subscriptions[topic] = subscription

        async def receive(record: ConsumerRecord) -> None:
            await self._receive(subscriber.consumer, subscription, record)

        receive.__annotations__ = {"record": event_class, "return": None}  # what AsyncAPI shows
        receive.__name__ = handler.__name__
        receive.__doc__ = handler.__doc__
        subscriber = self.broker.subscriber(
            topic,
            group_id=f"{self.service}.{topic}",
            group_instance_id=f"{self._replica}.{topic}",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            auto_offset_reset="earliest",
            session_timeout_ms=30_000,
            heartbeat_interval_ms=3_000,  # as long as it takes until others hear that one left
            fetch_max_wait_ms=int(_LONGEST_FETCH * 1000),
            max_partition_fetch_bytes=_FETCHED_AT_ONCE,
            consumer_timeout_ms=10_000,  # aiokafka looks for something to fetch as often as this, although it is told
            parser=_parse,
            decoder=_decode,
            title=f"{topic}:{handler.__name__}",
        )
        subscriber(receive)

    async def _receive(self, consumer: AIOKafkaConsumer | None, subscription: _Subscription, first: ConsumerRecord) -> None:
        """Digest a record and what was fetched with it. FastStream commits the consumer's place when this returns: behind what was handled."""
        records = [first]
        began = asyncio.get_running_loop().time()
        until = began + _LONGEST_TURN
        if consumer is not None:
            for more in (await consumer.getmany(timeout_ms=0)).values():
                records += [_readable(record) for record in more]
            consumer.pause(*consumer.assignment())
        handled = 0
        try:
            while handled < len(records):
                some = records[handled : handled + _AT_ONCE]
                done = await self._digest(subscription, some, until)
                handled += done
                if done < len(some) or asyncio.get_running_loop().time() >= until:
                    break
        except BaseException:  # the process ends: FastStream goes back to the first record, nothing is committed
            handled = 0
            raise
        finally:
            if consumer is not None:
                _rewind(consumer, records[handled:])
                asyncio.get_running_loop().call_at(began + subscription.every, _resume, consumer)

    async def _digest(self, subscription: _Subscription, records: Sequence[ConsumerRecord], until: float) -> int:
        """Handle records one by one, or together where that is wanted and as long as it succeeds: else the one to blame has to be found.

        Return how many were handled or buried: all of them, unless it has to stop, or the loop's time is `until` after the first.
        """
        if subscription.together and len(records) > 1 and await self._digest_together(subscription, records):
            return len(records)
        for number, record in enumerate(records):
            if number and asyncio.get_running_loop().time() >= until:
                return number
            try:
                await self._digest_one(subscription, record)
            except (TooManyDead, KafkaError):
                return number
        return len(records)

    async def _digest_together(self, subscription: _Subscription, records: Sequence[ConsumerRecord]) -> bool:
        topic = subscription.event_class.topic
        try:
            with self._span(topic, None, map(_traceparent, records), len(records)):
                decoded = [
                    (decode(subscription.event_class, record), _traceparent(record)) for record in records if record.value is not None
                ]
                with _coming_with({id(event): parent for event, parent in decoded}):
                    await subscription.handle([event for event, _ in decoded if event is not None])
                for record in records:
                    if self._after is not None and record.value is not None:
                        await self._after(record)
                if enabled():
                    tell_ages(topic, map(_happened, records))
        except Exception as error:
            log.info("handled one by one", extra={"topic": topic, "records": len(records), "reason": type(error).__name__})
            return False
        self._dead_in_a_row[topic] = 0
        self._waiting.pop(topic, None)
        return True

    async def _digest_one(self, subscription: _Subscription, record: ConsumerRecord) -> None:
        topic = subscription.event_class.topic
        if record.value is None:
            return  # a tombstone: what it ends was told by a state with `deleted`
        with self._span(topic, _traceparent(record)):
            try:
                event = decode(subscription.event_class, record)
                if event is not None:
                    await self._patiently(topic, event, subscription)
                if self._after is not None:
                    await self._after(record)
                if enabled():
                    tell_ages(topic, (_happened(record),))
                self._dead_in_a_row[topic] = 0
            except Exception as error:
                await self._bury(topic, record, error)

    def _span(self, topic: str, parent: str | None, links: Iterable[str | None] = (), count: int = 1) -> AbstractContextManager[None]:
        """As OpenTelemetry's conventions for messaging have it: one message is processed within its trace, several with links to theirs."""
        if not enabled():
            return NOTHING
        several = {"messaging.batch.message_count": count} if count > 1 else {}
        attributes = {**_process(topic), "messaging.consumer.group.name": f"{self.service}.{topic}"}
        return timed(span(f"process {topic}", SpanKind.CONSUMER, parent, links, **attributes, **several), attributes)

    async def _patiently(self, topic: str, event: Event, subscription: _Subscription) -> None:
        """Call the handler until it succeeds; a fault of the engines is waited out, any other is tried three times."""
        failures, pause = 0, 0.1
        while True:
            try:
                await subscription.handle([event])
            except Exception as error:
                if not passes(error):
                    failures += 1
                    if failures >= _TRIES:
                        raise
                self._waiting[topic] = f"waiting, {type(error).__name__}"
                log.warning("consumer waits", extra={"topic": topic, "key": event.key, "reason": type(error).__name__, "seconds": pause})
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._waiting.pop(topic, None)
                return

    async def _bury(self, topic: str, record: ConsumerRecord, error: Exception) -> None:
        in_a_row = self._dead_in_a_row.get(topic, 0) + 1
        if in_a_row > _MAX_DEAD_IN_A_ROW:
            await self._stand_still(topic, f"stopped after {_MAX_DEAD_IN_A_ROW} dead letters in a row, {type(error).__name__}")
            raise TooManyDead(topic) from error
        headers = [
            *record.headers,
            ("x-error", f"{type(error).__name__}: {error}"[:500].encode()),
            ("x-origin", f"{record.topic}/{record.partition}/{record.offset}".encode()),
        ]
        try:
            producer = await self._dead_letters()
            await producer.send_and_wait(dead_letter_topic(topic, self.service), record.value, key=record.key, headers=headers)
        except KafkaError as refusal:
            await self._stand_still(topic, f"a dead letter can't be put aside, {type(refusal).__name__}")
            raise
        self._dead_in_a_row[topic] = in_a_row
        self._waiting.pop(topic, None)
        count_dead_letter(topic)
        log.error(
            "dead letter", extra={"topic": topic, "partition": record.partition, "offset": record.offset, "reason": type(error).__name__}
        )

    async def _stand_still(self, topic: str, reason: str) -> None:
        """Say why, and pause: what can't go on now is tried again then."""
        self._waiting[topic] = reason
        log.error("consumer stands still", extra={"topic": topic, "reason": reason})
        with suppress(TimeoutError):  # an end doesn't wait for this, or it would cut off what is being committed then
            async with asyncio.timeout(_LONGEST_PAUSE):
                await self._ending.wait()

    async def _dead_letters(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._servers.split(","),
                acks="all",
                client_id=f"{self._replica}-dead-letters",
                max_request_size=LARGEST_DEAD_LETTER,
            )
            await producer.start()
            self._producer = producer
        return self._producer


@contextmanager
def _coming_with(parents: Mapping[int, str | None]) -> Iterator[None]:
    before = _PARENTS.set(parents)
    try:
        yield
    finally:
        _PARENTS.reset(before)


@contextmanager
def alone(event: Event) -> Iterator[None]:
    """Within a handler of several events: what is done for this one belongs to the trace that it came with, and so does what follows from it."""
    with span(f"process {event.topic}", SpanKind.CONSUMER, _PARENTS.get().get(id(event)), **_process(event.topic)):
        yield


def decode(event_class: type[E], record: ConsumerRecord) -> E | None:
    """Return the event, None for a newer contract that this code can't know; raise `Undecodable`."""
    schema = _text(dict(record.headers).get("ce_dataschema"))
    if schema and schema != event_class.data_schema() and schema.startswith(f"{event_class.topic}.v"):
        log.info("event of another contract skipped", extra={"topic": record.topic, "schema": schema})
        return None
    try:
        return event_class.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise Undecodable(f"{error.error_count()} errors, first at {'.'.join(map(str, error.errors()[0]['loc']))}") from error


def passes(error: BaseException) -> bool:
    """Whether waiting can help."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    return isinstance(error, Transient | KafkaError | OSError | TimeoutError | httpx.TransportError) or is_away(error)


async def _parse(record: ConsumerRecord, original: Callable[[ConsumerRecord], Awaitable[Any]]) -> Any:
    """FastStream decodes headers before any middleware and silently loses a record whose header isn't UTF-8."""
    return await original(_readable(record))


def _readable(record: ConsumerRecord) -> ConsumerRecord:
    return replace(record, headers=[(name, (value or b"").decode("utf-8", "replace").encode()) for name, value in record.headers])


def _rewind(consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
    """Have the records read again: nothing may be acknowledged beyond one that wasn't handled."""
    earliest: dict[TopicPartition, int] = {}
    for record in records:
        earliest.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    for partition, offset in earliest.items():
        with suppress(IllegalStateError):  # it was given to another replica, which begins at what was committed
            consumer.seek(partition, offset)


def _resume(consumer: AIOKafkaConsumer) -> None:
    """Fetch again, from all partitions with one request.

    They are paused while records are handled: else aiokafka fetches from those without new records meanwhile, in a request that may take
    `_LONGEST_FETCH`, and asks for more of the others only after it.
    """
    with suppress(IllegalStateError):  # some were given to another replica meanwhile; an assignment that is new isn't paused
        consumer.resume(*consumer.paused())


def _leave_at_its_end(consumer: AIOKafkaConsumer | None) -> None:
    """Have a static member leave its group when it stops. aiokafka has no word for that: only members without a name leave (decision 17)."""
    coordinator = getattr(consumer, "_coordinator", None)
    if isinstance(coordinator, GroupCoordinator):
        coordinator._group_instance_id = None


async def _decode(message: Any) -> ConsumerRecord:
    record: ConsumerRecord = message.raw_message
    return record


def _process(topic: str) -> dict[str, str]:
    """https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/"""
    operation = {"messaging.operation.type": "process", "messaging.operation.name": "process"}
    return {"messaging.system": "kafka", "messaging.destination.name": topic, **operation}


def _traceparent(record: ConsumerRecord) -> str | None:
    return _text(dict(record.headers).get("traceparent")) or None


def _happened(record: ConsumerRecord) -> str:
    return _text(dict(record.headers).get("ce_time"))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
