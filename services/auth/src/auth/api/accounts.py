"""Signing up, confirming, resetting: called by the gateway for its API and its pages."""

from typing import Annotated, Any

from common.api import HIDDEN, ADatabase, Caller, ServiceCaller, Transaction, User
from common.bodies import body, described
from common.errors import LoginRequired, OutsideScopes
from common.events import AccountState
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from auth import queries
from auth.commands import accounts, oauth, sessions
from auth.deps import ASettings, ClientIp, ThePasswords, TheThrottles
from auth.domain import Registration, RegistrationsClosed
from auth.throttles import (
    LINK_PER_ADDRESS,
    PASSWORD_PER_ACCOUNT,
    RESEND_PER_ACCOUNT,
    RESET_PER_ACCOUNT,
    RESET_PER_ADDRESS,
    Limit,
    address_range,
)

router = APIRouter(tags=["accounts"])


class NewAccount(BaseModel):
    """`POST /api/v1/accounts` of the Mastodon client API."""

    model_config = ConfigDict(extra="ignore")

    username: str = Field(default="", max_length=300)
    email: str = Field(default="", max_length=320)
    password: str = Field(default="", max_length=1000)
    agreement: bool = False
    locale: str = Field(default="en", pattern="^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$")

    def registration(self) -> Registration:
        return Registration(self.username, self.email, self.password, self.agreement, self.locale[:2].lower())


class NewPerson(NewAccount):
    """The same from the sign-up page."""

    user_agent: str | None = Field(default=None, max_length=1000)


class Registered(BaseModel):
    """A new account: its token (API) or session (pages), and the event for the gateway to carry ahead."""

    event: AccountState
    token: dict[str, Any] | None = None
    session: str | None = None


class Address(BaseModel):
    email: str = Field(max_length=320)


class LinkUse(BaseModel):
    token: str = Field(max_length=200)


class ResetUse(LinkUse):
    password: str = Field(max_length=1000)


class PasswordChange(BaseModel):
    current: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


class Deletion(BaseModel):
    password: str = Field(max_length=1000)


class LocaleChange(BaseModel):
    locale: str = Field(pattern="^[a-z]{2}$")


async def _register(settings: ASettings, throttles: TheThrottles, ip: ClientIp) -> None:
    if not settings.registrations:
        raise RegistrationsClosed
    await throttles.count(Limit("sign-up-ip", settings.sign_ups_per_half_hour, 1800), address_range(ip))


SignUpAllowed = Depends(_register)


@router.post("/api/v1/accounts", openapi_extra=described(NewAccount), dependencies=[SignUpAllowed])
async def register(
    new: Annotated[NewAccount, Depends(body(NewAccount))],
    caller: Caller,
    session: Transaction,
    passwords: ThePasswords,
    settings: ASettings,
) -> Registered:
    """Create an account with an app's token; 422 with `details` by field names every problem."""
    if caller.kind != "app":
        raise LoginRequired("The access token is invalid")
    if not caller.may("write:accounts"):
        raise OutsideScopes
    account = await accounts.register(session, passwords, new.registration(), confirm=settings.confirm_email)
    issued = await oauth.token_for_newcomer(session, caller.token_id, account)
    return Registered(event=account.as_event(), token=issued.answer())


@router.post("/internal/registrations", **HIDDEN, dependencies=[SignUpAllowed])
async def register_by_page(
    new: NewPerson, caller: ServiceCaller, session: Transaction, passwords: ThePasswords, settings: ASettings, ip: ClientIp
) -> Registered:
    """Create an account from the sign-up page and log it in."""
    account = await accounts.register(session, passwords, new.registration(), confirm=settings.confirm_email)
    opened = await sessions.open_session(session, account, remember=False, ip=ip, user_agent=new.user_agent)
    return Registered(event=account.as_event(), session=opened.secret)


@router.post("/api/v1/emails/confirmations")
async def resend_confirmation(caller: User, session: Transaction, throttles: TheThrottles) -> dict[str, Any]:
    """Mail the confirmation link again."""
    await throttles.count(RESEND_PER_ACCOUNT, str(caller.account_id))
    account = await queries.account(session, caller.account_id)
    if account.state == "unconfirmed":
        await accounts.ask_by_mail(session, account, accounts.CONFIRMATION)
    return {}


@router.post("/internal/confirmations/use", **HIDDEN)
async def confirm(
    used: LinkUse, caller: ServiceCaller, database: ADatabase, settings: ASettings, throttles: TheThrottles, ip: ClientIp
) -> Registered:
    """Confirm an address by its mailed link."""
    async with throttles.failures(LINK_PER_ADDRESS, address_range(ip)), database.transaction() as session:
        return Registered(event=await accounts.confirm(session, settings.secret.get_secret_value(), used.token))


@router.post("/internal/resets", status_code=202, **HIDDEN)
async def ask_reset(asked: Address, caller: ServiceCaller, session: Transaction, throttles: TheThrottles, ip: ClientIp) -> dict[str, Any]:
    """Mail a link for a new password; the answer is the same whether or not the address is known."""
    await throttles.count(RESET_PER_ADDRESS, address_range(ip))
    await throttles.count(RESET_PER_ACCOUNT, asked.email.strip().lower())
    account = await queries.account_by_identifier(session, asked.email) if "@" in asked.email else None
    if account is not None and account.state in ("active", "unconfirmed"):
        await accounts.ask_by_mail(session, account, accounts.RESET)
    return {}


@router.post("/internal/resets/use", **HIDDEN)
async def use_reset(
    used: ResetUse,
    caller: ServiceCaller,
    database: ADatabase,
    passwords: ThePasswords,
    settings: ASettings,
    throttles: TheThrottles,
    ip: ClientIp,
) -> dict[str, Any]:
    """Set a new password by a mailed link; every session ends."""
    async with throttles.failures(LINK_PER_ADDRESS, address_range(ip)), database.transaction() as session:
        await accounts.reset_password(session, passwords, settings.secret.get_secret_value(), used.token, used.password)
    return {}


@router.post("/internal/passwords", **HIDDEN)
async def change_password(
    change: PasswordChange, caller: User, session: Transaction, passwords: ThePasswords, throttles: TheThrottles
) -> dict[str, Any]:
    """Set a new password knowing the old one; the session that does it stays."""
    await throttles.count(PASSWORD_PER_ACCOUNT, str(caller.account_id))
    await accounts.change_password(session, passwords, caller.account_id, change.current, change.new, caller.token_id)
    return {}


@router.post("/internal/deletions", **HIDDEN)
async def delete_account(
    asked: Deletion, caller: User, session: Transaction, passwords: ThePasswords, throttles: TheThrottles
) -> Registered:
    """Delete one's own account for good, knowing its password; 401 when that is wrong."""
    await throttles.count(PASSWORD_PER_ACCOUNT, str(caller.account_id))
    return Registered(event=await accounts.delete_own(session, passwords, caller.account_id, asked.password))


@router.post("/internal/locale", **HIDDEN)
async def change_locale(change: LocaleChange, caller: User, session: Transaction) -> dict[str, Any]:
    """Choose the language of pages and mails."""
    await accounts.set_locale(session, caller.account_id, change.locale)
    return {}
