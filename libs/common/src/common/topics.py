"""Makes the topics that `topics.toml` names; running it again changes nothing."""

import argparse
import asyncio
import logging
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

log = logging.getLogger(__name__)

_HOUR_MS: Final = 3_600_000
_LARGEST: Final = "max.message.bytes"
_SET_FOR_TOPIC: Final = 1
"""Where a setting of a topic comes from (Kafka, `ConfigSource.DYNAMIC_TOPIC_CONFIG`): not the broker, not a default."""
_DOCUMENT: Final[dict[str, Any]] = tomllib.loads(files("common").joinpath("topics.toml").read_text("utf-8"))
LARGEST_DEAD_LETTER: Final[int] = _DOCUMENT["dead_letters"]["max_message_bytes"]
"""Bytes of a record with its headers."""


@dataclass(frozen=True)
class Topic:
    """A topic as it has to be; `consumers` is empty for dead letters, and for what only gateways hear of."""

    name: str
    partitions: int
    config: dict[str, str]
    consumers: tuple[str, ...] = ()


def dead_letter_topic(topic: str, service: str) -> str:
    """Where a service puts what it could not digest of a topic."""
    return f"{topic}.dead.{service}"


def declared() -> list[Topic]:
    """Every topic of the stack, dead letters included."""
    topics = []
    for name, entry in _DOCUMENT["topics"].items():
        config = {"cleanup.policy": entry["cleanup"]}
        if entry["cleanup"] == "delete":
            config["retention.ms"] = str(entry["retention_hours"] * _HOUR_MS)
        topics.append(Topic(name, entry["partitions"], config, tuple(entry["consumers"])))
        topics += [dead_letters(name, service) for service in entry["consumers"]]
    return topics


def dead_letters(topic: str, service: str) -> Topic:
    """A service's dead-letter topic as it has to be."""
    dead = _DOCUMENT["dead_letters"]
    config = {"retention.ms": str(dead["retention_hours"] * _HOUR_MS), _LARGEST: str(LARGEST_DEAD_LETTER)}
    return Topic(dead_letter_topic(topic, service), dead["partitions"], config)


def ensure_topics(servers: str, replication: int = 1) -> list[str]:
    """Create the missing topics and return their names; those that are there keep what they are set to, but take records as large as declared.

    Raises `aiokafka.errors.KafkaError` when the broker can't be reached."""
    return asyncio.run(_ensure(servers, replication))


async def _ensure(servers: str, replication: int) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","), request_timeout_ms=30_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in declared() if topic.name not in existing]
        if missing:
            await admin.create_topics([NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in missing])
        await _widen(admin, [topic for topic in declared() if topic.name in existing and _LARGEST in topic.config])
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _widen(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    """Have topics take larger records that were made when they needn't. Altering replaces all that is set for a topic, so that is sent again."""
    largest = {topic.name: topic.config[_LARGEST] for topic in topics}
    answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in largest])
    narrow = []
    for _, _, _, name, entries in (resource for answer in answers for resource in answer.resources):
        values = {entry[0]: entry[1] for entry in entries}
        if _LARGEST in values and int(values[_LARGEST]) < int(largest[name]):
            kept = {entry[0]: entry[1] for entry in entries if entry[3] == _SET_FOR_TOPIC}
            narrow.append(ConfigResource(ConfigResourceType.TOPIC, name, {**kept, _LARGEST: largest[name]}))
    answers = await admin.alter_configs(narrow) if narrow else []
    for code, _, _, name in (resource for answer in answers for resource in answer.resources):
        if code:
            log.warning("topic keeps its limit", extra={"topic": name, "wanted": largest[name], "reason": for_code(code).__name__})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default=os.environ.get("MICROBLOG_KAFKA_SERVERS"), help="host:port, separated by commas")
    parser.add_argument("--replication", type=int, default=os.environ.get("MICROBLOG_TOPIC_REPLICATION", "1"))
    arguments = parser.parse_args()
    if arguments.servers is None:
        parser.error("give --servers, or set MICROBLOG_KAFKA_SERVERS")
    for made in ensure_topics(arguments.servers, arguments.replication):
        print(made)  # noqa: T201 - a command
