"""Registering, confirming and changing accounts."""

from datetime import timedelta
from typing import Any

from common import outbox
from common.events import AccountState, SecurityEvent
from common.times import now
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from auth import domain, queries
from auth.domain import InvalidRegistration, OutdatedLink, Registration, WrongCredentials
from auth.passwords import Passwords
from auth.secrets import one_time_token, request_of, same
from auth.tables import AccountRow, AuditRow, GrantRow, RequestRow, TokenRow

CONFIRMATION = "confirmation"
RESET = "reset"
NOTICE = "notice"
_LIFETIMES = {CONFIRMATION: timedelta(days=7), RESET: timedelta(minutes=30), NOTICE: timedelta(days=1)}


async def register(session: AsyncSession, passwords: Passwords, new: Registration, *, confirm: bool, role: str = "user") -> AccountRow:
    """Create an account and announce it; with `confirm` it waits for its address to be confirmed. Raises `InvalidRegistration`."""
    new, details = domain.check_registration(new)
    await _look_for_taken_names(session, new, details)
    if details:
        raise InvalidRegistration(details)
    password_hash = await passwords.hash(new.password)
    account = AccountRow(
        username=new.username,
        email=new.email,
        email_key=domain.address_key(new.email),
        password_hash=password_hash,
        role=role,
        state="unconfirmed" if confirm else "active",
        locale=new.locale,
        version=1,
        confirmed_at=None if confirm else now(),
    )
    try:
        async with session.begin_nested():
            session.add(account)
    except IntegrityError as error:  # somebody was faster
        await _look_for_taken_names(session, new, details)
        raise InvalidRegistration(details or {"username": [domain.problem("ERR_TAKEN")]}) from error
    await outbox.add(session, account.as_event(), happened="account.registered")
    session.add(AuditRow(account_id=account.id, action="registered", subject_id=account.id))
    if confirm:
        await ask_by_mail(session, account, CONFIRMATION)
    return account


async def ask_by_mail(session: AsyncSession, account: AccountRow, kind: str) -> None:
    """Have a mail sent whose link allows one thing once; `notify` asks for address and link when it sends."""
    request = RequestRow(account_id=account.id, kind=kind, expires_at=now() + _LIFETIMES[kind])
    session.add(request)
    await session.flush()
    told = {CONFIRMATION: "confirmation_requested", RESET: "reset_requested", NOTICE: "password_changed"}[kind]
    event = SecurityEvent(kind=told, account_id=account.id, token_ids=[], request_id=request.id, happened_at=now())
    await outbox.add(session, event, happened=f"security.{told}")


async def confirm(session: AsyncSession, secret: str, token: str) -> AccountState:
    """Confirm the address that the link was mailed to. Raises `OutdatedLink`; a second click on the same link changes nothing."""
    account, request = await _requested(session, secret, token, CONFIRMATION)
    if account.state == "unconfirmed":
        request.used_at = now()
        account.confirmed_at = now()
        await _change_state(session, account, "active", "account.confirmed")
    return account.as_event()


async def reset_password(session: AsyncSession, passwords: Passwords, secret: str, token: str, password: str) -> None:
    """Set a new password by a mailed link, and end every session and token. Raises `OutdatedLink`, `InvalidRegistration`."""
    account, request = await _requested(session, secret, token, RESET)
    if request.used_at is not None:
        raise OutdatedLink
    request.used_at = now()
    await _set_password(session, passwords, account, password, keep_token=None)
    if account.state == "unconfirmed":  # the link came by mail: the address is theirs
        account.confirmed_at = now()
        await _change_state(session, account, "active", "account.confirmed")


async def change_password(
    session: AsyncSession, passwords: Passwords, account_id: int, current: str, password: str, keep_token: int | None
) -> None:
    """Set a new password knowing the old one; all other sessions and tokens end. Raises `WrongCredentials`, `InvalidRegistration`."""
    account = await queries.account(session, account_id, lock=True)
    if not await passwords.verify(current, account.password_hash):
        raise WrongCredentials("The current password is wrong")
    await _set_password(session, passwords, account, password, keep_token=keep_token)
    await ask_by_mail(session, account, NOTICE)


async def set_state(session: AsyncSession, account_id: int, state: str) -> AccountState:
    """Suspend, disable or bring back an account, and tell the gateways at once."""
    account = await queries.account(session, account_id, lock=True)
    if account.state != state:
        await _change_state(session, account, state, f"account.{state}")
    return account.as_event()


async def delete_own(session: AsyncSession, passwords: Passwords, account_id: int, password: str) -> AccountState:
    """Delete one's own account, knowing its password. Raises `WrongCredentials`."""
    account = await queries.account(session, account_id, lock=True)
    if not await passwords.verify(password, account.password_hash):
        raise WrongCredentials("The current password is wrong")
    return await erase(session, account)


async def erase(session: AsyncSession, account: AccountRow) -> AccountState:
    """Forget everything of an account but its name, which stays taken; the other services erase what is theirs as soon as they hear of it."""
    await revoke_tokens(session, account.id)
    await session.execute(update(TokenRow).where(TokenRow.account_id == account.id).values(ip=None, user_agent=None))
    await session.execute(delete(RequestRow).where(RequestRow.account_id == account.id))
    account.email, account.email_key, account.password_hash = "", f"deleted:{account.id}", ""
    account.deleted_at, account.role = now(), "user"
    await _change_state(session, account, "disabled", "account.deleted")
    return account.as_event()


async def set_role(session: AsyncSession, account_id: int, role: str) -> AccountState:
    """Make somebody user, moderator or admin."""
    account = await queries.account(session, account_id, lock=True)
    if account.role != role:
        account.role = role
        await _announce(session, account, "account.role_changed")
    return account.as_event()


async def set_locale(session: AsyncSession, account_id: int, locale: str) -> AccountState:
    """Choose the language of pages and mails."""
    account = await queries.account(session, account_id, lock=True)
    if account.locale != locale:
        account.locale = locale
        await _announce(session, account, "account.locale_changed")
    return account.as_event()


async def revoke_tokens(session: AsyncSession, account_id: int, *, keep: int | None = None) -> None:
    """End all sessions and tokens of an account but one, and the codes that more could be made of."""
    unused = update(GrantRow).where(GrantRow.account_id == account_id, GrantRow.used_at.is_(None))
    await session.execute(unused.values(used_at=now()))
    revoke = update(TokenRow).where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None), TokenRow.id != (keep or 0))
    ended = list((await session.scalars(revoke.values(revoked_at=now()).returning(TokenRow.id))).all())
    if ended:
        event = SecurityEvent(kind="tokens_revoked", account_id=account_id, token_ids=ended, happened_at=now())
        await outbox.add(session, event, happened="security.tokens_revoked")


async def mail_for(session: AsyncSession, secret: str, public_url: str, request_id: int) -> dict[str, Any] | None:
    """Address, language and link of a mail that was asked for; None when it is used, expired or no longer needed."""
    request = await session.get(RequestRow, request_id)
    if request is None or request.used_at is not None or request.expires_at < now():
        return None
    account = await queries.account(session, request.account_id)
    if request.kind == CONFIRMATION and account.state != "unconfirmed":
        return None
    link = None
    if request.kind != NOTICE:
        path = "confirm" if request.kind == CONFIRMATION else "reset/use"
        link = f"{public_url}/{path}?token={one_time_token(secret, request.id, request.kind, _binding(account, request.kind))}"
    return {"address": account.email, "locale": account.locale, "username": account.username, "link": link, "kind": request.kind}


async def _requested(session: AsyncSession, secret: str, token: str, kind: str) -> tuple[AccountRow, RequestRow]:
    request_id = request_of(token)
    request = await session.get(RequestRow, request_id, with_for_update=True) if request_id is not None else None
    if request is None or request.kind != kind or request.expires_at < now():
        raise OutdatedLink
    account = await queries.account(session, request.account_id, lock=True)
    if not same(token, one_time_token(secret, request.id, kind, _binding(account, kind))):
        raise OutdatedLink
    return account, request


def _binding(account: AccountRow, kind: str) -> str:
    """A reset link is void once the password changed, a confirmation once the address did."""
    return account.password_hash if kind == RESET else account.email_key


async def _set_password(session: AsyncSession, passwords: Passwords, account: AccountRow, password: str, keep_token: int | None) -> None:
    found = domain.password_problem(password, account.username, account.email)
    if found:
        raise InvalidRegistration({"password": [domain.problem(found)]})
    account.password_hash = await passwords.hash(password)
    session.add(AuditRow(account_id=account.id, action="password_changed", subject_id=account.id))
    await revoke_tokens(session, account.id, keep=keep_token)


async def _change_state(session: AsyncSession, account: AccountRow, state: str, happened: str) -> None:
    account.state = state
    session.add(AuditRow(account_id=account.id, action=happened, subject_id=account.id))
    await _announce(session, account, happened)


async def _announce(session: AsyncSession, account: AccountRow, happened: str) -> None:
    account.version += 1
    changed = SecurityEvent(kind="account_changed", account_id=account.id, token_ids=[], happened_at=now())
    await outbox.add(session, account.as_event(), happened=happened)
    await outbox.add(session, changed, happened="security.account_changed")


async def _look_for_taken_names(session: AsyncSession, new: Registration, details: dict[str, list[dict[str, Any]]]) -> None:
    key = domain.address_key(new.email)
    taken = select(AccountRow.username, AccountRow.email_key).where((AccountRow.username == new.username) | (AccountRow.email_key == key))
    for username, email_key in (await session.execute(taken)).all():
        if username == new.username and "username" not in details:
            details["username"] = [domain.problem("ERR_TAKEN")]
        if email_key == key and "email" not in details:
            details["email"] = [domain.problem("ERR_TAKEN")]
