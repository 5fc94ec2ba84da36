"""What lies in the topics: F9 records that can't be read, F11 all of them read again."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final

from aiokafka import AIOKafkaProducer
from bed import Bed, operate, run, until
from common.topics import dead_letter_topic
from ledger import Ledger
from microblog_operator import topics
from operating import READ_MODEL
from outcomes import Outcome

_TOPIC: Final = "posts.posts"
_READERS: Final = ("social", "search", "notify", "translate")
_PARTITIONS: Final = 6

Headers = list[tuple[str, bytes]]

_POISON: Final[dict[str, tuple[bytes, Headers]]] = {
    "bad JSON": (b"{no json", []),
    "bad header": (b"[]", [("ce_dataschema", b"\xff\xfe"), ("traceparent", b"\xff")]),
    "missing field": (b'{"post_id": 1, "version": 1}', []),
}
_SKIPPED: Final[dict[str, tuple[bytes | None, Headers]]] = {
    "another contract": (b'{"whatever": 1}', [("ce_dataschema", b"posts.posts.v999")]),
    "tombstone": (None, []),
}


def poison(bed: Bed, random: Random) -> Outcome:
    """F9: one record of each kind in every partition; each is buried once by each service, and holds up nobody behind it."""
    kinds = ", ".join([*_POISON, *_SKIPPED])
    outcome = Outcome("F9", f"{kinds}: one of each in all {_PARTITIONS} partitions of {_TOPIC}, under load")
    run_word, slowest = f"{random.getrandbits(40):010x}", 0.0
    drop(bed)
    with Ledger(bed, random) as ledger:
        ledger.writes(10)
        for number, (value, headers) in enumerate([*_POISON.values(), *_SKIPPED.values()]):
            produce(bed, [f"{run_word}-{number}-{partition}" for partition in range(_PARTITIONS)], value, headers)
            through = ledger.through(30)
            slowest = max(slowest, 30.0 if through is None else through)
        ledger.count().onto(outcome)
    expected = sorted(f"{run_word}-{number}-{partition}" for number in range(len(_POISON)) for partition in range(_PARTITIONS))
    buried = {service: sorted(letters(bed, service)) for service in _READERS}
    told = ", ".join(f"{service} {len(keys)}" for service, keys in buried.items())
    outcome.aim(f"{len(expected)} dead letters a service, each once", told, all(keys == expected for keys in buried.values()))
    outcome.aim("a post right behind them is found and notified < 2 s", f"slowest {slowest:.1f} s", slowest < 2, timed=True)
    drop(bed)
    return outcome


def replayed(bed: Bed, random: Random) -> Outcome:
    """F11: the read models of social are emptied and filled anew while people write."""
    outcome = Outcome("F11", "TRUNCATE of social's read models, `rebuild social` beside live traffic")
    with Ledger(bed, random) as ledger:
        ledger.writes(60)
        for writer in ledger.writers:
            writer.replying = False  # what is answered can't be seen before it is there again
        ledger.rest()
        ledger.settle()
        mailed = len(bed.postmark.delivered)
        ledger.go()
        ledger.writes(5)
        run(bed.stack, "social", f"TRUNCATE {', '.join(READ_MODEL)}")
        operate(bed.stack, "rebuild", "social", "--force", "--yes")
        ledger.writes(10)
        ledger.rest()
        ledger.settle()
        again = len(bed.postmark.delivered) - mailed
        ledger.count().onto(outcome)
    differing = {line.split()[0]: line.split()[2] for line in operate(bed.stack, "rebuild", "social").splitlines()}
    outcome.aim(
        "difference of a second rebuild: 0",
        ", ".join(f"{name} {rows}" for name, rows in differing.items()),
        set(differing.values()) == {"0"},
    )
    outcome.aim("mails sent again: 0", again, again == 0)
    return outcome


def produce(bed: Bed, keys: Sequence[str], value: bytes | None, headers: Headers) -> None:
    """Put one record as it is into each partition of the topic of posts, under the key for that."""

    async def whole() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bed.stack.kafka) as producer:
            for partition, key in enumerate(keys):
                await producer.send_and_wait(_TOPIC, value, key=key.encode(), headers=headers, partition=partition)

    asyncio.run(whole())


def letters(bed: Bed, service: str) -> list[str]:
    """Keys of what a service buried of the topic of posts; waits a little for the last of them."""
    topic = dead_letter_topic(_TOPIC, service)
    until(lambda: topic in asyncio.run(topics.dead_letter_counts(bed.stack.kafka)), 10)
    return [letter.key for letter in asyncio.run(topics.dead_letters(bed.stack.kafka, topic))]


def drop(bed: Bed) -> None:
    """Leave no dead letter for who comes after."""
    for service in _READERS:
        found = asyncio.run(topics.dead_letters(bed.stack.kafka, dead_letter_topic(_TOPIC, service)))
        if found:
            asyncio.run(topics.drop(bed.stack.kafka, found))
