"""Hashtags on profiles."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PostState, TagState

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def say(world: "World", author: int, *tags: str, **more: Any) -> PostState:
    return await world.post(author, tags=[TagState(name=tag, display=tag) for tag in tags], **more)


async def test_a_featured_tag_tells_how_often_and_when_it_was_used_where_everybody_may_see(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for visibility in ("public", "unlisted", "private", "direct"):
        last = await say(world, ada, "tea", visibility=visibility)
    await say(world, bob, "tea")
    made = await world.did("featured_tags", ada, name="#Tea")
    day = last.created_at.date().isoformat()
    assert made == {
        "id": made["id"],
        "name": "Tea",
        "url": "https://microblog.example/@ada/tagged/tea",
        "statuses_count": "2",
        "last_status_at": day,
    }
    assert await world.did("featured_tags", ada, name="TEA") == made
    unused = await world.did("featured_tags", ada, name="größe")
    assert (unused["statuses_count"], unused["last_status_at"], unused["url"][-12:]) == ("0", None, "gr%C3%B6%C3%9Fe"[-12:])
    assert await world.show("/api/v1/featured_tags", ada) == await world.show(f"/api/v1/accounts/{ada}/featured_tags") == [made, unused]


async def test_its_count_follows_edits_and_deletions(world: "World") -> None:
    (ada,) = await world.people("ada")
    await world.did("featured_tags", ada, name="tea")
    posts = [await say(world, ada, "tea") for _ in range(3)]

    async def count() -> str:
        (tag,) = await world.show(f"/api/v1/accounts/{ada}/featured_tags")
        return str(tag["statuses_count"])

    assert await count() == "3"
    await world.apply(world.gone(posts[0]))
    await world.apply(posts[1].model_copy(update={"version": 2, "tags": []}))
    assert await count() == "1"


async def test_only_ones_own_are_taken_away(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    made = await world.did("featured_tags", ada, name="tea")
    path = f"/api/v1/featured_tags/{made['id']}"
    assert (await world.client.delete(path, headers=world.headers(bob))).status_code == 404
    assert (await world.client.delete(path, headers=world.headers(ada))).json() == {}
    assert (await world.client.delete(path, headers=world.headers(ada))).status_code == 404
    assert await world.show("/api/v1/featured_tags", ada) == []


@pytest.mark.parametrize("name", ["", "#", "12345", "two words", "semi;colon", "x" * 101])
async def test_what_is_no_hashtag_is_refused(world: "World", name: str) -> None:
    (ada,) = await world.people("ada")
    refused = await world.do("featured_tags", ada, name=name)
    assert (refused.status_code, refused.json()["error"]) == (422, "Validation failed: Tag is invalid")


async def test_ten_are_featured_and_no_eleventh_however_many_are_tried_at_once(world: "World") -> None:
    (ada,) = await world.people("ada")
    answers = await asyncio.gather(*(world.do("featured_tags", ada, name=f"tag{n}") for n in range(14)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [422] * 4
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert refused.json()["error"] == "Validation failed: You have already featured the maximum number of hashtags"
    assert len(await world.show("/api/v1/featured_tags", ada)) == 10
    assert (await world.show("/internal/instance"))["configuration"]["accounts"]["max_featured_tags"] == 10


async def test_a_tag_is_featured_by_its_name_and_says_so(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for _ in range(2):
        assert (await world.did("tags/Tea/feature", ada))["featuring"] is True
    assert [tag["name"] for tag in await world.show("/api/v1/featured_tags", ada)] == ["Tea"]
    assert [(await world.show("/api/v1/tags/tea", viewer))["featuring"] for viewer in (ada, bob, 0)] == [True, False, False]
    for _ in range(2):
        assert (await world.did("tags/tea/unfeature", ada))["featuring"] is False
    assert await world.show("/api/v1/featured_tags", ada) == []


async def test_the_most_used_that_arent_featured_are_suggested(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for tags in (("tea", "cake"), ("tea",), ("jazz", "tea"), ("jazz",)):
        await say(world, ada, *tags)
    await say(world, bob, "loud")
    await world.did("featured_tags", ada, name="tea")
    found = await world.show("/api/v1/featured_tags/suggestions", ada)
    assert [(tag["name"], tag["history"][0]["uses"]) for tag in found] == [("jazz", "2"), ("cake", "1")]


async def test_nobody_sees_those_of_somebody_who_is_blocked_or_hidden(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.did("featured_tags", ada, name="tea")
    await world.did("featured_tags", bob, name="cake")
    await world.did(f"accounts/{bob}/block", ada)
    assert (await world.get(f"/api/v1/accounts/{ada}/featured_tags", bob)).status_code == 404
    assert await world.show(f"/api/v1/accounts/{bob}/featured_tags", ada) == []
    await world.account(ada, version=2, deleted=True)
    assert (await world.get(f"/api/v1/accounts/{ada}/featured_tags")).status_code == 404
    assert await world.rows("SELECT account_id FROM featured_tags") == [(bob,)]
