"""The API of `auth` on a new database, and what people and apps do there."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from auth.main import create_app
from common.db import Database
from common.testing.identities import TestIdentities
from fastapi import FastAPI
from sqlalchemy import text

PASSWORD = "correct horse battery"
CALLBACK = "https://client.example/callback"


@dataclass(frozen=True)
class Doors:
    """Requests as the gateway makes them, and what they left in the database."""

    client: httpx.AsyncClient
    database: Database
    identities: TestIdentities
    password: str = PASSWORD
    callback: str = CALLBACK

    def person(self, account_id: int, token_id: int = 0) -> dict[str, str]:
        return self.identities.headers("auth", account_id=account_id, token_id=token_id)

    async def internal(self, path: str, **body: Any) -> httpx.Response:
        """The gateway, for itself."""
        return await self.client.post(f"/internal/{path}", json=body, headers=self.identities.gateway("auth"))

    async def register(self, name: str = "ada", **more: Any) -> int:
        """A new account by the sign-up page; its id."""
        fields = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "agreement": True, **more}
        answer = await self.internal("registrations", **fields)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["event"]["account_id"])

    async def log_in(self, identifier: str = "ada", password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.internal("sessions", identifier=identifier, password=password, **more)

    async def introspect(self, token: str) -> dict[str, Any] | None:
        answer = await self.internal("introspect", token=token)
        return answer.json() if answer.status_code == 200 else None

    async def events(self, prefix: str = "") -> list[dict[str, Any]]:
        """The events whose type begins so, oldest first, each with its `type`."""
        async with self.database.sessions() as session:
            rows = await session.execute(
                text("SELECT type, body FROM outbox WHERE starts_with(type, :prefix) ORDER BY id"), {"prefix": prefix}
            )
            return [{"type": row.type, **json.loads(row.body)} for row in rows]

    async def link(self, told: str) -> str:
        """The token of the link in the latest mail of a kind."""
        request_id = (await self.events(f"security.{told}"))[-1]["request_id"]
        mail = (await self.internal("mail", request_id=request_id)).json()
        return str(mail["link"]).split("token=")[1]

    async def app(self, scopes: str = "read write", redirect_uris: str = CALLBACK) -> dict[str, Any]:
        answer = await self.client.post("/api/v1/apps", data={"client_name": "Client", "redirect_uris": redirect_uris, "scopes": scopes})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def authorize(self, account_id: int, app: dict[str, Any], **more: Any) -> httpx.Response:
        """Somebody lets the app in."""
        asked = {"client_id": app["client_id"], "redirect_uri": CALLBACK, "scope": "read", **more}
        return await self.client.post("/internal/authorizations", json=asked, headers=self.person(account_id))

    async def token(self, app: dict[str, Any], grant_type: str, **more: Any) -> httpx.Response:
        fields = {"client_id": app["client_id"], "client_secret": app["client_secret"], "grant_type": grant_type, **more}
        return await self.client.post("/oauth/token", data={name: value for name, value in fields.items() if value is not None})

    async def exchange(self, app: dict[str, Any], code: str, **more: Any) -> httpx.Response:
        return await self.token(app, "authorization_code", code=code, **{"redirect_uri": CALLBACK, **more})

    async def run(self, statement: str, **parameters: Any) -> Any:
        """One value from the database, or a change to it."""
        async with self.database.transaction() as session:
            result = await session.execute(text(statement), parameters)
            return result.scalar() if result.returns_rows else None

    @staticmethod
    def challenge(verifier: str) -> str:
        return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def settings() -> dict[str, str]:
    """What a test wants set otherwise, by `@pytest.mark.parametrize("settings", [{...}])`."""
    return {}


@pytest.fixture
def environment(database_url: str, identities: TestIdentities, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a process; hashes are made cheap, and sign-ups are many."""
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", identities.jwks)
    monkeypatch.setenv("MICROBLOG_PUBLIC_URL", "https://microblog.example")
    monkeypatch.setenv("AUTH_DATABASE_URL", database_url)
    monkeypatch.setenv("AUTH_SECRET", "a secret of at least 32 characters")
    monkeypatch.setenv("AUTH_ARGON2_MEMORY_KIB", "8")
    monkeypatch.setenv("AUTH_ARGON2_TIME", "1")
    monkeypatch.setenv("AUTH_SIGN_UPS_PER_HALF_HOUR", "1000")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def app(environment: None) -> AsyncIterator[FastAPI]:
    made = create_app()
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def doors(app: FastAPI, database: Database, identities: TestIdentities) -> AsyncIterator[Doors]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://auth") as client:
        yield Doors(client, database, identities)
