"""Accounts: make them, give roles, suspend, log out everywhere."""

import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from common.errors import DomainError
from common.operating import carry_out
from common.settings import load
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth import queries
from auth.commands import accounts
from auth.domain import ROLES, Registration
from auth.passwords import Passwords
from auth.settings import Settings
from auth.tables import AccountRow

cli = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, pretty_exceptions_enable=False)
T = TypeVar("T")


def _run(work: Callable[[AsyncSession, Settings], Awaitable[T]]) -> T:
    settings = load(Settings)
    return carry_out(settings, lambda session: work(session, settings))


async def _named(session: AsyncSession, name: str) -> AccountRow:
    row = await queries.account_by_identifier(session, name)
    if row is None:
        raise DomainError(f"nobody is called {name}")
    return row


@cli.command()
def create_account(
    username: Annotated[str, typer.Option(help="letters, digits and _")],
    email: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option(help="user, moderator or admin")] = "user",
    password_stdin: Annotated[bool, typer.Option(help="read the password from standard input; without it one is made and printed")] = False,
) -> None:
    """Create an account whose address counts as confirmed: the first admin, for example."""
    if role not in ROLES:
        raise typer.BadParameter(f"role is one of {', '.join(ROLES)}")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)

    async def work(session: AsyncSession, settings: Settings) -> None:
        passwords = Passwords(settings.argon2_memory_kib, settings.argon2_time)
        await accounts.register(session, passwords, Registration(username, email, password, True), confirm=False, role=role)

    _run(work)
    typer.echo(f"{username} was created" + ("" if password_stdin else f", password: {password}"))


@cli.command()
def set_role(username: str, role: str) -> None:
    """Make somebody user, moderator or admin."""
    if role not in ROLES:
        raise typer.BadParameter(f"role is one of {', '.join(ROLES)}")

    async def work(session: AsyncSession, settings: Settings) -> None:
        await accounts.set_role(session, (await _named(session, username)).id, role)

    _run(work)
    typer.echo(f"{username} is {role} now")


@cli.command()
def set_state(username: str, state: str) -> None:
    """Make an account active, suspended or disabled; suspended ones can't act and aren't shown, from this moment on."""
    if state not in ("active", "suspended", "disabled"):
        raise typer.BadParameter("state is active, suspended or disabled")

    async def work(session: AsyncSession, settings: Settings) -> None:
        await accounts.set_state(session, (await _named(session, username)).id, state)

    _run(work)
    typer.echo(f"{username} is {state} now")


@cli.command()
def revoke_tokens(username: str) -> None:
    """End all of somebody's sessions and tokens."""

    async def work(session: AsyncSession, settings: Settings) -> None:
        await accounts.revoke_tokens(session, (await _named(session, username)).id)

    _run(work)
    typer.echo(f"{username} is logged out everywhere")


@cli.command()
def delete_account(username: str, yes: Annotated[bool, typer.Option("--yes", help="don't ask")] = False) -> None:
    """Delete an account and all that belongs to it, in every service, for good; its name stays taken."""
    if not yes:
        typer.confirm(f"Delete {username} with all posts and pictures? There is no way back", abort=True)

    async def work(session: AsyncSession, settings: Settings) -> None:
        await accounts.erase(session, await queries.account(session, (await _named(session, username)).id, lock=True))

    _run(work)
    typer.echo(f"{username} is deleted")


@cli.command("list")
def list_accounts(limit: int = 100) -> None:
    """The newest accounts: name, role, state, when."""

    async def work(session: AsyncSession, settings: Settings) -> list[AccountRow]:
        return list(
            (
                await session.scalars(select(AccountRow).where(AccountRow.deleted_at.is_(None)).order_by(AccountRow.id.desc()).limit(limit))
            ).all()
        )

    for row in _run(work):
        typer.echo(f"{row.username}\t{row.role}\t{row.state}\t{row.created_at:%Y-%m-%d %H:%M}")


if __name__ == "__main__":
    cli()
