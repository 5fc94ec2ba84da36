"""Following somebody in some languages only."""

from typing import TYPE_CHECKING, Any

import pytest
from social.rebuilding import _fill_feeds

if TYPE_CHECKING:
    from common.events import PostState

    from .conftest import World

from .test_graph import locked, relation
from .test_upkeep import pulled, stored, went_away

pytestmark = pytest.mark.anyio


async def say(world: "World", author: int, *languages: str | None) -> dict[str | None, "PostState"]:
    """A post in each language."""
    return {language: await world.post(author, language=language) for language in languages}


def ids(posts: dict[str | None, "PostState"], *languages: str | None) -> list[int]:
    return [posts[language].post_id for language in languages]


async def follow(world: "World", follower: int, followed: int, languages: Any, **more: Any) -> Any:
    return await world.did(f"accounts/{followed}/follow", follower, languages=languages, **more)


async def test_somebody_is_followed_in_some_languages_and_in_all_again(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    assert (await follow(world, ada, bob, ["en", "de", "en"]))["languages"] == ["de", "en"]
    assert (await world.did(f"accounts/{bob}/follow", ada, notify=True))["languages"] == ["de", "en"]
    assert (await relation(world, ada, bob))["languages"] == ["de", "en"]
    for everything in (None, [], ""):
        await follow(world, ada, bob, ["pt-BR"])
        assert (await follow(world, ada, bob, everything))["languages"] is None
    form = await world.client.post(f"/api/v1/accounts/{bob}/follow", data={"languages[]": ["es", "fr"]}, headers=world.headers(ada))
    assert (form.json()["languages"], form.json()["notifying"]) == (["es", "fr"], True)
    query = await world.client.post(f"/api/v1/accounts/{bob}/follow", params={"languages": "es"}, headers=world.headers(ada))
    assert query.json()["languages"] == ["es"]
    await world.did(f"accounts/{bob}/unfollow", ada)
    assert (await relation(world, ada, bob))["languages"] is None


@pytest.mark.parametrize("languages", [["english"], ["e"], ["en", "../.."], ["en"] * 101], ids=str)
async def test_what_is_no_language_is_refused(world: "World", languages: list[str]) -> None:
    ada, bob = await world.people("ada", "bob")
    answer = await world.do(f"accounts/{bob}/follow", ada, languages=languages)
    assert (answer.status_code, answer.json()["error"]) == (422, "Validation failed: Languages is invalid")
    assert (await relation(world, ada, bob))["following"] is False


async def test_who_asks_to_follow_may_change_what_they_ask_for(world: "World") -> None:
    star, ada = await locked(world, "star"), await world.person("ada")
    asked = await follow(world, ada, star, ["en"], reblogs=False)
    assert (asked["requested"], asked["languages"], asked["showing_reblogs"]) == (True, ["en"], False)
    assert (await follow(world, ada, star, ["de"]))["languages"] == ["de"]
    posts = await say(world, star, "en", "de")
    await world.did(f"follow_requests/{ada}/authorize", star)
    told = await relation(world, ada, star)
    assert (told["following"], told["languages"], told["showing_reblogs"]) == (True, ["de"], False)
    assert await world.home(ada) == ids(posts, "de")
    assert [notice[0] for notice in await world.notices(star)] == ["follow_request", "follow_request", "follow"]


async def test_only_the_languages_that_are_wanted_come_home_and_those_that_nobody_knows(world: "World") -> None:
    ada, bob, fan, dora = await world.people("ada", "bob", "fan", "dora")
    await follow(world, ada, bob, ["en", "pt"])
    await world.follow(fan, bob)
    said = await say(world, bob, "en", "de", "pt-BR", "pt", None)
    await world.post(bob, visibility="direct", language="de", usernames=["ada"])
    theirs = await say(world, dora, "en", "de", None)
    for post in theirs.values():
        await world.did(f"statuses/{post.post_id}/reblog", bob)
    wanted = ids(theirs, None, "en") + ids(said, None, "pt", "pt-BR", "en")
    assert await world.home(ada) == wanted
    assert len(await world.home(fan)) == 8
    assert len(await world.show(f"/api/v1/accounts/{bob}/statuses", ada)) == 9


async def test_another_choice_changes_what_is_at_home_already(world: "World") -> None:
    ada, bob, dora = await world.people("ada", "bob", "dora")
    await world.follow(ada, bob)
    said, theirs = await say(world, bob, "en", "de"), await say(world, dora, "en", "de")
    for post in theirs.values():
        await world.did(f"statuses/{post.post_id}/reblog", bob)
    await follow(world, ada, bob, ["de"])
    assert await world.home(ada) == ids(theirs, "de") + ids(said, "de")
    await follow(world, ada, bob, ["en"], reblogs=False)
    assert await world.home(ada) == ids(said, "en")
    await follow(world, ada, bob, None, reblogs=True)
    assert await world.home(ada) == ids(theirs, "de", "en") + ids(said, "de", "en")


async def test_a_feed_that_is_filled_again_has_only_the_languages_that_are_wanted(world: "World") -> None:
    ada, bob, dora = await world.people("ada", "bob", "dora")
    await follow(world, ada, bob, ["en"])
    said, theirs = await say(world, bob, "en", "de"), await say(world, dora, "en", "de")
    for post in theirs.values():
        await world.did(f"statuses/{post.post_id}/reblog", bob)
    wanted = ids(theirs, "en") + ids(said, "en")
    assert await _fill_feeds(world.database) == 0
    await went_away(world, ada)
    assert await world.home(ada) == wanted
    await world.run("DELETE FROM feed_entries WHERE owner_id = :ada AND entry_id = :post", ada=ada, post=said["en"].post_id)
    assert await _fill_feeds(world.database) == 1
    assert await world.home(ada) == wanted


async def test_what_is_merged_in_on_reading_is_in_the_languages_that_are_wanted(world: "World") -> None:
    ada, star, dora = await world.people("ada", "star", "dora")
    await pulled(world, star)
    await follow(world, ada, star, ["en"])
    said, theirs = await say(world, star, "en", "de", None), await say(world, dora, "en", "de")
    for post in theirs.values():
        await world.did(f"statuses/{post.post_id}/reblog", star)
    assert await world.home(ada) == ids(theirs, "en") + ids(said, None, "en")
    assert await world.home(ada, limit=2) == ids(theirs, "en") + ids(said, None)
    assert await stored(world, ada) == []


async def test_a_followed_hashtag_brings_nothing_in_a_language_that_is_not_wanted_of_its_author(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.did("tags/tea/follow", ada)
    await follow(world, ada, bob, ["en"])
    english, _ = [await world.post(bob, language=language, tags=[{"name": "tea", "display": "tea"}]) for language in ("en", "de")]
    assert await stored(world, ada) == [english.post_id]
    await went_away(world, ada)
    assert await world.home(ada) == [english.post_id]


async def test_a_list_shows_the_languages_that_are_wanted_of_whom_one_follows(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await follow(world, ada, bob, ["en"])
    a_list = int((await world.did("lists", ada, title="friends"))["id"])
    await world.did(f"lists/{a_list}/accounts", ada, account_ids=[bob, cleo])
    bobs, cleos = await say(world, bob, "en", "de"), await say(world, cleo, "en", "de")
    assert world.ids(await world.show(f"/api/v1/timelines/list/{a_list}", ada)) == ids(cleos, "de", "en") + ids(bobs, "en")
