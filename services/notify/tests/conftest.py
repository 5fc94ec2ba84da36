"""`notify` on a new database, beside a real `auth` with people in it and a Postmark that does as it is told."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth.main import create_app as create_auth
from common.db import Database
from common.events import Event, NoticeTrigger
from common.identity import generate_key
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from fakes.postmark import FakePostmark
from fakes.server import serving
from faststream.kafka import TestKafkaBroker
from notify.mail import ledger
from notify.mail.addresses import Addresses
from notify.mail.providers import provider_of
from notify.mail.sender import Sender
from notify.mail.suppressions import compare
from notify.mail.unsubscribing import Unsubscribing
from notify.main import create_app
from notify.settings import Settings
from notify.worker import create_consumers
from sqlalchemy import text

URL = "https://microblog.example"
SECRET = "a secret of at least 32 characters"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Office:
    """The service with its database, its API and its senders."""

    client: httpx.AsyncClient
    database: Database
    auth: httpx.Client
    postmark: FakePostmark
    identities: TestIdentities
    shared: SharedSettings
    environment: dict[str, str]
    closing: list[Any] = field(default_factory=list)

    def register(self, name: str, *, confirmed: bool = True) -> int:
        """Somebody with an address; their account id."""
        fields = {"username": name, "email": f"{name}@example.org", "password": "correct horse battery", "agreement": True}
        answer = self.auth.post("/internal/registrations", json=fields, headers=self.identities.gateway("auth"))
        assert answer.status_code == 200, answer.text
        return int(answer.json()["event"]["account_id"])

    def settings(self, **more: Any) -> Settings:
        return Settings(**{**{name.removeprefix("NOTIFY_").lower(): value for name, value in self.environment.items()}, **more})

    def sender(self, **more: Any) -> Sender:
        """A worker's sender; settings as the test wants them."""
        settings = self.settings(**more)
        provider, addresses = provider_of(settings), Addresses(settings.auth_url, settings.signing_key.get_secret_value())
        self.closing += [provider, addresses]
        return Sender(settings, URL, self.database, provider, addresses, Unsubscribing(SECRET))

    def addresses(self) -> Addresses:
        made = Addresses(self.environment["NOTIFY_AUTH_URL"], self.environment["NOTIFY_SIGNING_KEY"])
        self.closing.append(made)
        return made

    async def plan(self, account_id: int, key: str = "follow:1:x", kind: str = "follow", **details: Any) -> bool:
        """A mail is to be sent."""
        told = {"actor": "Bob", "actor_username": "bob", "excerpt": "hello", "post_id": 5, "plain": "news", **details}
        async with self.database.transaction() as session:
            return await ledger.plan(session, key, kind, account_id, told)

    async def settle_unknown(self, grace: float = 600.0, **more: Any) -> int:
        """Look for mails of unknown outcome that are due; return how many were."""
        return await self.sender(unknown_grace=grace, **more).settle_unknown()

    async def reconcile(self) -> None:
        """A day passes: the provider's lists are compared with ours."""
        provider = provider_of(self.settings())
        self.closing.append(provider)
        await compare(self.database, provider)

    async def age_claims(self) -> None:
        """Three minutes pass, longer than a claim lives."""
        await self.rows("UPDATE mails SET claimed_at = claimed_at - interval '3 minutes'")

    async def consume(self, *events: Event | bytes, topic: str = "") -> None:
        consumers = create_consumers(self.shared, self.database)
        async with TestKafkaBroker(consumers.broker) as broker:
            for event in events:
                if isinstance(event, bytes):
                    await broker.publish(event, topic)
                else:
                    await broker.publish(event.model_dump_json().encode(), event.topic, headers={"ce_dataschema": event.data_schema()})

    @staticmethod
    def notice(minute: int = 0, **more: Any) -> NoticeTrigger:
        """Bob (2) follows Ada (1), unless told otherwise."""
        fields = {"dedupe": "follow:2:0", "kind": "follow", "account_id": 1, "actor_id": 2, "actor_username": "bob", "actor_name": "Bob"}
        return NoticeTrigger(**{**fields, "happened_at": NOON + timedelta(minutes=minute), **more})

    def headers(self, account_id: int, **more: Any) -> dict[str, str]:
        return self.identities.headers("notify", account_id, f"person{account_id}", **more)

    async def get(self, path: str, account_id: int = 1) -> Any:
        answer = await self.client.get(path, headers=self.headers(account_id))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def shown(self, account_id: int = 1, query: str = "") -> list[tuple[str, int]]:
        """Kind and actor of somebody's notifications, newest first."""
        page = await self.get(f"/internal/notifications{query}", account_id)
        return [(entry["type"], int(entry["account_id"])) for entry in page["notifications"]]

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as session:
            result = await session.execute(text(statement), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

    async def states(self) -> dict[str, str]:
        return dict(await self.rows("SELECT dedupe_key, state FROM mails"))  # type: ignore[arg-type]

    async def make_due(self) -> None:
        """Time passes: whatever waits for a moment has reached it."""
        await self.rows("UPDATE mails SET not_before = now()")


@pytest.fixture
def postmark() -> FakePostmark:
    return FakePostmark()


@pytest.fixture
def postmark_url(postmark: FakePostmark) -> Iterator[str]:
    with serving(postmark.app()) as url:
        yield url


@pytest.fixture
def keys(identities: TestIdentities) -> tuple[str, str]:
    """The private key of `notify`, and the keys that everybody trusts."""
    private, public = generate_key("notify")
    return private, json.dumps({"keys": [identities.public_key, public]})


@pytest.fixture
def auth_url(keys: tuple[str, str], new_database_url: Callable[[str], str]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROBLOG_IDENTITY_KEYS", keys[1])
        patch.setenv("MICROBLOG_PUBLIC_URL", URL)
        patch.setenv("AUTH_DATABASE_URL", new_database_url("auth"))
        patch.setenv("AUTH_SECRET", SECRET)
        patch.setenv("AUTH_ARGON2_MEMORY_KIB", "8")
        patch.setenv("AUTH_ARGON2_TIME", "1")
        patch.setenv("AUTH_CONFIRM_EMAIL", "false")
        patch.setenv("AUTH_SIGN_UPS_PER_HALF_HOUR", "1000")
        app = create_auth()
    with serving(app, lifespan="on") as url:
        yield url


@pytest.fixture
def environment(
    database_url: str, keys: tuple[str, str], auth_url: str, postmark: FakePostmark, postmark_url: str, tmp_path: Path
) -> dict[str, str]:
    """The settings of `notify`."""
    return {
        "NOTIFY_DATABASE_URL": database_url,
        "NOTIFY_AUTH_URL": auth_url,
        "NOTIFY_SIGNING_KEY": keys[0],
        "NOTIFY_UNSUBSCRIBE_SECRET": SECRET,
        "NOTIFY_MAIL_PROVIDER": "postmark",
        "NOTIFY_MAIL_FROM": "Microblog <news@microblog.example>",
        "NOTIFY_POSTMARK_URL": postmark_url,
        "NOTIFY_POSTMARK_TOKEN": postmark.token,
        "NOTIFY_POSTMARK_WEBHOOK_SECRET": "hook secret",
        "NOTIFY_UNKNOWN_WAIT": "0",
        "NOTIFY_MAIL_FOLDER": str(tmp_path / "mail"),
    }


@pytest.fixture
async def office(
    environment: dict[str, str],
    keys: tuple[str, str],
    auth_url: str,
    postmark: FakePostmark,
    database: Database,
    identities: TestIdentities,
    shared_settings: SharedSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Office]:
    monkeypatch.setenv("MICROBLOG_IDENTITY_KEYS", keys[1])
    monkeypatch.setenv("MICROBLOG_PUBLIC_URL", URL)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = create_app()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://notify") as client:
        with httpx.Client(base_url=auth_url) as auth:
            made = Office(client, database, auth, postmark, identities, shared_settings, environment)
            yield made
            for closed in made.closing:
                await closed.close()
