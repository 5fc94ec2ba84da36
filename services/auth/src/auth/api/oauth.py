"""OAuth as clients of the Mastodon API use it."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated, Any
from urllib.parse import unquote

from common.api import ADatabase, Caller, Transaction, error_answer
from common.bodies import body, described
from common.errors import LoginRequired
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from auth.commands import oauth
from auth.deps import ASettings, ClientIp, ThePasswords, TheThrottles
from auth.passwords import Passwords
from auth.throttles import APPS_PER_ADDRESS, CLIENT_PER_ADDRESS, LOGIN_PER_ACCOUNT, LOGIN_PER_ADDRESS, address_range

router = APIRouter(tags=["oauth"])


def _lines(value: Any) -> Any:
    return value.split() if isinstance(value, str) else value


class NewApp(BaseModel):
    """`POST /api/v1/apps`; redirect addresses as one string, one a line, or as an array."""

    model_config = ConfigDict(extra="ignore")

    client_name: str = Field(default="", max_length=200)
    redirect_uris: Annotated[list[Annotated[str, Field(max_length=2000)]], BeforeValidator(_lines), Field(max_length=20)] = []
    scopes: str = Field(default="read", max_length=1000)
    website: str | None = Field(default=None, max_length=2000)


class TokenRequest(BaseModel):
    """`POST /oauth/token` (RFC 6749)."""

    model_config = ConfigDict(extra="ignore")

    grant_type: str = Field(default="", max_length=100)
    client_id: str | None = Field(default=None, max_length=200)
    client_secret: str | None = Field(default=None, max_length=200)
    code: str = Field(default="", max_length=200)
    redirect_uri: str = Field(default="", max_length=2000)
    code_verifier: str | None = Field(default=None, max_length=200)
    scope: str = Field(default="", max_length=1000)
    username: str = Field(default="", max_length=320)
    password: str = Field(default="", max_length=200)


class RevokeRequest(BaseModel):
    """`POST /oauth/revoke` (RFC 7009)."""

    model_config = ConfigDict(extra="ignore")

    client_id: str | None = Field(default=None, max_length=200)
    client_secret: str | None = Field(default=None, max_length=200)
    token: str = Field(default="", max_length=300)


@router.post("/api/v1/apps", openapi_extra=described(NewApp))
async def create_app(
    new: Annotated[NewApp, Depends(body(NewApp))], session: Transaction, throttles: TheThrottles, ip: ClientIp
) -> dict[str, Any]:
    """Register an OAuth client. 422 names what is wrong."""
    await throttles.count(APPS_PER_ADDRESS, address_range(ip))
    app, secret = await oauth.create_app(session, new.client_name, new.website, new.redirect_uris, new.scopes)
    return {
        "id": str(app.id),
        "name": app.name,
        "website": app.website,
        "scopes": app.scopes,
        "redirect_uri": "\n".join(app.redirect_uris),
        "redirect_uris": app.redirect_uris,
        "client_id": app.client_id,
        "client_secret": secret,
        "client_secret_expires_at": 0,
        "vapid_key": "",
    }


@router.get("/api/v1/apps/verify_credentials")
async def verify_app(caller: Caller) -> dict[str, Any]:
    """Which app a token belongs to; an app's own token is enough."""
    if caller.kind not in ("app", "user"):
        raise LoginRequired("The access token is invalid")
    return {"name": caller.app_name, "website": caller.app_website, "scopes": sorted(caller.scopes), "vapid_key": ""}


@router.post("/oauth/token", openapi_extra=described(TokenRequest))
async def token(
    request: Request,
    asked: Annotated[TokenRequest, Depends(body(TokenRequest))],
    database: ADatabase,
    settings: ASettings,
    passwords: ThePasswords,
    throttles: TheThrottles,
    ip: ClientIp,
) -> Any:
    """Give a token for a code, for the client's own secret, or (where allowed) for a password. Errors as in RFC 6749, 5.2; 429 after too many."""
    if asked.grant_type == "password" and settings.password_grant:
        await throttles.count(LOGIN_PER_ADDRESS, address_range(ip))
        await throttles.count(LOGIN_PER_ACCOUNT, asked.username.lower())
    async with throttles.failures(CLIENT_PER_ADDRESS, address_range(ip)), database.transaction() as session:
        return await _token(session, request, asked, passwords if settings.password_grant else None)


async def _token(session: AsyncSession, request: Request, asked: TokenRequest, passwords: Passwords | None) -> Any:
    """The answer to a request for a token; without `passwords` none is taken."""
    client_id, client_secret = _client(request, asked.client_id, asked.client_secret)
    public = asked.grant_type == "authorization_code" and asked.code_verifier is not None
    app = await oauth.authenticate(session, client_id, client_secret, public=public)
    if asked.grant_type == "authorization_code":
        issued = await oauth.exchange_code(session, app, asked.code, asked.redirect_uri, asked.code_verifier, public=client_secret is None)
        if issued is None:  # an answer, not an exception: what the reuse ended has to be committed
            refused = oauth.invalid_grant()
            return error_answer(refused.status, str(refused), **refused.extra)
        return issued.answer()
    if asked.grant_type == "client_credentials":
        return (await oauth.client_credentials(session, app, asked.scope)).answer()
    if asked.grant_type == "password" and passwords is not None:
        return (await oauth.password_grant(session, passwords, app, asked.username, asked.password, asked.scope)).answer()
    raise oauth.OAuthError("unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")


@router.post("/oauth/revoke", openapi_extra=described(RevokeRequest))
async def revoke(
    request: Request,
    asked: Annotated[RevokeRequest, Depends(body(RevokeRequest))],
    database: ADatabase,
    throttles: TheThrottles,
    ip: ClientIp,
) -> dict[str, Any]:
    """End a token; one that nobody knows is ended already."""
    async with throttles.failures(CLIENT_PER_ADDRESS, address_range(ip)), database.transaction() as session:
        client_id, client_secret = _client(request, asked.client_id, asked.client_secret)
        await oauth.revoke(session, client_id, client_secret, asked.token)
    return {}


def _client(request: Request, client_id: str | None, client_secret: str | None) -> tuple[str | None, str | None]:
    """The client's name and secret from HTTP Basic or the body (RFC 6749, 2.3.1)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return client_id, client_secret
    try:
        name, _, secret = b64decode(value, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError) as error:
        raise oauth.invalid_client() from error
    return unquote(name), unquote(secret)
