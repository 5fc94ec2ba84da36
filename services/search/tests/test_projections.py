"""Edits, deletes and visibility are followed, in whichever order they are heard of."""

import asyncio
from datetime import UTC, datetime
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from common.events import Event, PollState, PostState

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


def later(event: Any, **change: Any) -> Any:
    """The next version of something."""
    return event.model_copy(update={"version": event.version + 1, **change})


def gone(post: PostState) -> PostState:
    return PostState(post_id=post.post_id, author_id=post.author_id, created_at=post.created_at, version=post.version + 1, deleted=True)


async def test_an_edit_replaces_what_is_found(world: "World") -> None:
    post = world.post(1, "green tea", language="en", tags=["tea"])
    await world.hear(post, later(post, plain="black coffee", language="de", tags=[]))
    found = [await world.posts(q) for q in ("green", "tea", "language:en", "coffee", "language:de")]
    assert found == [[], [], [], [1], [1]]
    assert (await world.search("posts", "coffee"))["hits"] == [{"post_id": "1", "version": 2, "highlight": "black <em>coffee</em>"}]


async def test_a_post_is_found_by_what_its_poll_asks(world: "World") -> None:
    post = world.post(1, "which one?", poll=PollState(options=["green tea", "coffee"], expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    await world.hear(post)
    assert await world.posts("coffee") == await world.posts("which") == [1]
    await world.hear(later(post, poll=None))
    assert await world.posts("coffee") == []


@pytest.mark.parametrize("visibility", ["unlisted", "private", "direct"])
async def test_only_public_posts_are_found_and_nothing_is_kept_of_others(world: "World", visibility: str) -> None:
    public = world.post(1, "green tea")
    await world.hear(public, later(public, visibility=visibility), world.post(2, "white tea", visibility=visibility, tags=["secret"]))
    assert await world.posts("tea") == await world.posts("from:ada") == []
    assert await world.hashtags("secret") == []
    assert not any("tea" in str(fields) for _, fields in (await world.everything()).values())
    await world.hear(world.post(1, "green tea", version=3))
    assert await world.posts("tea") == [1]


async def test_a_deleted_post_never_returns_whatever_comes_late(world: "World") -> None:
    first = world.post(1, "green tea")
    second = later(first, plain="black tea")
    for number, order in enumerate(permutations((first, second, gone(second))), 1):
        told = [event.model_copy(update={"post_id": number}) for event in order]
        await world.hear(*told, *told)
    assert await world.posts("tea") == await world.posts("from:ada") == []
    assert not any("tea" in str(fields) for _, fields in (await world.everything()).values())


async def test_an_older_event_after_a_newer_one_changes_nothing(world: "World") -> None:
    post, who = world.post(1, "green tea"), world.profile(1, "grace")
    newer: list[Event] = [later(post, plain="black coffee"), later(who, display_name="Hopper")]
    await world.hear(*newer)
    before = await world.everything()
    await world.hear(post, who, *newer)
    assert await world.everything() == before
    assert (await world.posts("tea"), await world.posts("coffee"), await world.accounts("hopper")) == ([], [1], [1])


@pytest.mark.parametrize("hidden", [{"shown": False}, {"discoverable": False}, {"deleted": True}], ids=str)
async def test_people_who_are_hidden_are_not_found_until_they_are_back(world: "World", hidden: dict[str, bool]) -> None:
    who = world.profile(1, "grace", display_name="Grace Hopper", plain_note="compilers")
    away = later(who, **hidden)
    await world.hear(who, away, who)
    assert [await world.accounts(q) for q in ("grace", "hopper", "compilers", "gra")] == [[]] * 4
    assert not any("grace" in str(fields).lower() for _, fields in (await world.everything()).values())
    if "deleted" not in hidden:
        await world.hear(later(away, **{name: not value for name, value in hidden.items()}))
        assert await world.accounts("grace") == [1]


async def test_a_new_name_replaces_the_old_one(world: "World") -> None:
    who = world.profile(1, "grace", display_name="Grace")
    await world.hear(who, later(who, display_name="Amazing", plain_note="new"))
    assert [await world.accounts(q) for q in ("amazing", "new", "grace")] == [[1]] * 3


@pytest.mark.parametrize(
    "change", [{"deleted": True, "tags": []}, {"visibility": "private"}, {"tags": []}], ids=["deleted", "hidden", "edited"]
)
async def test_a_hashtag_that_nobody_shows_any_more_is_not_found(world: "World", change: dict[str, Any]) -> None:
    post = world.post(1, tags=["mistake"])
    await world.hear(post, later(post, **change))
    assert await world.hashtags("mistake") == []


async def test_two_workers_and_every_event_twice_come_to_the_same(world: "World") -> None:
    post, who = world.post(1, "green tea", tags=["tea"]), world.profile(1, "grace")
    events: list[Event] = [
        post,
        who,
        later(post, plain="black tea"),
        later(who, display_name="Hopper"),
        world.post(2, "tea"),
        world.post(3),
    ]
    events.append(gone(world.post(3)))

    async def state() -> dict[str, Any]:
        return {name: told for name, told in (await world.everything()).items() if "progress" not in name}

    await world.worker("test-0").consume(*events)
    once = await state()
    assert sorted(once) == [*("accounts/1", "hashtags/tea", "posts/1", "posts/2", "posts/3")]
    await world.worker("test-0").consume(*events, *reversed(events))
    assert await state() == once
    await world.index.clear()
    feeders = [world.worker(f"test-{number}").feeder for number in range(2)]

    async def feed(feeder: Any, order: list[Event]) -> None:
        for event in order:
            await feeder.apply([event])

    await asyncio.gather(feed(feeders[0], events), feed(feeders[1], [*reversed(events)]))
    assert await state() == once
