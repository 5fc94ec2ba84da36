"""What was written is seen, and stays; an engine that lost its indices gets them back."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from common.errors import Transient
from common.testing.plugin import free_port
from search import confirming
from search.index import Document, alias, client

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written may be looked at now, not in two seconds."""
    monkeypatch.setattr(confirming, "_SETTLED_AFTER", 0.0)


async def test_what_was_written_is_shown_to_the_first_who_searches(world: "World") -> None:
    await world.feeder.apply([world.post(1, "tea", tags=["tea"])])
    await world.feeder.apply([world.profile(1, "tealover")])
    showing = asyncio.create_task(world.index.show())
    try:
        async with asyncio.timeout(5):
            while world.index._unseen:
                await asyncio.sleep(0.01)
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
    assert (await world.posts("tea"), await world.hashtags("tea"), await world.accounts("tealover")) == ([1], ["tea"], [1])


@pytest.mark.usefixtures("settled")
async def test_what_an_engine_lost_is_written_again(world: "World") -> None:
    await world.hear(world.post(1, "tea", tags=["tea"]), world.profile(1, "grace"), world.post(2, visibility="private"))
    before = await world.everything()
    await world.index.clear()
    assert await world.confirmer.confirm() == 4
    assert await world.everything() == before
    assert [await world.confirmer.confirm() for _ in range(2)] == [0, 0]


@pytest.mark.usefixtures("settled")
async def test_an_engine_that_came_back_with_an_older_version_gets_the_newer(world: "World") -> None:
    old, new = world.post(1, "tea"), world.post(1, "coffee", version=2)
    await world.hear(old, new)
    await world.index.clear()
    await world.index.put([Document("posts", "1", 1, {"text": "tea", "post_id": 1, "version": 1, "deleted": False})])
    assert await world.confirmer.confirm() == 1
    await world.refresh()
    assert (await world.posts("tea"), await world.posts("coffee")) == ([], [1])


@pytest.mark.usefixtures("settled")
async def test_what_stayed_is_forgotten(world: "World") -> None:
    await world.hear(world.post(1, "tea"))
    assert await world.confirmer.confirm() == 0
    await world.index.clear()
    assert await world.confirmer.confirm() == 0


async def test_what_was_written_just_now_is_looked_at_later(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    await world.hear(world.post(1, "tea"))
    await world.index.clear()
    assert await world.confirmer.confirm() == 0
    monkeypatch.setattr(confirming, "_SETTLED_AFTER", 0.0)
    assert await world.confirmer.confirm() == 1


@pytest.mark.usefixtures("settled")
async def test_while_the_engine_is_away_nothing_is_forgotten(world: "World") -> None:
    await world.hear(world.post(1, "tea"))
    await world.index.clear()
    here, world.index.elastic = world.index.elastic, client(f"http://127.0.0.1:{free_port()}", None)
    with pytest.raises(Transient):
        await world.confirmer.confirm()
    with pytest.raises(Transient):
        await world.feeder.apply([world.post(2, "tea")])
    with pytest.raises(Transient):
        await world.index.prepare()
    assert await world.index.problem() == "elasticsearch: ConnectionError"
    await world.index.elastic.close()
    world.index.elastic = here
    assert await world.confirmer.confirm() == 1
    assert await world.index.problem() is None


@pytest.mark.usefixtures("settled")
async def test_a_late_event_does_not_take_the_place_of_a_newer_one(world: "World") -> None:
    old, gone = world.post(1, "tea"), world.post(1, version=2, deleted=True)
    await world.hear(old, gone, old)
    await world.index.clear()
    await world.confirmer.confirm()
    await world.refresh()
    assert await world.posts("tea") == []
    assert (await world.everything())["posts/1"][0] == 2


async def test_indices_are_made_once(world: "World") -> None:
    await world.hear(world.post(1, "tea"))
    assert await world.index.prepare() is False
    await world.index.elastic.indices.delete(index=await world.index_of("posts"))
    assert [await world.index.prepare() for _ in range(2)] == [True, False]
    assert await world.posts("tea") == []


async def test_writing_waits_for_an_index_that_is_gone(world: "World") -> None:
    await world.index.elastic.indices.delete(index=await world.index_of("posts"))
    try:
        with pytest.raises(Transient):
            await world.feeder.apply([world.post(1, "tea")])
        assert await world.index.prepare() is True
        await world.hear(world.post(1, "tea"))
        assert await world.posts("tea") == [1]
    finally:
        if not await world.index.elastic.indices.exists_alias(name=alias("posts")):
            await world.index.elastic.indices.delete(index=alias("posts"))
