"""OAuth 2.1: apps, authorization codes with PKCE, tokens (RFC 6749, 7636, 7009)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from common import outbox
from common.errors import DomainError
from common.events import SecurityEvent
from common.times import now
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth import queries
from auth.passwords import Passwords
from auth.secrets import digest, new_secret, s256, same
from auth.tables import AccountRow, AppRow, GrantRow, TokenRow

OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
_CODE_LIFETIME: Final = timedelta(minutes=10)

_READ = ["accounts", "blocks", "bookmarks", "favourites", "filters", "follows", "lists", "mutes", "notifications", "search", "statuses"]
_WRITE = [
    "accounts",
    "blocks",
    "bookmarks",
    "conversations",
    "favourites",
    "filters",
    "follows",
    "lists",
    "media",
    "mutes",
    "notifications",
    "reports",
    "statuses",
]
_ADMIN = [f"admin:{verb}" for verb in ("read", "write")]
_ADMIN += [f"admin:{v}:{n}" for v in ("read", "write") for n in ("accounts", "reports", "domain_allows", "domain_blocks", "ip_blocks")]
SCOPES: Final = frozenset(
    ["read", "write", "follow", "push", "profile", *_ADMIN, *(f"read:{name}" for name in _READ), *(f"write:{name}" for name in _WRITE)]
)


class OAuthError(DomainError):
    """An error in the form of RFC 6749."""

    code: ClassVar[str] = "oauth"

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error, error_description=description)
        self.status = status  # type: ignore[misc]


def invalid_client() -> OAuthError:
    return OAuthError(
        "invalid_client",
        "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
        401,
    )


def invalid_grant() -> OAuthError:
    return OAuthError(
        "invalid_grant",
        "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization "
        "request, or was issued to another client.",
    )


def invalid_scope() -> OAuthError:
    return OAuthError("invalid_scope", "The requested scope is invalid, unknown, or malformed.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token: its secret, its scopes, when it was made (seconds since 1970)."""

    secret: str
    scopes: list[str]
    created_at: int

    def answer(self) -> dict[str, Any]:
        return {"access_token": self.secret, "token_type": "Bearer", "scope": " ".join(self.scopes), "created_at": self.created_at}


async def create_app(session: AsyncSession, name: str, website: str | None, redirect_uris: list[str], scope: str) -> tuple[AppRow, str]:
    """Register an OAuth client and return it with its secret, which is shown this once. Raises `DomainError`s that name the field."""
    scopes = wanted_scopes(scope, SCOPES)
    if not name.strip():
        raise DomainError("Validation failed: Application name can't be blank")
    if not redirect_uris:
        raise DomainError("Validation failed: Redirect URI can't be blank")
    for uri in redirect_uris:
        if uri != OUT_OF_BAND and not _acceptable(uri):
            raise DomainError("Validation failed: Redirect URI must be an absolute URI.")
    if website and urlsplit(website).scheme not in ("http", "https"):
        raise DomainError("Validation failed: Website is invalid")
    secret = new_secret()
    app = AppRow(
        client_id=new_secret(),
        secret_hash=digest(secret),
        name=name.strip(),
        website=website or None,
        redirect_uris=redirect_uris,
        scopes=scopes,
    )
    session.add(app)
    await session.flush()
    return app, secret


async def check_authorization(
    session: AsyncSession, client_id: str, redirect_uri: str, scope: str, response_type: str
) -> tuple[AppRow, list[str]]:
    """Return the app and the scopes that somebody would grant. Raises `OAuthError`; never redirect after one, the address may be anybody's."""
    app = await queries.app(session, client_id)
    if app is None:
        raise invalid_client()
    if redirect_uri not in app.redirect_uris:
        raise OAuthError("invalid_redirect_uri", "The requested redirect uri is malformed or doesn't match client redirect URI.")
    if response_type != "code":
        raise OAuthError("unsupported_response_type", "The authorization server does not support this response type.")
    return app, wanted_scopes(scope, frozenset(app.scopes))


async def authorize(
    session: AsyncSession,
    account_id: int,
    client_id: str,
    redirect_uri: str,
    scope: str,
    state: str | None,
    code_challenge: str | None,
    code_challenge_method: str | None,
) -> tuple[str, str | None]:
    """Grant an app what it asked for; return the code, and where to send the browser (None: show the code)."""
    app, scopes = await check_authorization(session, client_id, redirect_uri, scope, "code")
    if code_challenge and code_challenge_method != "S256":
        raise OAuthError("invalid_code_challenge_method", "The code challenge method must be S256.")
    code = new_secret()
    session.add(
        GrantRow(
            code_hash=digest(code),
            app_id=app.id,
            account_id=account_id,
            redirect_uri=redirect_uri,
            scopes=scopes,
            code_challenge=code_challenge or None,
        )
    )
    if redirect_uri == OUT_OF_BAND:
        return code, None
    parts = urlsplit(redirect_uri)
    added = urlencode({"code": code} | ({"state": state} if state else {}))
    return code, urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


async def authenticate(session: AsyncSession, client_id: str | None, client_secret: str | None, *, public: bool = False) -> AppRow:
    """Return the client that knows its secret; a public one (PKCE) may go without. Raises `OAuthError`."""
    app = await queries.app(session, client_id or "")
    if app is None or (client_secret and digest(client_secret) != app.secret_hash) or (not client_secret and not public):
        raise invalid_client()
    return app


async def exchange_code(
    session: AsyncSession, app: AppRow, code: str, redirect_uri: str, verifier: str | None, *, public: bool
) -> Issued | None:
    """Trade a code for a token, once. A code that comes again ends what it gave, and gives None: commit that. Raises `OAuthError`."""
    grant = (await session.scalars(select(GrantRow).where(GrantRow.code_hash == digest(code)).with_for_update())).one_or_none()
    if grant is None or grant.app_id != app.id:
        raise invalid_grant()
    if grant.used_at is not None:
        await _end_grant(session, grant)
        return None
    proven = grant.code_challenge is None if verifier is None else same(grant.code_challenge or "", s256(verifier))
    if (
        not proven
        or (public and grant.code_challenge is None)
        or grant.redirect_uri != redirect_uri
        or grant.created_at < now() - _CODE_LIFETIME
    ):
        raise invalid_grant()
    grant.used_at = now()
    return await issue(session, "user", app, grant.account_id, grant.scopes, grant.id)


async def client_credentials(session: AsyncSession, app: AppRow, scope: str) -> Issued:
    """A token for the app by itself."""
    return await issue(session, "app", app, None, wanted_scopes(scope or "read", frozenset(app.scopes)))


async def password_grant(session: AsyncSession, passwords: Passwords, app: AppRow, identifier: str, password: str, scope: str) -> Issued:
    """A token for a name and password; only where the operator allows it. Raises `OAuthError`."""
    account = await queries.account_by_identifier(session, identifier)
    fits = await passwords.verify(password, account.password_hash if account else None)
    if account is None or not fits or account.state in ("suspended", "disabled"):
        raise invalid_grant()
    return await issue(session, "user", app, account.id, wanted_scopes(scope or "read", frozenset(app.scopes)))


async def token_for_newcomer(session: AsyncSession, app_token_id: int, account: AccountRow) -> Issued:
    """The token that a registration through the API answers with: for the same app and scopes as the token that registered."""
    used = await session.get(TokenRow, app_token_id)
    if used is None or used.app_id is None:
        raise invalid_client()
    return await issue(session, "user", await session.get(AppRow, used.app_id), account.id, used.scopes)


async def issue(
    session: AsyncSession, kind: str, app: AppRow | None, account_id: int | None, scopes: list[str], grant_id: int | None = None
) -> Issued:
    """Make a token."""
    secret, moment = new_secret(), now()
    session.add(
        TokenRow(
            hash=digest(secret),
            kind=kind,
            account_id=account_id,
            app_id=app.id if app else None,
            grant_id=grant_id,
            scopes=scopes,
            created_at=moment,
        )
    )
    return Issued(secret, scopes, int(moment.timestamp()))


async def revoke(session: AsyncSession, client_id: str | None, client_secret: str | None, token: str) -> None:
    """End a token of this client; unknown tokens are fine, another client's aren't (RFC 7009)."""
    app = await queries.app(session, client_id or "")
    row = (await session.scalars(select(TokenRow).where(TokenRow.hash == digest(token), TokenRow.kind != "session"))).one_or_none()
    if row is None or row.revoked_at is not None:
        return
    if app is None or row.app_id != app.id or (client_secret and digest(client_secret) != app.secret_hash):
        raise OAuthError("unauthorized_client", "You are not authorized to revoke this token", 403)
    row.revoked_at = now()
    event = SecurityEvent(kind="tokens_revoked", account_id=row.account_id or 0, token_ids=[row.id], happened_at=now())
    await outbox.add(session, event, happened="security.tokens_revoked")


def wanted_scopes(scope: str, allowed: frozenset[str]) -> list[str]:
    """Read a scope string; raises `OAuthError` when it asks for more than is allowed."""
    scopes = list(dict.fromkeys(scope.replace("+", " ").split())) or ["read"]
    for name in scopes:
        if name not in SCOPES or (name not in allowed and name.split(":", 1)[0] not in allowed):
            raise invalid_scope()
    return scopes


def _acceptable(uri: str) -> bool:
    parts = urlsplit(uri)
    return bool(parts.scheme) and parts.scheme not in ("javascript", "data", "vbscript", "file") and not parts.fragment


async def _end_grant(session: AsyncSession, grant: GrantRow) -> None:
    end = update(TokenRow).where(TokenRow.grant_id == grant.id, TokenRow.revoked_at.is_(None)).values(revoked_at=now())
    ended = list((await session.scalars(end.returning(TokenRow.id))).all())
    if ended:
        event = SecurityEvent(kind="tokens_revoked", account_id=grant.account_id, token_ids=ended, happened_at=now())
        await outbox.add(session, event, happened="security.tokens_revoked")
