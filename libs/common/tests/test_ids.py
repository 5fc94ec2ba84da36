"""Ids that the database makes: unique whoever asks at once, in the order of time, with the time inside."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from common.db import Database
from common.ids import MAX_ID, SERVICE_TAGS, create_function, first_id_at, time_of
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text

MILLISECOND = timedelta(milliseconds=1)


async def make(database: Database, count: int) -> list[int]:
    """Ids as writers take them: one statement each."""
    async with database.sessions() as session:
        return [int(await session.scalar(text("SELECT microblog_id()")) or 0) for _ in range(count)]


@pytest.mark.anyio
async def test_ids_are_unique_across_sessions_also_when_the_sequence_starts_over(database: Database) -> None:
    async with database.sessions() as session:
        await session.execute(text("SELECT setval('microblog_ids', 8000)"))
        await session.commit()
    made = list(chain.from_iterable(await asyncio.gather(*(make(database, 300) for _ in range(8)))))
    assert len(set(made)) == 2_400
    assert {an_id & 8191 for an_id in made} >= {8191, 0}
    assert {an_id >> 13 & 7 for an_id in made} == {SERVICE_TAGS["posts"]}
    assert all(0 < an_id <= MAX_ID for an_id in made)


@pytest.mark.anyio
async def test_the_order_of_ids_is_the_order_of_time(database: Database) -> None:
    before = datetime.now(UTC) - MILLISECOND
    made = await make(database, 200)
    after = datetime.now(UTC) + MILLISECOND
    assert made == sorted(set(made))
    assert before <= time_of(made[0]) <= time_of(made[-1]) <= after
    assert first_id_at(before) < made[0]
    assert made[-1] < first_id_at(after + MILLISECOND)


def test_services_never_make_the_same_id() -> None:
    assert len(set(SERVICE_TAGS.values())) == len(SERVICE_TAGS)
    assert max(SERVICE_TAGS.values()) < 8
    assert all(f"({tag} << 13)" in create_function(service) for service, tag in SERVICE_TAGS.items())


@given(st.integers(min_value=1_500_000_000_000, max_value=2_199_023_255_551), st.integers(0, (1 << 16) - 1))
def test_every_id_of_a_millisecond_tells_it(milliseconds: int, rest: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert time_of(milliseconds << 16 | rest) == moment


@given(st.integers(min_value=1_500_000_000_000, max_value=2_199_023_255_551))
@example(2_158_769_107_871)
def test_the_first_id_of_a_moment_is_the_smallest_with_its_time(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert first_id_at(moment) == milliseconds << 16
