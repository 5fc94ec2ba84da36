"""`topics.toml` says what the code does: who tells, who listens, what the broker is asked for."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from common.events import CONTRACTS, Event, Moment
from common.topics import dead_letter_topic, declared, ensure_topics

ROOT = Path(__file__).parents[3]
LIVING = [topic for topic in declared() if ".dead." not in topic.name]
BY_CLASS = {event.__name__: event for event in CONTRACTS}


def sources(service: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "services" / service / "src").rglob("*.py")))


SOURCES = {path.name: sources(path.name) for path in sorted((ROOT / "services").iterdir()) if (path / "src").is_dir()}


def test_each_topic_has_exactly_one_event_class_and_each_class_its_topic() -> None:
    assert sorted(topic.name for topic in LIVING) == sorted(event.topic for event in CONTRACTS)
    assert len({topic.name for topic in declared()}) == len(declared())


def test_only_the_service_that_names_a_topic_makes_its_events() -> None:
    makers = {
        (service, event.topic)
        for service, source in SOURCES.items()
        for name, event in BY_CLASS.items()
        if re.search(rf"\b{name}\(", source)
    }
    assert makers == {(event.topic.split(".")[0], event.topic) for event in CONTRACTS}


def test_the_consumers_that_are_declared_are_the_ones_that_listen() -> None:
    listeners = {
        (service, BY_CLASS[name].topic)
        for service, source in SOURCES.items()
        for name in re.findall(r"\.on(?:_many)?\((\w+)[,)]", source)
        if name in BY_CLASS
    }
    assert listeners == {(service, topic.name) for topic in LIVING for service in topic.consumers}


def test_every_consumer_has_a_dead_letter_topic() -> None:
    dead = {topic.name for topic in declared() if ".dead." in topic.name}
    assert dead == {dead_letter_topic(topic.name, service) for topic in LIVING for service in topic.consumers}


def test_states_are_kept_for_ever_moments_for_an_hour_and_everything_else_for_days() -> None:
    by_topic: dict[str, type[Event]] = {event.topic: event for event in CONTRACTS}
    for topic in declared():
        event = by_topic.get(topic.name)
        if event is not None and issubclass(event, Moment):
            assert (topic.config["retention.ms"], topic.consumers) == ("3600000", ()), topic.name
        elif event is not None and not event.durable:
            assert topic.config == {"cleanup.policy": "compact"}, topic.name
        else:
            assert int(topic.config["retention.ms"]) >= 7 * 24 * 3_600_000, topic.name


def test_topics_are_made_once_and_as_declared(kafka_servers: str) -> None:
    assert ensure_topics(kafka_servers) == []
    found, configs = asyncio.run(_described(kafka_servers))
    for topic in declared():
        assert found[topic.name] == topic.partitions
        assert {name: configs[topic.name][name] for name in topic.config} == topic.config


def test_a_topic_that_nobody_declared_is_not_made_by_writing_to_it(kafka_servers: str) -> None:
    async def write() -> set[str]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka_servers.split(","), request_timeout_ms=2000)
        await producer.start()
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait("nobody.declared", b"{}")
        known = await producer.client.fetch_all_metadata()
        await producer.stop()
        return set(known.topics())

    assert "nobody.declared" not in asyncio.run(write())


def test_dead_letter_topics_that_were_narrower_take_larger_records_and_keep_the_rest(kafka_servers: str) -> None:
    topic = next(topic for topic in declared() if ".dead." in topic.name)
    asyncio.run(_altered(kafka_servers, topic.name, {"retention.ms": "86400000"}))
    try:
        asyncio.run(_shows(kafka_servers, topic.name, {"max.message.bytes": "1048588", "retention.ms": "86400000"}))
        assert ensure_topics(kafka_servers) == []
        asyncio.run(_shows(kafka_servers, topic.name, {**topic.config, "retention.ms": "86400000"}))
    finally:
        asyncio.run(_altered(kafka_servers, topic.name, topic.config))


async def _shows(servers: str, name: str, wanted: dict[str, str]) -> None:
    """Wait until the broker tells of a topic what was set for it, a moment after it answered."""
    async with asyncio.timeout(10):
        while not wanted.items() <= (await _described(servers))[1][name].items():
            await asyncio.sleep(0.1)


async def _altered(servers: str, name: str, config: dict[str, str]) -> None:
    """Have a topic set to this and nothing else."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","))
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    finally:
        await admin.close()


async def _described(servers: str) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","))
    await admin.start()
    try:
        names = [topic.name for topic in declared()]
        partitions: dict[str, int] = {entry["topic"]: len(entry["partitions"]) for entry in await admin.describe_topics(names)}
        answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
        configs = {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for answer in answers for resource in answer.resources}
        return partitions, configs
    finally:
        await admin.close()


def test_a_broker_that_is_away_is_an_error_of_kafka() -> None:
    with pytest.raises(KafkaError):
        ensure_topics("127.0.0.1:1")
