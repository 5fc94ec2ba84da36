"""The operator's command: `microblog --help`. It reads the same variables as the services."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import auth.cli
import notify.cli
import psycopg
import typer
from aiokafka.errors import KafkaError
from common import outbox
from common.db import AWAY
from common.errors import DomainError
from tqdm import tqdm

from microblog_operator import services, topics
from microblog_operator.backups import making, restoring
from microblog_operator.backups import manifest as manifests
from microblog_operator.backups.manifest import Manifest
from microblog_operator.backups.tools import Bytes
from microblog_operator.settings import REBUILT, WITH_OUTBOX, MissingSetting, Settings, settings
from microblog_operator.topics import DeadLetter

T = TypeVar("T")

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
dlq = typer.Typer(no_args_is_help=True, help="Dead letters: records that a service could not digest.")
outboxes = typer.Typer(no_args_is_help=True, help="Outboxes: events that are committed and not yet at the broker.")
cli.add_typer(dlq, name="dlq")
cli.add_typer(outboxes, name="outbox")
cli.add_typer(auth.cli.cli, name="accounts")
cli.add_typer(notify.cli.cli, name="announcements")

Topic = Annotated[str, typer.Argument(help="a dead-letter topic, such as posts.posts.dead.social")]
Sure = Annotated[bool, typer.Option("--yes", help="don't ask")]


@cli.command()
def lag() -> None:
    """How many records each service has still to read, by topic."""
    for found in _run(lambda s: topics.lags(s.kafka_servers)):
        typer.echo(f"{found.service:12}{found.topic:20}{'never read' if found.records is None else found.records:>12}")


@outboxes.command("status")
def outbox_status() -> None:
    """What waits in each outbox, since when, and what is kept or was set aside."""

    async def work(s: Settings) -> list[tuple[str, outbox.OutboxStatus]]:
        found = []
        for service in WITH_OUTBOX:
            database = s.database(service)
            async with database.transaction() as session:
                found.append((service, await outbox.status(session)))
            await database.engine.dispose()
        return found

    typer.echo(f"{'service':12}{'waiting':>9}{'oldest':>12}{'journal':>9}{'set aside':>11}")
    for service, status in _run(work):
        age = "-" if status.oldest is None else f"{(datetime.now(UTC) - status.oldest).total_seconds():.0f} s"
        typer.echo(f"{service:12}{status.waiting:>9}{age:>12}{status.journal:>9}{status.set_aside:>11}")


@cli.command()
def republish(
    service: Annotated[str, typer.Argument(help=f"{', '.join(WITH_OUTBOX)}, or all")] = "all",
    journal: Annotated[bool, typer.Option(help="also the triggers that are kept for some days")] = True,
) -> None:
    """Tell every state again, for a broker that lost its data; whoever knows it already changes nothing."""
    chosen = _chosen(service, WITH_OUTBOX)

    for name, (states, triggers) in _told_again(chosen, journal=journal).items():
        typer.echo(f"{name}: {states} states and {triggers} triggers are in the outbox again")


@cli.command()
def rebuild(
    service: Annotated[str, typer.Argument(help=f"{', '.join(REBUILT)}, or all")],
    force: Annotated[bool, typer.Option(help="even when the topics hold less than half of what the tables do")] = False,
    yes: Sure = False,
) -> None:
    """Fill read models anew from the topics, beside live traffic; what was right stays as it is."""
    chosen = _chosen(service, REBUILT)
    if force and not yes:
        typer.confirm(f"Rows of {', '.join(chosen)} that the topics don't hold will be deleted. Go on?", abort=True)

    async def work(s: Settings) -> dict[str, dict[str, int]]:
        done = {}
        for name in chosen:
            with tqdm(desc=name, unit=" events") as bar:

                def show(read: int, total: int, bar: Any = bar) -> None:
                    bar.total = total
                    bar.update(read - bar.n)

                done[name] = await services.rebuild(s, name, show, force=force)
        return done

    for name, tables in _run(work).items():
        what = "documents" if name == "search" else "rows differed"
        for table, count in tables.items():
            typer.echo(f"{name:12}{table:20}{count:>10} {what}")


@cli.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="new or empty; it will hold what people wrote in private, too")],
    media: Annotated[bool, typer.Option(help="copy the pictures, too")] = True,
) -> None:
    """Write every database and all pictures into a folder, beside live traffic."""
    os.umask(0o077)
    manifest = _run(lambda s: making.back_up(s, folder, _bar, media=media))
    typer.echo(f"{folder}: {manifest.bytes / 1e6:.1f} MB, {sum(manifest.media.values())} pictures")
    typer.echo(f"No backup holds secrets. Keep these elsewhere: {', '.join(manifest.left_out)}")


@cli.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="a backup")],
    force: Annotated[bool, typer.Option(help="even when there is something: it is deleted")] = False,
    yes: Sure = False,
) -> None:
    """Fill the databases and the stores of pictures of a stack from a backup, while its engines run and its services don't."""

    async def look(s: Settings) -> tuple[Manifest, list[str]]:
        read = manifests.read(folder)
        manifests.verify(folder, read, _bar)
        return read, await restoring.in_the_way(s, read)

    manifest, in_the_way = _run(look)
    if in_the_way and not force:
        typer.echo(f"this stack isn't empty ({', '.join(in_the_way)}): --force deletes all that it holds", err=True)
        raise typer.Exit(1)
    if in_the_way and not yes:
        typer.confirm(f"{', '.join(in_the_way)}: all of it will be deleted. Go on?", abort=True)
    _run(lambda s: restoring.give_back(s, folder, manifest, _bar))
    for name, (states, triggers) in _told_again(WITH_OUTBOX, journal=True).items():
        typer.echo(f"{name}: {states} states and {triggers} triggers are in the outbox again")
    typer.echo("Start the services. When microblog outbox status shows nothing waiting: microblog rebuild all")


@dlq.command("list")
def list_() -> None:
    """Which dead-letter topics hold anything, and how much."""
    counts = _run(lambda s: topics.dead_letter_counts(s.kafka_servers))
    for topic, count in counts.items():
        typer.echo(f"{topic:40}{count:>8}")
    if not counts:
        typer.echo("no dead letters")


@dlq.command()
def show(
    topic: Topic,
    body: Annotated[bool, typer.Option(help="also what the records say: personal data, perhaps")] = False,
) -> None:
    """The dead letters of a topic, oldest first, one JSON object a line."""
    for letter in _letters(topic):
        line = {
            "place": f"{letter.partition}/{letter.offset}",
            "buried_at": letter.buried_at.isoformat(),
            "key": letter.key,
            "type": letter.kind,
            "origin": letter.origin,
            "error": letter.error,
        }
        if body:
            line["body"] = (letter.record.value or b"").decode("utf-8", "replace")
        typer.echo(json.dumps(line, ensure_ascii=False))


@dlq.command()
def replay(topic: Topic) -> None:
    """Give the dead letters of a topic to their service once more, oldest first; those that it digests are gone.

    Nobody else sees them, and nothing goes back into the topic that they came from. It stops at the first that fails again.
    """
    origin, service = _origin(topic)
    letters = _letters(topic)

    async def work(s: Settings) -> tuple[int, str | None]:
        async with services.consumers(s, service) as made:
            for done, letter in enumerate(tqdm(letters, unit=" records")):
                try:
                    await made.digest_again(origin, letter.record)
                except Exception as error:
                    return done, f"{letter.partition}/{letter.offset}: {type(error).__name__}: {error}"
                await topics.drop(s.kafka_servers, [letter])
        return len(letters), None

    done, problem = _run(work)
    typer.echo(f"{done} of {len(letters)} digested")
    if problem is not None:
        typer.echo(f"stopped at {problem}", err=True)
        raise typer.Exit(1)


@dlq.command()
def drop(
    topic: Topic,
    count: Annotated[int | None, typer.Option(min=1, help="only so many, the oldest; all without it")] = None,
    yes: Sure = False,
) -> None:
    """Delete dead letters for good."""
    letters = _letters(topic)[:count]
    if not letters:
        typer.echo("no dead letters")
        return
    if not yes:
        typer.confirm(f"Delete {len(letters)} dead letters of {topic} for good?", abort=True)
    _run(lambda s: topics.drop(s.kafka_servers, letters))
    typer.echo(f"{len(letters)} deleted")


def _told_again(chosen: tuple[str, ...], *, journal: bool) -> dict[str, tuple[int, int]]:
    async def work(s: Settings) -> dict[str, tuple[int, int]]:
        told = {}
        for name in chosen:
            with tqdm(desc=name, unit=" states") as bar:
                told[name] = await services.tell_again(s, name, bar.update, journal=journal)
        return told

    return _run(work)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Bytes]:
    with tqdm(desc=what, total=total, unit="B", unit_scale=True) as bar:
        yield bar.update


def _letters(topic: str) -> list[DeadLetter]:
    _origin(topic)
    return _run(lambda s: topics.dead_letters(s.kafka_servers, topic))


def _origin(topic: str) -> tuple[str, str]:
    """The topic and the service that a dead-letter topic belongs to."""
    for name, origin, service in topics.dead_letter_topics():
        if name == topic:
            return origin, service
    raise typer.BadParameter(f"{topic} is no dead-letter topic; microblog dlq list shows those that hold anything")


def _chosen(service: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if service == "all":
        return known
    if service not in known:
        raise typer.BadParameter(f"service is one of {', '.join(known)}, or all")
    return (service,)


def _run(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Do it, or say in one line why not."""
    try:
        return asyncio.run(work(settings()))
    except MissingSetting as error:
        problem = f"{error} isn't set"
    except DomainError as error:
        problem = str(error)
    except KafkaError as error:
        problem = f"Kafka can't be reached: {type(error).__name__}"
    except AWAY as error:
        problem = f"a database can't be reached: {type(error).__name__}"
    except psycopg.Error as error:
        problem = f"a database refuses: {error}"
    except OSError as error:
        problem = f"{error.filename or 'files'}: {error.strerror or error}"
    typer.echo(problem, err=True)
    raise typer.Exit(1)
