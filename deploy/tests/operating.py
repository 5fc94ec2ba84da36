"""What an operator does and sees, for tests of the operator's command."""

import asyncio
import subprocess

import psycopg
from aiokafka.errors import KafkaError
from microblog_operator.topics import lags
from stack import Person, Stack

READ_MODEL = ("snapshots", "mentions", "hashtags", "polls", "post_counts", "feed_entries")


def operate(stack: Stack, *arguments: str, code: int = 0) -> str:
    """What the command says; it must end as expected."""
    done = subprocess.run(stack.operator(*arguments), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + (done.stderr if code else "")


def run(stack: Stack, service: str, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(stack.database(service), autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def settled(stack: Stack) -> bool:
    """Whether everybody has read everything; not while the broker is away. What `operate` does in processes takes seconds each time."""
    try:
        return not any(lag.records for lag in asyncio.run(lags(stack.kafka)))
    except KafkaError:
        return False


def unsent(stack: Stack) -> int:
    """How many events no broker has yet."""
    waiting = (run(stack, service, "SELECT count(*) FROM outbox WHERE published_at IS NULL") for service in ("auth", "posts", "social"))
    return sum(int(str(rows[0][0])) for rows in waiting)


def end_dead_claims(stack: Stack) -> None:
    """The claim of a sender that was killed ends after two minutes: they pass at once for all that no living one can hold any more."""
    past = "UPDATE mails SET claimed_at = claimed_at - interval '2 minutes', not_before = now()"
    run(stack, "notify", f"{past} WHERE state IN ('claimed', 'unknown') AND claimed_at < now() - interval '5 seconds'")


def mailed(stack: Stack, *besides: Person) -> list[tuple[object, ...]]:
    """Who was mailed what for, but for some people. Announcements are mailed to all in their own time and left out."""
    left_out = ", ".join(person.id for person in besides) or "0"
    found = f"SELECT dedupe_key FROM mails WHERE kind <> 'announcement' AND account_id NOT IN ({left_out}) ORDER BY dedupe_key"
    return run(stack, "notify", found)


def seen(author: Person, reader: Person, ids: list[str]) -> list[object]:
    """What both are shown, without what changes by itself."""
    looks = [person.get(f"/api/v1/statuses/{an_id}") for person in (author, reader) for an_id in ids]
    homes = [[entry["id"] for entry in person.get("/api/v1/timelines/home")] for person in (author, reader)]
    thread = author.get(f"/api/v1/statuses/{ids[0]}/context")
    profile = reader.get(f"/api/v1/accounts/{author.id}")
    notices = [(entry["type"], entry["id"]) for entry in author.get("/api/v1/notifications")]
    tag = [entry["id"] for entry in reader.get("/api/v1/timelines/tag/operating") if entry["id"] in ids]
    return [looks, homes, thread, profile, notices, tag]
