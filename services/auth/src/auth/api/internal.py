"""What the gateway asks about callers, and `notify` about addresses."""

from datetime import datetime
from typing import Annotated, Any

from common.api import HIDDEN, ADatabase, ServiceCaller, Transaction, User
from common.errors import NotFound
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select

from auth import queries
from auth.commands import accounts, oauth, sessions
from auth.deps import ASettings, ClientIp, ThePasswords, TheThrottles
from auth.tables import AccountRow, AppRow
from auth.throttles import LOGIN_PER_ACCOUNT, LOGIN_PER_ADDRESS, address_range

router = APIRouter(**HIDDEN)


class Token(BaseModel):
    token: str = Field(max_length=300)


class LogIn(BaseModel):
    identifier: str = Field(max_length=320)
    password: str = Field(max_length=1000)
    remember: bool = False
    user_agent: str | None = Field(default=None, max_length=1000)


class LoggedIn(BaseModel):
    session: str
    expires_at: datetime
    account_id: str
    username: str
    state: str
    locale: str


class LogOut(BaseModel):
    session: str = Field(max_length=300)


class Ending(BaseModel):
    token_id: int | None = None


class Authorization(BaseModel):
    client_id: str = Field(max_length=200)
    redirect_uri: str = Field(max_length=2000)
    scope: str = Field(default="read", max_length=1000)
    state: str | None = Field(default=None, max_length=2000)
    code_challenge: str | None = Field(default=None, max_length=200)
    code_challenge_method: str | None = Field(default=None, max_length=20)


class MailRequest(BaseModel):
    request_id: int


class People(BaseModel):
    account_ids: list[int] = Field(max_length=500)


@router.post("/internal/introspect")
async def introspect(asked: Token, caller: ServiceCaller, database: ADatabase) -> dict[str, Any]:
    """What a bearer token or session stands for; 404 when it is unknown, ended or expired."""
    found = await queries.introspect(database, asked.token)
    return {
        "account_id": str(found.account_id or 0),
        "username": found.username or "",
        "role": found.role or "user",
        "state": found.state or "active",
        "scopes": found.scopes,
        "kind": "app" if found.kind == "app" else "user",
        "session": found.kind == "session",
        "app_name": found.app_name,
        "app_website": found.app_website,
        "token_id": found.token_id,
        "locale": found.locale or "en",
    }


@router.post("/internal/sessions")
async def log_in(
    asked: LogIn, caller: ServiceCaller, session: Transaction, passwords: ThePasswords, throttles: TheThrottles, ip: ClientIp
) -> LoggedIn:
    """Open a web session. 401 alike for wrong passwords and unknown people, 429 after too many tries, 503 when too many hash at once."""
    await throttles.count(LOGIN_PER_ADDRESS, address_range(ip))
    await throttles.count(LOGIN_PER_ACCOUNT, asked.identifier.strip().lower())
    opened = await sessions.log_in(
        session, passwords, asked.identifier, asked.password, remember=asked.remember, ip=ip, user_agent=asked.user_agent
    )
    person = opened.account
    return LoggedIn(
        session=opened.secret,
        expires_at=opened.expires_at,
        account_id=str(person.id),
        username=person.username,
        state=person.state,
        locale=person.locale,
    )


@router.delete("/internal/sessions")
async def log_out(asked: LogOut, caller: ServiceCaller, session: Transaction) -> dict[str, Any]:
    """End a web session."""
    await sessions.log_out(session, asked.session)
    return {}


@router.get("/internal/sessions")
async def my_sessions(caller: User, session: Transaction) -> list[dict[str, Any]]:
    """Where the caller is logged in, and which apps may act for them."""
    rows = await sessions.sessions_of(session, caller.account_id)
    names = {app_id: (await session.get_one(AppRow, app_id)).name for app_id in {row.app_id for row in rows} if app_id}
    return [
        {
            "id": str(row.id),
            "kind": row.kind,
            "app": names.get(row.app_id or 0),
            "created_at": row.created_at.isoformat(),
            "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            "ip": row.ip,
            "user_agent": row.user_agent,
            "current": row.id == caller.token_id,
        }
        for row in rows
    ]


@router.post("/internal/sessions/revoke")
async def end_session(asked: Ending, caller: User, session: Transaction) -> dict[str, Any]:
    """End one of the caller's sessions or tokens; all of them without an id."""
    await sessions.end_session(session, caller.account_id, asked.token_id)
    return {}


@router.get("/internal/apps/{client_id}")
async def app_to_authorize(
    client_id: str, caller: ServiceCaller, session: Transaction, redirect_uri: str = "", scope: str = "", response_type: str = "code"
) -> dict[str, Any]:
    """What the consent page shows; an OAuth error when the request isn't acceptable."""
    app, scopes = await oauth.check_authorization(session, client_id, redirect_uri, scope, response_type)
    return {"name": app.name, "website": app.website, "scopes": scopes}


@router.post("/internal/authorizations")
async def authorize(asked: Authorization, caller: User, session: Transaction) -> dict[str, Any]:
    """Grant an app what it asked for: the code, and where the browser goes with it (null: show it)."""
    code, redirect_to = await oauth.authorize(
        session,
        caller.account_id,
        asked.client_id,
        asked.redirect_uri,
        asked.scope,
        asked.state,
        asked.code_challenge,
        asked.code_challenge_method,
    )
    return {"code": code, "redirect_to": redirect_to}


@router.post("/internal/mail")
async def mail(asked: MailRequest, request: Request, caller: ServiceCaller, session: Transaction, settings: ASettings) -> dict[str, Any]:
    """Address, language and link for a mail that was asked for; 404 when it is no longer wanted."""
    found = await accounts.mail_for(session, settings.secret.get_secret_value(), request.app.state.shared.public_url, asked.request_id)
    if found is None:
        raise NotFound
    return found


@router.post("/internal/addresses")
async def addresses(asked: People, caller: ServiceCaller, session: Transaction) -> list[dict[str, Any]]:
    """Where people get mail, for those who confirmed and may act."""
    rows = await session.scalars(select(AccountRow).where(AccountRow.id.in_(asked.account_ids), AccountRow.state == "active"))
    return [_address(row) for row in rows]


@router.get("/internal/addresses")
async def all_addresses(
    caller: ServiceCaller, session: Transaction, after: int = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 500
) -> list[dict[str, Any]]:
    """Everybody who confirmed and may act, by id, from behind `after`."""
    statement = select(AccountRow).where(AccountRow.id > after, AccountRow.state == "active").order_by(AccountRow.id).limit(limit)
    return [_address(row) for row in await session.scalars(statement)]


@router.get("/internal/instance")
async def instance(settings: ASettings) -> dict[str, Any]:
    """What this service adds to the description of the server."""
    return {
        "registrations": {
            "enabled": settings.registrations,
            "approval_required": False,
            "reason_required": False,
            "message": None,
            "min_age": None,
        }
    }


def _address(row: AccountRow) -> dict[str, Any]:
    return {"account_id": str(row.id), "address": row.email, "locale": row.locale, "username": row.username, "confirmed": True}
