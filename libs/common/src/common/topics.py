"""Makes the topics that `topics.toml` names; running it again changes nothing."""

import argparse
import asyncio
import os
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

_HOUR_MS = 3_600_000


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
    document: dict[str, Any] = tomllib.loads(files("common").joinpath("topics.toml").read_text("utf-8"))
    dead = document["dead_letters"]
    topics = []
    for name, entry in document["topics"].items():
        config = {"cleanup.policy": entry["cleanup"]}
        if entry["cleanup"] == "delete":
            config["retention.ms"] = str(entry["retention_hours"] * _HOUR_MS)
        topics.append(Topic(name, entry["partitions"], config, tuple(entry["consumers"])))
        topics += [
            Topic(dead_letter_topic(name, service), dead["partitions"], {"retention.ms": str(dead["retention_hours"] * _HOUR_MS)})
            for service in entry["consumers"]
        ]
    return topics


def ensure_topics(servers: str, replication: int = 1) -> list[str]:
    """Create the missing topics and return their names; raises `aiokafka.errors.KafkaError` when the broker can't be reached."""
    return asyncio.run(_ensure(servers, replication))


async def _ensure(servers: str, replication: int) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","), request_timeout_ms=30_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in declared() if topic.name not in existing]
        if missing:
            await admin.create_topics([NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in missing])
        return [topic.name for topic in missing]
    finally:
        await admin.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default=os.environ.get("MICROBLOG_KAFKA_SERVERS"), help="host:port, separated by commas")
    parser.add_argument("--replication", type=int, default=os.environ.get("MICROBLOG_TOPIC_REPLICATION", "1"))
    arguments = parser.parse_args()
    if arguments.servers is None:
        parser.error("give --servers, or set MICROBLOG_KAFKA_SERVERS")
    for made in ensure_topics(arguments.servers, arguments.replication):
        print(made)  # noqa: T201 - a command
