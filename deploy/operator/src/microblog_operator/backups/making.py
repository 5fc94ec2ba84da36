"""Backing up beside live traffic: databases as they were at nearly the same moment, then the files that they name."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from common.errors import DomainError, NotFound
from common.media import MediaStore
from common.postgres import address
from psycopg.errors import UndefinedTable

from microblog_operator.backups.manifest import MANIFEST, SUMS, Bar, DatabasePart, Manifest, dump_of, media_of
from microblog_operator.backups.tools import Bytes, checksum, dump
from microblog_operator.settings import WITH_MEDIA, Settings

ORDER: Final = ("translate", "social", "posts", "auth", "notify")
"""In which the databases are looked at, milliseconds apart. Who refers to others comes before them, so that nothing points to a post or an
account that its owner doesn't know: what the owners know more is told to all again. `notify` comes last: what it has mailed by then is
never mailed again, since it knows every event that could be told again."""
_LOOK: Final = """
    SELECT pg_export_snapshot(), clock_timestamp(), current_setting('server_version_num')::int / 10000, (SELECT version_num FROM alembic_version)
"""


class FolderTaken(DomainError):
    code = "folder_taken"


class NeverMigrated(DomainError):
    code = "never_migrated"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a database, as long as the connection that exported it lives."""

    id: str
    taken_at: datetime
    postgresql: int
    revision: str


async def back_up(settings: Settings, folder: Path, bar: Bar, *, media: bool) -> Manifest:
    """Write a backup into a new or empty folder, readable by its owner only. Raises `DomainError`, `psycopg.Error`, `OSError`."""
    _prepare(folder)
    urls = {service: settings.database_url(service) for service in ORDER}
    stores = {service: MediaStore(settings.media_url(service)) for service in WITH_MEDIA} if media else {}
    with ExitStack() as open_ones:
        snapshots = _look(open_ones, urls)
        for service, snapshot in snapshots.items():
            with bar(service, None) as passed:
                dump(urls[service], snapshot.postgresql, snapshot.id, dump_of(folder, service), passed)
    counts = {}
    for service, store in stores.items():
        with bar(f"{service}: pictures", None) as passed:
            counts[service] = await _keep_files(store, media_of(folder, service), passed)
    total, sums = _sum(folder, bar)
    manifest = Manifest(
        microblog=version("microblog-operator"),
        public_url=settings.public_url,
        databases={
            service: DatabasePart(revision=of.revision, postgresql=of.postgresql, taken_at=of.taken_at) for service, of in snapshots.items()
        },
        media=counts,
        bytes=total,
        sums=sums,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _prepare(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(f"{folder} isn't empty: a backup needs a folder of its own")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    dump_of(folder, "any").parent.mkdir()


def _look(open_ones: ExitStack, urls: dict[str, str]) -> dict[str, Snapshot]:
    """A snapshot of each database; connecting takes longer than looking, so that comes first."""
    connections = {service: open_ones.enter_context(psycopg.connect(address(url))) for service, url in urls.items()}
    found = {}
    for service, connection in connections.items():
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        try:
            row: Any = connection.execute(_LOOK).fetchone()
        except UndefinedTable:
            raise NeverMigrated(f"the database of {service} has no tables yet") from None
        found[service] = Snapshot(*row)
    return found


async def _keep_files(store: MediaStore, folder: Path, passed: Bytes) -> int:
    """Copy all files of a store. Files come after the rows that name them, are never changed, and go after their rows: every one is
    there that the databases, looked at before, name, but for those of posts that were deleted since."""
    count = 0
    async for names in store.names():
        found = [(name, data) for name, data in zip(names, await asyncio.gather(*(_get(store, name) for name in names)), strict=True)]
        for name, data in found:
            if data is not None:
                _write(folder / name, data)
                passed(len(data))
                count += 1
    return count


async def _get(store: MediaStore, name: str) -> bytes | None:
    try:
        return await store.get(name)
    except NotFound:
        return None


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _sum(folder: Path, bar: Bar) -> tuple[int, str]:
    """Write the sums of all files, and return how many bytes these have together and the sum of the sums."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    total = sum(file.stat().st_size for file in files)
    with bar("sums", total) as passed, (folder / SUMS).open("x") as out:
        out.writelines(f"{checksum(file, passed)}  {file.relative_to(folder)}\n" for file in files)
    return total, sha256((folder / SUMS).read_bytes()).hexdigest()
