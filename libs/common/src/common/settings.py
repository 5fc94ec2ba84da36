"""Settings from the environment, refused at start with the name of the wrong variable."""

import json
import re
import socket
import sys
from typing import Annotated, Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

_FIELD: Final = re.compile(r'field "(\w+)"')

S = TypeVar("S", bound=BaseSettings)


def _http(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # `port` raises ValueError by itself when it is none
        raise ValueError("should be http(s)://host:port")
    return address


HttpAddress = Annotated[str, AfterValidator(_http)]
"""Where something answers HTTP: with a host, which one that was put together from an empty variable lacks."""


class SharedSettings(BaseSettings):
    """What every process of the stack is told the same way."""

    model_config = SettingsConfigDict(env_prefix="MICROBLOG_", frozen=True, extra="ignore", env_ignore_empty=True)

    public_url: str = Field(
        default="http://localhost:8000", pattern=r"^https?://[^/]+$", description="scheme and host that users see, without a slash"
    )
    kafka_servers: str = Field(default="127.0.0.1:9092", description="host:port, separated by commas")
    identity_keys: str = Field(description="JWKS with the public keys that sign internal identities")
    replica: str = Field(
        default_factory=socket.gethostname, description="name of this replica, unique and kept over restarts; the host's name if not given"
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    otlp_endpoint: HttpAddress | None = Field(
        default=None, description="where traces and metrics go, http(s)://host:port; none: nothing is measured"
    )
    topic_replication: int = Field(default=1, ge=1, le=9, description="replicas of the topics that are made")

    @property
    def host(self) -> str:
        """The host of the public URL, with its port if it names one."""
        return self.public_url.split("://", 1)[1]


class DatabaseSettings(BaseSettings):
    """What a service with a database of its own needs; each service gives its prefix."""

    database_url: SecretStr = Field(description="postgresql://role:password@host:port/database")
    pool_size: int = Field(default=4, ge=1, le=100, description="most connections, for writes and for hot reads each")


def load(kind: type[S]) -> S:
    """Return the settings, or end the process with one line for each wrong variable."""
    try:
        return kind()
    except ValidationError as error:
        _refuse(kind, [(e["loc"], e["msg"]) for e in error.errors()])
    except SettingsError as error:  # a list or mapping that is no JSON: only the text names the field
        named = _FIELD.search(str(error))
        _refuse(kind, [((named[1],) if named else (), "should be JSON")])


def _refuse(kind: type[BaseSettings], problems: list[tuple[tuple[Any, ...], str]]) -> NoReturn:
    prefix = kind.model_config.get("env_prefix", "")
    for loc, message in problems:
        name = f"{prefix}{loc[0] if loc else ''}".upper()
        print(json.dumps({"level": "ERROR", "message": f"setting {name}: {message}"}), file=sys.stderr)  # noqa: T201 - logging isn't set up yet
    raise SystemExit(2)
