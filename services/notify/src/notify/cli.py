"""Announcements and mails: publish, withdraw, count, try again."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from common.operating import carry_out
from common.settings import SharedSettings, load
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify import announcements
from notify.mail import suppressions
from notify.settings import Settings

cli = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, pretty_exceptions_enable=False)
T = TypeVar("T")


def _run(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    return carry_out(load(Settings), work)


@cli.command()
def announce(message: Annotated[str, typer.Argument(help="the text in Markdown; - reads standard input")]) -> None:
    """Publish an announcement, shown to all and mailed to everybody who takes such mail."""
    source = sys.stdin.read() if message == "-" else message
    public_url = load(SharedSettings).public_url
    made = _run(lambda session: announcements.publish(session, source, public_url))
    typer.echo(f"announcement {made['id']} is published")


@cli.command()
def withdraw(announcement_id: int) -> None:
    """Show an announcement no longer."""
    _run(lambda session: announcements.withdraw(session, announcement_id))
    typer.echo(f"announcement {announcement_id} is withdrawn")


@cli.command()
def mails() -> None:
    """How many mails are in which state."""

    async def work(session: AsyncSession) -> list[tuple[str, str, int]]:
        rows = await session.execute(text("SELECT kind, state, count(*) FROM mails GROUP BY kind, state ORDER BY kind, state"))
        return [(row[0], row[1], row[2]) for row in rows]

    for kind, state, count in _run(work):
        typer.echo(f"{kind:14}{state:12}{count}")


@cli.command()
def retry() -> None:
    """Send what failed once more: the provider refused it, and what it refused was mended."""
    again = text("UPDATE mails SET state = 'new', not_before = now() WHERE state = 'failed' RETURNING id")

    async def work(session: AsyncSession) -> int:
        return len((await session.execute(again)).all())

    typer.echo(f"{_run(work)} are tried again")


@cli.command()
def allow(address: str) -> None:
    """Send to an address again that a mail server refused. What Postmark suppresses is changed there."""

    async def work(session: AsyncSession) -> None:
        await suppressions.allow(session, address, suppressions.EVERY_STREAM)

    _run(work)
    typer.echo(f"{address} gets mail again")


if __name__ == "__main__":
    cli()
