"""Giving a backup to an empty stack whose services don't run; what an emptied one holds, its owner has agreed to lose."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psycopg
from common.errors import DomainError
from common.media import MediaStore
from common.migrations import migrate, migrations_of
from common.postgres import address
from psycopg import Connection, sql

from microblog_operator import topics
from microblog_operator.backups.manifest import Bar, Manifest, dump_of, media_of
from microblog_operator.backups.tools import restore
from microblog_operator.settings import Settings

_OTHERS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
_AT_ONCE: Final = 50


class InUse(DomainError):
    code = "in_use"

    def __init__(self, service: str) -> None:
        super().__init__(f"somebody is connected to the database of {service}: stop the services first, and leave the engines running")


async def in_the_way(settings: Settings, manifest: Manifest) -> list[str]:
    """What would be lost: tables with rows, topics with records. Raises `InUse`, `psycopg.Error`, `aiokafka.errors.KafkaError`."""
    found = []
    for service in manifest.databases:
        with psycopg.connect(address(settings.database_url(service)), autocommit=True) as connection:
            if connection.execute(_OTHERS).fetchone() != (0,):
                raise InUse(service)
            found += [f"{service}.{table}" for table in _with_rows(connection)]
    records = await topics.record_count(settings.kafka_servers)
    return [*found, f"{records} records in Kafka"] if records else found


def _with_rows(connection: Connection) -> list[str]:
    names = [name for (name,) in connection.execute(_TABLES)]
    return [name for name in names if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(name))).rowcount]


async def give_back(settings: Settings, folder: Path, manifest: Manifest, bar: Bar) -> None:
    """Empty topics and databases, fill these and the stores of pictures, and have everything told again once the services run.

    Raises `DomainError`, `psycopg.Error`, `aiokafka.errors.KafkaError`, `OSError`."""
    for service in manifest.databases:
        settings.database_url(service)  # what is missing is missed before anything is deleted
    stores = {service: MediaStore(settings.media_url(service)) for service in manifest.media}
    if await topics.record_count(settings.kafka_servers):
        await topics.empty(settings.kafka_servers, settings.topic_replication)
    for service, part in manifest.databases.items():
        url, file = settings.database_url(service), dump_of(folder, service)
        with psycopg.connect(address(url)) as connection:
            connection.execute("DROP SCHEMA IF EXISTS rebuild CASCADE")
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        with bar(service, file.stat().st_size) as passed:
            restore(url, part.postgresql, file, passed)
        migrate(url, migrations_of(service))
        with psycopg.connect(address(url), autocommit=True) as connection:
            connection.execute("ANALYZE")
    for service, store in stores.items():
        with bar(f"{service}: pictures", None) as passed:
            async for data in _put_files(store, media_of(folder, service)):
                passed(data)


async def _put_files(store: MediaStore, folder: Path) -> AsyncIterator[int]:
    """Put all files of a folder into a store, some at once; yields their sizes."""
    names = _files(folder)
    for start in range(0, len(names), _AT_ONCE):
        batch = {name: (folder / name).read_bytes() for name in names[start : start + _AT_ONCE]}
        await asyncio.gather(*(store.put(name, data) for name, data in batch.items()))
        yield sum(map(len, batch.values()))


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
