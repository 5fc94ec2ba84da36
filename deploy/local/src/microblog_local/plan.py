"""What runs where: ports that follow from one, folders, and each process's settings."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from common.databases import DATABASES
from engines.postgres import database_url

SERVICES: Final = ("auth", "posts", "social", "search", "notify", "translate")

_PREFIXES: Final = ("MICROBLOG_", "GATEWAY_", *(f"{name.upper()}_" for name in SERVICES))


_PROTECTIONS: Final = {
    "AUTH_CONFIRM_EMAIL": "false",
    "AUTH_PASSWORD_GRANT": "true",
    "AUTH_THROTTLES": "false",
    "GATEWAY_RATE_LIMITS": "false",
}

_HIGHEST: Final = 65535 - 23
"""The highest port of the gateway, whose followers are ports still."""


class PlanError(Exception):
    """The stack can't be run as asked; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port follows from the gateway's, so that two stacks can stand side by side."""

    gateway: int

    def __post_init__(self) -> None:
        if not 1 <= self.gateway <= _HIGHEST:
            raise PlanError(f"PORT is a number from 1 to {_HIGHEST}, since the inner ports follow from it")

    def api(self, service: str) -> int:
        return self.gateway + 1 + SERVICES.index(service)

    def worker(self, service: str) -> int:
        return self.gateway + 11 + SERVICES.index(service)

    @property
    def postgres(self) -> int:
        return self.gateway + 20

    @property
    def kafka(self) -> int:
        return self.gateway + 21

    @property
    def kafka_controller(self) -> int:
        return self.gateway + 22

    @property
    def search_engine(self) -> int:
        return self.gateway + 23

    def all(self) -> list[int]:
        services = [port for name in SERVICES for port in (self.api(name), self.worker(name))]
        return [self.gateway, *services, self.postgres, self.kafka, self.kafka_controller, self.search_engine]


@dataclass(frozen=True, slots=True)
class Process:
    """A process to fork: `target` is the factory of its ASGI application, or a function that is called once."""

    name: str
    target: str
    host: str
    port: int
    environment: dict[str, str]
    edge: bool = False
    once: bool = False


@dataclass(frozen=True)
class Plan:
    """One stack: its ports, its data folder, and the settings that were given."""

    ports: Ports
    data: Path
    given: Mapping[str, str]

    @property
    def public_url(self) -> str:
        return self.given.get("MICROBLOG_PUBLIC_URL", f"http://localhost:{self.ports.gateway}")

    @property
    def mail_folder(self) -> Path:
        return Path(self.given.get("NOTIFY_MAIL_FOLDER", str(self.data / "mail")))

    @property
    def unprotected(self) -> list[str]:
        """Settings that take a protection away."""
        return [name for name, off in _PROTECTIONS.items() if self.given.get(name, "").lower() == off]

    @property
    def own_kafka(self) -> bool:
        return "MICROBLOG_KAFKA_SERVERS" not in self.given

    @property
    def own_search(self) -> bool:
        return "SEARCH_ELASTICSEARCH_URL" not in self.given

    @property
    def own_databases(self) -> list[str]:
        """Services whose database lies in the embedded PostgreSQL."""
        return [name for name in DATABASES if f"{name.upper()}_DATABASE_URL" not in self.given]

    @property
    def kafka_servers(self) -> str:
        return self.given.get("MICROBLOG_KAFKA_SERVERS", f"127.0.0.1:{self.ports.kafka}")

    def database_url(self, service: str, kept: Mapping[str, Any]) -> str:
        """Where a service's database is."""
        own = database_url(self.data / "postgresql", self.ports.postgres, service, kept["databases"][service], service)
        return self.given.get(f"{service.upper()}_DATABASE_URL", own)

    def processes(self, kept: Mapping[str, Any]) -> list[Process]:
        """Every process of ours, in the order in which they should start."""
        made = []
        for name in SERVICES:
            made.append(
                Process(f"{name} worker", f"{name}.worker:create_worker", "127.0.0.1", self.ports.worker(name), self._settings(name, kept))
            )
            made.append(Process(f"{name} api", f"{name}.main:create_app", "127.0.0.1", self.ports.api(name), self._settings(name, kept)))
        host = self.given.get("GATEWAY_HOST", "127.0.0.1")
        made.append(Process("gateway", "gateway.main:create_app", host, self.ports.gateway, self._settings("gateway", kept), edge=True))
        return made

    def first(self) -> Process:
        """What makes the secrets of a new stack; nothing changes in one that has them."""
        return Process(
            "secrets", "microblog_local.preparation:make_secrets", "", 0, {"MICROBLOG_SECRETS": str(secrets_file(self.data))}, once=True
        )

    def preparation(self, kept: Mapping[str, Any], admin_url: str | None) -> Process:
        """What makes databases and topics before the rest starts; `admin_url` is the embedded PostgreSQL's."""
        replication = self.given.get("MICROBLOG_TOPIC_REPLICATION", "1")
        if replication not in set("123456789"):
            raise PlanError("setting MICROBLOG_TOPIC_REPLICATION: should be a number from 1 to 9")
        order = {
            "admin_url": admin_url,
            "own": {name: kept["databases"][name] for name in self.own_databases},
            "databases": {name: self.database_url(name, kept) for name in DATABASES},
            "kafka_servers": self.kafka_servers,
            "replication": int(replication),
        }
        return Process("preparation", "microblog_local.preparation:prepare", "", 0, {"MICROBLOG_PREPARATION": json.dumps(order)}, once=True)

    def operators_settings(self, kept: Mapping[str, Any]) -> dict[str, str]:
        """Everything that the operator's command needs: the settings of all services."""
        return {key: value for name in SERVICES for key, value in self._settings(name, kept).items()}

    def _settings(self, name: str, kept: Mapping[str, Any]) -> dict[str, str]:
        """A process's own settings and no other's secrets: what is shared, what has its prefix, what was given."""
        keys = [kept["gateway_key"]["public"], kept["notify_key"]["public"]]
        settings = {
            "MICROBLOG_PUBLIC_URL": self.public_url,
            "MICROBLOG_KAFKA_SERVERS": self.kafka_servers,
            "MICROBLOG_IDENTITY_KEYS": json.dumps({"keys": keys}),
            "MICROBLOG_REPLICA": f"{name}-0",
            **self._defaults(name, kept),
        }
        prefix = f"{name.upper()}_"
        return settings | {key: value for key, value in self.given.items() if key.startswith(("MICROBLOG_", prefix))}

    def _defaults(self, name: str, kept: Mapping[str, Any]) -> dict[str, str]:
        url = {f"{name.upper()}_DATABASE_URL": self.database_url(name, kept)} if name in DATABASES else {}
        own: dict[str, dict[str, str]] = {
            "auth": {"AUTH_SECRET": kept["auth_secret"], "AUTH_SIGN_UPS_PER_HALF_HOUR": "100"},
            "posts": {"POSTS_MEDIA_URL": f"file://{self.data / 'media' / 'posts'}"},
            "social": {"SOCIAL_MEDIA_URL": f"file://{self.data / 'media' / 'social'}"},
            "search": {"SEARCH_ELASTICSEARCH_URL": f"http://127.0.0.1:{self.ports.search_engine}"},
            "notify": {
                "NOTIFY_MAIL_PROVIDER": "file",
                "NOTIFY_MAIL_FOLDER": str(self.mail_folder),
                "NOTIFY_AUTH_URL": f"http://127.0.0.1:{self.ports.api('auth')}",
                "NOTIFY_SIGNING_KEY": kept["notify_key"]["private"],
                "NOTIFY_UNSUBSCRIBE_SECRET": kept["unsubscribe_secret"],
            },
            "translate": {},
            "gateway": {
                "GATEWAY_SIGNING_KEY": kept["gateway_key"]["private"],
                "GATEWAY_COOKIE_SECRET": kept["cookie_secret"],
                "GATEWAY_WORKER_URLS": json.dumps({s: f"http://127.0.0.1:{self.ports.worker(s)}" for s in SERVICES}),
                "GATEWAY_PASSWORD_GRANT": self.given.get("AUTH_PASSWORD_GRANT", "false"),
                **{f"GATEWAY_{s.upper()}_URL": f"http://127.0.0.1:{self.ports.api(s)}" for s in SERVICES},
            },
        }
        return url | own[name]


def read_settings(file: Path | None) -> dict[str, str]:
    """Settings from the environment and, stronger, from a file of `NAME=value` lines. Raises `PlanError`."""
    given = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES) and name != "MICROBLOG_CACHE"}
    if file is None:
        return given
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise PlanError(f"the settings file {file} can't be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, sign, value = stripped.partition("=")
        if not sign or not name.strip().startswith(_PREFIXES):
            raise PlanError(f"{file}, line {number}: expected NAME=value with a name that begins with {', '.join(_PREFIXES)}")
        given[name.strip()] = value.strip()
    return given


def secrets_file(data: Path) -> Path:
    """Where the passwords and keys of a stack are, for its owner only (`microblog_local.preparation` makes them)."""
    return data / "secrets.json"


def kept_secrets(data: Path) -> dict[str, Any]:
    """Passwords and keys of this stack. Raises `PlanError` before its first start."""
    try:
        kept: dict[str, Any] = json.loads(secrets_file(data).read_text())
    except FileNotFoundError:
        raise PlanError(f"there is no stack at {data}: start one with make run, or say which with PORT= or DATA=") from None
    return kept
