"""An effect that can't repeat safely is had once."""

import asyncio

import pytest
from common.db import Database
from common.inbox import first_time
from sqlalchemy import text

pytestmark = pytest.mark.anyio


async def take(database: Database, consumer: str, event_id: str) -> bool:
    async with database.transaction() as session:
        first = await first_time(session, consumer, event_id)
        if first:
            await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": f"{consumer}/{event_id}"})
        return first


async def effects(database: Database) -> list[str]:
    async with database.sessions() as session:
        return list(await session.scalars(text("SELECT name FROM effects ORDER BY name")))


async def test_each_consumer_has_each_event_once(database: Database) -> None:
    assert [await take(database, "mail", "1"), await take(database, "mail", "1")] == [True, False]
    assert [await take(database, "push", "1"), await take(database, "mail", "2")] == [True, True]
    assert await effects(database) == ["mail/1", "mail/2", "push/1"]


async def test_of_many_at_once_one_is_first(database: Database) -> None:
    assert sorted(await asyncio.gather(*(take(database, "mail", "1") for _ in range(8)))) == [False] * 7 + [True]
    assert await effects(database) == ["mail/1"]


async def test_an_effect_that_was_rolled_back_is_still_to_be_had(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            assert await first_time(session, "mail", "1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await take(database, "mail", "1")
