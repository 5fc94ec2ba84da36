"""Filling a read model anew beside live traffic: into empty copies of its tables first, then only what differs into the tables themselves.

Readers never wait; writers wait while the differences are written. How many there were is the answer: none, if the read model was right.

What the service's own consumers have still to digest is left to them, since more follows from it than rows: feeds, notifications.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.db import Database
from common.errors import DomainError
from common.events import Event
from common.ids import first_id_at
from common.replaying import Progress, Replay
from common.times import now

_SCHEMA: Final = "rebuild"
_SPARED: Final = timedelta(minutes=10)

Apply = Callable[[AsyncSession, Event], Awaitable[Any]]


class TopicsTooShort(DomainError):
    """The topics hold less than half of what the tables do: republish first, or use --force"""

    code = "topics_too_short"


@dataclass(frozen=True, slots=True)
class Copy:
    """A table to compare with its empty copy.

    `key` are the columns that tell rows apart, `columns` the ones that are compared and written, `once` others that a
    new row needs and that may differ. `version` names the one that decides which
    row is newer. `idkey` is an id column: rows that the topics don't have are taken away once their id is older than ten minutes, since a
    younger one may have come ahead of Kafka; without it such rows stay. `empty` is a condition on rows that are as good as none.
    `derived` tables are filled from the others.
    """

    table: str
    key: Sequence[str]
    columns: Sequence[str]
    once: Sequence[str] = ()
    version: str | None = None
    idkey: str | None = None
    empty: str = "false"
    derived: bool = False


class Rebuild:
    """One service's rebuild: its tables, in the order in which they are compared, and how an event is applied."""

    def __init__(
        self, service: str, database: Database, servers: str, kinds: Sequence[type[Event]], copies: Sequence[Copy], apply: Apply
    ) -> None:
        self._service = service
        self._database = database
        self._servers = servers
        self._kinds = kinds
        self._copies = copies
        self._apply = apply

    async def run(
        self, *, derive: Sequence[str] = (), locked: Sequence[str] = (), force: bool = False, progress: Progress | None = None
    ) -> dict[str, int]:
        """Rebuild and return how many rows differed, by table.

        `derive` are statements that fill further copies from the first ones, while nobody writes; `locked` are tables that they read.
        Raises `TopicsTooShort` when the first table would lose more than half of its rows, `aiokafka.errors.KafkaError`.
        """
        await self._make_copies()
        try:
            async with Replay(self._servers, self._kinds, behind=self._service) as replay:
                await replay.to_the_end(self._fill, progress)
                await replay.to_the_end(self._fill)
                if not force:
                    await self._refuse_losses()
                async with self._copying() as session:
                    tables = ", ".join(f"public.{name}" for name in sorted({*locked, *(copy.table for copy in self._copies)}))
                    await session.execute(text("SET LOCAL lock_timeout = '20s'"))
                    await session.execute(text(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))
                    await replay.to_the_end(lambda events: self._apply_all(session, events))
                    await _keep_newer(session, self._copies)
                    for statement in derive:
                        await session.execute(text(statement))
                    return {copy.table: await _merge(session, copy) for copy in self._copies}
        finally:
            async with self._database.transaction() as session:
                await session.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))

    async def _make_copies(self) -> None:
        async with self._database.transaction() as session:
            await session.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))
            await session.execute(text(f"CREATE SCHEMA {_SCHEMA}"))
            for copy in self._copies:
                await session.execute(text(f"CREATE TABLE {_SCHEMA}.{copy.table} (LIKE public.{copy.table} INCLUDING ALL)"))

    @asynccontextmanager
    async def _copying(self) -> AsyncIterator[AsyncSession]:
        """A transaction in which the names of the tables mean their copies, and those of all other tables what they always mean."""
        async with self._database.transaction() as session:
            await session.execute(text(f"SET LOCAL search_path TO {_SCHEMA}, public"))
            await session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session

    async def _fill(self, events: Sequence[Event]) -> None:
        async with self._copying() as session:
            await self._apply_all(session, events)

    async def _apply_all(self, session: AsyncSession, events: Sequence[Event]) -> None:
        for event in events:
            await self._apply(session, event)

    async def _refuse_losses(self) -> None:
        first = self._copies[0].table
        async with self._database.transaction() as session:
            found, filled = (
                await session.execute(text(f"SELECT (SELECT count(*) FROM public.{first}), (SELECT count(*) FROM {_SCHEMA}.{first})"))
            ).one()
        if filled * 2 < found:
            raise TopicsTooShort


async def _keep_newer(session: AsyncSession, copies: Sequence[Copy]) -> None:
    """Take over what came ahead of Kafka, or of the consumers: whatever has a higher version than its copy, or is young and has none."""
    versioned = next((copy for copy in copies if copy.version and copy.idkey), None)
    if versioned is None:
        return
    same = " AND ".join(f"r.{name} = p.{name}" for name in versioned.key)
    await session.execute(
        text(f"""
            CREATE TABLE {_SCHEMA}.newer AS SELECT p.{versioned.idkey} AS id
            FROM public.{versioned.table} p LEFT JOIN {_SCHEMA}.{versioned.table} r ON {same}
            WHERE p.{versioned.version} > r.{versioned.version} OR r.{versioned.key[0]} IS NULL AND p.{versioned.idkey} >= :young
        """),
        {"young": first_id_at(now() - _SPARED)},
    )
    for copy in copies:
        if copy.idkey is not None and not copy.derived:
            await session.execute(text(f"DELETE FROM {_SCHEMA}.{copy.table} WHERE {copy.idkey} IN (SELECT id FROM {_SCHEMA}.newer)"))
            await session.execute(
                text(f"""
                    INSERT INTO {_SCHEMA}.{copy.table}
                    SELECT * FROM public.{copy.table} WHERE {copy.idkey} IN (SELECT id FROM {_SCHEMA}.newer)
                """)
            )


async def _merge(session: AsyncSession, copy: Copy) -> int:
    """Make a table say what its copy says; return how many rows differed."""
    same = " AND ".join(f"r.{name} = p.{name}" for name in copy.key)
    gone = 0
    if copy.idkey is not None:
        result = await session.execute(
            text(f"""
                DELETE FROM public.{copy.table} p
                WHERE p.{copy.idkey} < :young AND NOT ({copy.empty}) AND NOT EXISTS (SELECT FROM {_SCHEMA}.{copy.table} r WHERE {same})
            """),
            {"young": first_id_at(now() - _SPARED)},
        )
        gone = result.rowcount  # type: ignore[attr-defined]
    names = ", ".join((*copy.key, *copy.columns, *copy.once))
    conflict = "NOTHING"
    if copy.columns:
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in copy.columns)
        mine, theirs = (", ".join(f"{side}.{name}" for name in copy.columns) for side in ("p", "EXCLUDED"))
        newer = f" AND p.{copy.version} <= EXCLUDED.{copy.version}" if copy.version else ""
        conflict = f"UPDATE SET {changes} WHERE ({mine}) IS DISTINCT FROM ({theirs}){newer}"
    result = await session.execute(
        text(f"""
            INSERT INTO public.{copy.table} AS p ({names}) SELECT {names} FROM {_SCHEMA}.{copy.table}
            ON CONFLICT ({", ".join(copy.key)}) DO {conflict}
        """)
    )
    return int(gone + result.rowcount)  # type: ignore[attr-defined]
