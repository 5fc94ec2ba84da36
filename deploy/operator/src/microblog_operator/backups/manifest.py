"""What a backup says of itself: `manifest.json`, written last, and `SHA256SUMS`, which `sha256sum --check` reads, too."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from common.databases import DATABASES
from common.errors import DomainError
from common.migrations import known
from pydantic import BaseModel, ValidationError

from microblog_operator.backups.tools import Bytes, checksum

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
LEFT_OUT: Final = (
    *("POSTGRES_PASSWORD", *(f"{name.upper()}_DATABASE_PASSWORD" for name in DATABASES)),
    *("GATEWAY_SIGNING_KEY", "NOTIFY_SIGNING_KEY", "MICROBLOG_IDENTITY_KEYS"),
    *("GATEWAY_COOKIE_SECRET", "AUTH_SECRET", "NOTIFY_UNSUBSCRIBE_SECRET"),
    *("NOTIFY_SMTP_PASSWORD", "NOTIFY_POSTMARK_TOKEN", "NOTIFY_POSTMARK_WEBHOOK_SECRET"),
    *("SEARCH_ELASTICSEARCH_API_KEY", "TRANSLATE_MICROSOFT_KEY"),
)
"""Secrets, which no backup holds: whoever had one could sign identities otherwise."""

Bar = Callable[[str, int | None], AbstractContextManager[Bytes]]
"""Shows how far something is: what, of how many bytes if that is known."""


class DatabasePart(BaseModel):
    revision: str
    """Of its newest migration."""
    postgresql: int
    """The server's major version."""
    taken_at: datetime
    """The moment that it shows."""


class Manifest(BaseModel):
    format: Literal[1] = 1
    microblog: str
    public_url: str
    databases: dict[str, DatabasePart]
    media: dict[str, int]
    """How many files of each service; without a service whose files were left out."""
    bytes: int
    sums: str
    """The SHA-256 of `SHA256SUMS`."""
    left_out: tuple[str, ...] = LEFT_OUT


class NoBackup(DomainError):
    code = "no_backup"


def dump_of(folder: Path, service: str) -> Path:
    return folder / "databases" / f"{service}.dump"


def media_of(folder: Path, service: str) -> Path:
    return folder / "media" / service


def read(folder: Path) -> Manifest:
    """What a backup says of itself, if it is whole and this version understands it. Raises `NoBackup`."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NoBackup(f"there is no finished backup in {folder}: it lacks {MANIFEST}, which is written last") from None
    except ValidationError as error:
        raise NoBackup(f"{folder / MANIFEST} can't be read: {error.errors()[0]['msg']}") from error
    for service, part in manifest.databases.items():
        if service not in DATABASES or not known(service, part.revision):
            raise NoBackup(f"a newer version made it ({manifest.microblog}; {service} at {part.revision}): restore it with that one")
    return manifest


def verify(folder: Path, manifest: Manifest, bar: Bar) -> None:
    """Look whether every file is there as it was written. Raises `NoBackup`."""
    listed = (folder / SUMS).read_bytes() if (folder / SUMS).is_file() else b""
    if sha256(listed).hexdigest() != manifest.sums:
        raise NoBackup(f"{folder / SUMS} is not what the manifest says")
    with bar("checking", manifest.bytes) as passed:
        for line in listed.decode().splitlines():
            expected, _, name = line.partition("  ")
            if not (folder / name).is_file() or checksum(folder / name, passed) != expected:
                raise NoBackup(f"{folder / name} is missing, or not what was backed up")
