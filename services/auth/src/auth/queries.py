"""Look-ups of accounts, apps and tokens."""

from dataclasses import dataclass
from typing import Final

from common.db import Database
from common.errors import NotFound
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from auth.domain import address_key
from auth.secrets import digest
from auth.tables import AccountRow, AppRow

_INTROSPECT: Final = """
    SELECT t.id, t.kind, t.scopes, a.id, a.username, a.role, a.state, a.locale, p.name, p.website
    FROM tokens t LEFT JOIN accounts a ON a.id = t.account_id LEFT JOIN apps p ON p.id = t.app_id
    WHERE t.hash = %s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
"""


@dataclass(frozen=True, slots=True)
class Introspection:
    """What a valid token stands for."""

    token_id: int
    kind: str
    scopes: list[str]
    account_id: int | None
    username: str | None
    role: str | None
    state: str | None
    locale: str | None
    app_name: str | None
    app_website: str | None


async def introspect(database: Database, token: str) -> Introspection:
    """Return what the token stands for; raises `NotFound` for an unknown, revoked or expired one."""
    async with database.reading() as connection:
        row = await (await connection.execute(_INTROSPECT, (digest(token),))).fetchone()
    if row is None:
        raise NotFound
    return Introspection(*row)


async def account(session: AsyncSession, account_id: int, *, lock: bool = False) -> AccountRow:
    """Return an account; raises `NotFound`, for a deleted one, too."""
    statement = select(AccountRow).where(AccountRow.id == account_id, AccountRow.deleted_at.is_(None))
    row = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if row is None:
        raise NotFound
    return row


async def account_by_identifier(session: AsyncSession, identifier: str) -> AccountRow | None:
    """Find somebody by name or address."""
    wanted = identifier.strip()
    column, value = (AccountRow.email_key, address_key(wanted)) if "@" in wanted else (AccountRow.username, wanted.lower())
    return (await session.scalars(select(AccountRow).where(column == value, AccountRow.deleted_at.is_(None)))).one_or_none()


async def app(session: AsyncSession, client_id: str) -> AppRow | None:
    return (await session.scalars(select(AppRow).where(AppRow.client_id == client_id))).one_or_none()
