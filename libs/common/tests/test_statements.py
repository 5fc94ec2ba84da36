"""Statements that are known beforehand: they give what psycopg gives, keep connections usable, and never mix up answers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from common.db import AWAY, Database
from common.statements import BEGIN, COMMIT, ROLLBACK, Connection, Statement
from psycopg.errors import DataError, DivisionByZero, UndefinedTable, UniqueViolation
from psycopg.pq import TransactionStatus

pytestmark = pytest.mark.anyio

ECHO = Statement("""
    SELECT %(number)s::bigint, %(text)s::text, %(yes)s::boolean, %(bytes)s::bytea, %(moment)s::timestamptz, %(day)s::date, %(id)s::uuid,
           %(numbers)s::bigint[], %(texts)s::text[], %(nothing)s::text, %(number)s::bigint + 1
""")
VALUES: dict[str, Any] = {
    "number": -(2**62),
    "text": "Zürich, 東京 %(number)s $1 'quoted' \\",
    "yes": True,
    "bytes": b"\x00\xff",
    "moment": datetime(2026, 2, 28, 23, 59, 59, 999999, UTC),
    "day": date(2026, 2, 28),
    "id": UUID(int=7),
    "numbers": [3, -4],
    "texts": ["", "a,b", '"', "\\", "{}", "NULL", " a "],
    "nothing": None,
}
INSERT = Statement("INSERT INTO things (id) VALUES (%(key)s) RETURNING id")
THINGS = Statement("SELECT id FROM things ORDER BY id")
SLEEP = Statement("SELECT pg_sleep(%(seconds)s::float8)")
SERIES = Statement("SELECT n, repeat('x', %(width)s::int) FROM generate_series(1, %(rows)s::int) n")
INVERSE = Statement("SELECT 1 / %(number)s::int")


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.reading() as connection:
        yield connection


async def test_all_kinds_of_values_come_back_as_psycopg_gives_them(connection: Connection) -> None:
    expected = await (await connection.execute(ECHO.text.encode(), VALUES)).fetchall()
    for _ in range(2):  # prepared, and known
        assert await connection.rows(ECHO, VALUES) == expected
    assert expected == [(*VALUES.values(), VALUES["number"] + 1)]
    alone = Statement("SELECT 1 WHERE 'a' = 'b'")
    assert await connection.rows(alone, {}) == []


async def test_a_text_that_postgresql_cant_hold_is_refused_whole_and_harms_nothing(connection: Connection) -> None:
    for value in ("cut\0off", ["fine", "cut\0off"]):
        place = Statement("SELECT %(value)s::text")
        with pytest.raises(DataError, match="NUL"):
            await connection.rows(place, {"value": value})
    assert await connection.rows(THINGS, {}) == []


async def test_a_statement_that_fails_says_why_and_leaves_the_connection_usable(connection: Connection) -> None:
    assert await connection.rows(INVERSE, {"number": 1}) == [(1,)]
    with pytest.raises(DivisionByZero):
        await connection.rows(INVERSE, {"number": 0})
    with pytest.raises(DataError):
        await connection.rows(INVERSE, {"number": "none"})
    assert await connection.rows(INVERSE, {"number": 1}) == [(1,)]


async def test_a_statement_that_cant_be_prepared_says_why(database: Database) -> None:
    async with database.reading() as connection:
        with pytest.raises(UndefinedTable):
            await connection.rows(Statement("SELECT * FROM nowhere"), {})
    async with database.reading() as connection:
        assert await connection.rows(THINGS, {}) == []


async def test_statements_together_are_one_transaction(database: Database) -> None:
    async with database.reading() as connection:
        assert await connection.together((INSERT, {"key": 1}), (INSERT, {"key": 2}), (THINGS, {})) == [[(1,)], [(2,)], [(1,), (2,)]]
        with pytest.raises(UniqueViolation):
            await connection.together((INSERT, {"key": 3}), (INSERT, {"key": 1}), (INSERT, {"key": 4}))
    async with database.reading() as connection:
        assert await connection.rows(THINGS, {}) == [(1,), (2,)]


async def test_a_transaction_of_several_round_trips_is_kept_or_taken_back(database: Database) -> None:
    async with database.reading() as connection:
        await connection.together((BEGIN, {}), (INSERT, {"key": 1}))
        await connection.together((ROLLBACK, {}))
        await connection.together((BEGIN, {}), (INSERT, {"key": 2}))
        assert await connection.together((COMMIT, {}), (THINGS, {})) == [[], [(2,)]]
        assert connection.info.transaction_status == TransactionStatus.IDLE
        await connection.together((BEGIN, {}), (INSERT, {"key": 3}))
    async with database.reading() as connection:  # left open, it is taken back with the connection
        assert await connection.rows(THINGS, {}) == [(2,)]


async def test_whoever_is_cancelled_leaves_no_answer_for_the_next(small: Database) -> None:
    for ask in (lambda c: c.rows(SLEEP, {"seconds": 10}), lambda c: c.together((SLEEP, {"seconds": 10}), (THINGS, {}))):

        async def wait(ask: Any = ask) -> None:
            async with small.reading() as connection:
                await connection.rows(SLEEP, {"seconds": 0})
                await ask(connection)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with small.reading() as connection:
            assert await connection.rows(THINGS, {}) == []


async def test_large_questions_and_answers_pass(connection: Connection) -> None:
    long = "ä" * 10_000_000
    assert await connection.rows(Statement("SELECT length(%(long)s::text)"), {"long": long}) == [(len(long),)]
    rows = await connection.rows(SERIES, {"rows": 5000, "width": 2000})
    assert [row[0] for row in rows] == list(range(1, 5001))
    assert {row[1] for row in rows} == {"x" * 2000}


async def test_a_server_that_hangs_up_is_away_and_the_next_connection_is_fine(small: Database) -> None:
    own = Statement("SELECT pg_backend_pid()")
    async with small.reading() as connection:
        ((pid,),) = await connection.rows(own, {})
        async with small.reading() as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(AWAY):
            await connection.rows(own, {})
    async with small.reading() as connection:
        assert await connection.rows(own, {}) != [(pid,)]


async def test_many_at_once_get_their_own_answers(database: Database) -> None:
    async def ask(number: int) -> int:
        async with database.reading() as connection:
            await connection.rows(INVERSE, {"number": 1})
            return int((await connection.rows(ECHO, VALUES | {"number": number}))[0][0])

    assert await asyncio.gather(*(ask(number) for number in range(200))) == list(range(200))
