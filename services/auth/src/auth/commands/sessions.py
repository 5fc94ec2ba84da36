"""Logging in and out of the web pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from common import outbox
from common.events import SecurityEvent
from common.times import now
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth import queries
from auth.commands.accounts import revoke_tokens
from auth.domain import WrongCredentials
from auth.passwords import Passwords
from auth.secrets import digest, new_secret
from auth.tables import AccountRow, TokenRow

SCOPES: Final = ["read", "write", "follow", "push", "profile", "admin:read", "admin:write"]
"""What one's own pages may do for one; the role still decides about the last two."""

_SHORT: Final = timedelta(days=1)
_LONG: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """A new web session: the secret for the cookie, and until when it is good."""

    secret: str
    expires_at: datetime
    account: AccountRow


async def log_in(
    session: AsyncSession, passwords: Passwords, identifier: str, password: str, *, remember: bool, ip: str | None, user_agent: str | None
) -> Session:
    """Open a session for a day, or for 30 days with `remember`. Raises `WrongCredentials` alike for unknown people and wrong passwords."""
    account = await queries.account_by_identifier(session, identifier)
    fits = await passwords.verify(password, account.password_hash if account else None)
    if account is None or not fits or account.state in ("suspended", "disabled"):
        raise WrongCredentials
    if passwords.outdated(account.password_hash):
        account.password_hash = await passwords.hash(password)
    return await open_session(session, account, remember=remember, ip=ip, user_agent=user_agent)


async def open_session(session: AsyncSession, account: AccountRow, *, remember: bool, ip: str | None, user_agent: str | None) -> Session:
    """Open a session for somebody who was just recognised."""
    secret = new_secret()
    expires = now() + (_LONG if remember else _SHORT)
    row = TokenRow(
        hash=digest(secret),
        kind="session",
        account_id=account.id,
        scopes=SCOPES,
        expires_at=expires,
        ip=ip,
        user_agent=(user_agent or "")[:300],
    )
    session.add(row)
    await session.flush()
    return Session(secret, expires, account)


async def log_out(session: AsyncSession, secret: str) -> None:
    """End a session; one that is over already doesn't matter."""
    end = update(TokenRow).where(TokenRow.hash == digest(secret), TokenRow.kind == "session", TokenRow.revoked_at.is_(None))
    ended = (await session.execute(end.values(revoked_at=now()).returning(TokenRow.id, TokenRow.account_id))).first()
    if ended is not None:
        await _tell(session, ended.account_id, ended.id)


async def sessions_of(session: AsyncSession, account_id: int) -> Sequence[TokenRow]:
    """Where somebody is logged in, and which apps may act for them, newest first."""
    statement = select(TokenRow).where(
        TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None), (TokenRow.expires_at.is_(None)) | (TokenRow.expires_at > now())
    )
    return (await session.scalars(statement.order_by(TokenRow.id.desc()).limit(100))).all()


async def end_session(session: AsyncSession, account_id: int, token_id: int | None) -> None:
    """End one of one's own sessions or tokens, or all with None."""
    if token_id is None:
        await revoke_tokens(session, account_id)
        return
    end = update(TokenRow).where(TokenRow.id == token_id, TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
    if (await session.execute(end.values(revoked_at=now()).returning(TokenRow.id))).first() is not None:
        await _tell(session, account_id, token_id)


async def _tell(session: AsyncSession, account_id: int, token_id: int) -> None:
    event = SecurityEvent(kind="tokens_revoked", account_id=account_id, token_ids=[token_id], happened_at=now())
    await outbox.add(session, event, happened="security.tokens_revoked")
