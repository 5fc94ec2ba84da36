"""The database as services use it: all or nothing, no more connections than allowed, alive again after the server hung up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from time import monotonic

import psycopg
import pytest
from common import db
from common.db import AWAY, Database, is_away
from common.testing.plugin import free_port
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import UniqueViolation
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError

pytestmark = pytest.mark.anyio

Eventually = Callable[..., Awaitable[None]]
ADD = text("INSERT INTO things (id) VALUES (:key)")


async def add(database: Database, key: int) -> None:
    async with database.transaction() as session:
        await session.execute(ADD, {"key": key})


async def count(database: Database) -> int:
    async with database.reading() as connection:
        row = await (await connection.execute("SELECT count(*) FROM things")).fetchone()
        return int(row[0]) if row else -1


def hang_up(url: str) -> int:
    """Have the server end every connection of this database but ours; returns how many."""
    with psycopg.connect(url, autocommit=True) as connection:
        statement = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(connection.execute(statement).fetchall())


async def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    await add(database, 1)

    async def both() -> None:
        async with database.transaction() as session:
            await session.execute(ADD, {"key": 2})
            await session.execute(ADD, {"key": 1})

    with pytest.raises(IntegrityError) as refused:
        await both()
    assert not is_away(refused.value)
    assert await count(database) == 1


async def test_a_cancelled_transaction_leaves_nothing_and_gives_its_connection_back(small: Database) -> None:
    async def hold(key: int, begun: asyncio.Event) -> None:
        async with small.transaction() as session:
            await session.execute(ADD, {"key": key})
            begun.set()
            await session.execute(text("SELECT pg_sleep(4)"))

    for key in range(4):  # more often than there are connections
        begun = asyncio.Event()
        task = asyncio.create_task(hold(key, begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await add(small, 9)
    assert await count(small) == 1


async def test_readers_beyond_the_pool_wait_for_their_turn(small: Database) -> None:
    inside = most = 0

    async def look() -> None:
        nonlocal inside, most
        async with small.reading() as connection:
            inside += 1
            most = max(most, inside)
            await connection.execute("SELECT pg_sleep(0.01)")
            inside -= 1

    await asyncio.gather(*(look() for _ in range(20)))
    assert (inside, most) == (0, 2)


async def test_a_reader_that_fails_or_is_cancelled_gives_its_turn_back(small: Database) -> None:
    async def fail() -> None:
        async with small.reading() as connection:
            await connection.execute("SELECT 1 / 0")

    async def wait() -> None:
        async with small.reading() as connection:
            await connection.execute("SELECT pg_sleep(4)")

    for _ in range(3):
        with pytest.raises(psycopg.DataError):
            await fail()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await wait()
    async with asyncio.timeout(3):
        assert await asyncio.gather(*(count(small) for _ in range(4))) == [0] * 4


async def test_a_transaction_after_the_server_hung_up_notices_nothing(small: Database) -> None:
    await asyncio.gather(add(small, 1), add(small, 2))
    assert await asyncio.to_thread(hang_up, small.url) >= 2
    await asyncio.gather(add(small, 3), add(small, 4))


async def test_reading_recovers_after_the_server_hung_up(small: Database, eventually: Eventually) -> None:
    await asyncio.gather(count(small), count(small))
    assert await asyncio.to_thread(hang_up, small.url) >= 1
    failures = 0

    async def recovered() -> bool:
        nonlocal failures
        try:
            await count(small)
        except AWAY:
            failures += 1
            return False
        return True

    await eventually(recovered)
    assert failures <= 2, "each dead connection may be met once"
    assert await small.answers() is None


async def forward(url: str, port: int) -> asyncio.Server:
    """Let the server of that address be reached at this port of loopback too, from now on."""
    told = conninfo_to_dict(url)
    host = str(told["host"])

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while received := await reader.read(65536):
                writer.write(received)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = (
            asyncio.open_unix_connection(f"{host}/.s.PGSQL.{told['port']}")
            if host.startswith("/")
            else asyncio.open_connection(host, int(told["port"] or 5432))
        )
        theirs, ours = await there
        await asyncio.gather(copy(reader, ours), copy(theirs, writer))

    return await asyncio.start_server(meet, "127.0.0.1", port)


async def test_reading_goes_on_soon_after_a_server_that_was_away_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(db, "_RECONNECT_SECONDS", 0.3)
    port = free_port()
    opened = Database(make_url(database_url).set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False), 2)
    opened._pool.timeout = 0.3
    await opened.open()

    async def answers() -> bool:
        return await opened.answers() is None

    try:
        absent_until = monotonic() + 3.5  # tries after 1, 2, 4, … seconds would be made after 3 and 7 s
        while monotonic() < absent_until:
            assert not await answers()
        async with await forward(database_url, port):
            back = monotonic()
            await eventually(answers)
            assert monotonic() - back < 2
            await opened.close()
    finally:
        await opened.close()


async def test_connections_for_reading_are_closed_when_nobody_reads(
    database_url: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(db, "_REST_SECONDS", 0.2)
    opened = Database(database_url, 4)
    await opened.open()

    def idle() -> int:
        return int(opened._pool.get_stats()["pool_size"])

    try:
        await asyncio.gather(*(count(opened) for _ in range(4)))
        assert idle() > 0
        await eventually(lambda: idle() == 0)
        assert await count(opened) == 0
    finally:
        await opened.close()


async def test_a_server_that_is_away_is_told_without_its_password() -> None:
    away = Database(f"postgresql://ada:canary@127.0.0.1:{free_port()}/none")
    away._pool.timeout = 0.5
    await away.open()
    try:
        assert await away.answers() == "database: PoolTimeout"
        with pytest.raises(OperationalError) as refused:
            await add(away, 1)
        assert is_away(refused.value)
        assert "canary" not in str(refused.value)
    finally:
        await away.close()


async def test_a_lock_that_is_held_too_long_counts_as_busy_and_not_as_wrong(small: Database) -> None:
    async def change() -> None:
        async with small.transaction() as other:
            await other.execute(text("SET LOCAL lock_timeout = 50"))
            await other.execute(text("UPDATE things SET version = 2 WHERE id = 1"))

    await add(small, 1)
    async with small.transaction() as holder:
        await holder.execute(text("SELECT 1 FROM things WHERE id = 1 FOR UPDATE"))
        with pytest.raises(OperationalError) as refused:
            await change()
    assert is_away(refused.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("statement_timeout", "5s"), ("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "15s"), ("TimeZone", "UTC")],
)
async def test_both_kinds_of_connections_are_bounded(small: Database, setting: str, value: str) -> None:
    async with small.transaction() as session:
        assert await session.scalar(text(f"SHOW {setting}")) == value
    async with small.reading() as connection:
        row = await (await connection.execute(f"SHOW {setting}".encode())).fetchone()
        assert row == (value,)


async def test_idle_connections_are_closed_and_made_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(db, "_REST_SECONDS", 0.1)
    opened = Database(database_url, 4)
    await opened.open()
    try:
        made: list[object] = []
        event.listen(opened.engine.sync_engine, "connect", lambda connection, _: made.append(connection))
        await asyncio.gather(*(add(opened, key) for key in range(4)))
        await eventually(lambda: opened.engine.pool.checkedin() == 0)  # type: ignore[attr-defined]
        before = len(made)
        await add(opened, 9)
        assert 0 < before < len(made)
    finally:
        await opened.close()


async def test_connections_that_are_needed_often_stay(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_REST_SECONDS", 0.1)
    monkeypatch.setattr(db, "_FEW", 0)
    opened = Database(database_url, 4)
    await opened.open()
    try:
        await asyncio.gather(*(add(opened, key) for key in range(4)))
        kept = opened.engine.pool.checkedin()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        assert opened.engine.pool.checkedin() == kept > 1  # type: ignore[attr-defined]
    finally:
        await opened.close()


def test_a_wrong_statement_is_no_absence() -> None:
    assert not is_away(UniqueViolation())
    assert not is_away(RuntimeError())


async def test_pools_tell_who_has_a_connection_and_who_waits_for_one(database_url: str, eventually: Eventually) -> None:
    database = Database(database_url, pool_size=2)
    assert [used for used, _ in database.pools.connections()] == [0, 0, 0, 0], "before anybody came"
    await database.open()
    enough = asyncio.Event()

    async def write() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
            await enough.wait()

    async def read() -> None:
        async with database.reading():
            await enough.wait()

    def told(values: Iterable[tuple[float, dict[str, str]]]) -> dict[str, float]:
        return {" ".join(attributes.values()): value for value, attributes in values}

    busy = [asyncio.create_task(work()) for work in (write, read) for _ in range(5)]
    try:
        await eventually(lambda: told(database.pools.waiting()) == {"writes": 3, "reads": 3})
        assert told(database.pools.connections()) == {"writes idle": 0, "writes used": 2, "reads idle": 0, "reads used": 2}
        assert told(database.pools.most()) == {"writes": 2, "reads": 2}
        enough.set()
        await asyncio.gather(*busy)
        await eventually(
            lambda: told(database.pools.connections()) == {"writes idle": 2, "writes used": 0, "reads idle": 2, "reads used": 0}
        )
        assert told(database.pools.waiting()) == {"writes": 0, "reads": 0}
    finally:
        enough.set()
        await database.close()
