"""Who of those who look on gets an entry, and as what: the same as their pages show, for many at once."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

FEEDS = ("home", "public", "lists", "conversations")


async def shown(world: "World", entry_id: int, version: int = 0, **audience: list[int]) -> dict[str, dict[int, Any]]:
    """For each feed what each viewer (or list) is shown."""
    answer = await world.client.post(
        "/internal/streams/entries", json={"entry_id": entry_id, "version": version, **audience}, headers=world.identities.gateway("social")
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return {name: {int(an_id): json.loads(told["shown"][place]) for an_id, place in told[name].items()} for name in FEEDS}


async def gone(world: "World", account_id: int, visibility: str, *viewers: int) -> list[int]:
    body = {"account_id": account_id, "visibility": visibility, "home": list(viewers)}
    answer = await world.client.post("/internal/streams/gone", json=body, headers=world.identities.gateway("social"))
    found: list[int] = answer.json()["home"]
    return found


async def test_a_post_comes_home_to_its_author_and_followers_and_looks_as_on_their_pages(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    await world.follow(bert, ada)
    post = await world.post(ada)
    found = await shown(world, post.post_id, 1, home=[ada, bert, cleo], public=[cleo])
    assert found["home"] == {ada: await world.status(post, ada), bert: await world.status(post, bert)}
    assert found["public"] == {cleo: await world.status(post, cleo)}
    assert ["pinned" in found["home"][viewer] for viewer in (ada, bert)] == [True, False]


async def test_what_stands_in_the_home_feeds_of_many_is_what_each_of_them_is_shown(world: "World") -> None:
    """Every visibility, answers, hashtags, blocks, mutes, boosts, exclusive lists and languages: the feed's page is the judge."""
    ada, bert, cleo, dora, emil, fay, gus, hans = everybody = await world.people(
        "ada", "bert", "cleo", "dora", "emil", "fay", "gus", "hans"
    )
    for follower in (bert, cleo, dora, emil, fay, gus):
        await world.follow(follower, ada)
    await world.did(f"accounts/{ada}/mute", cleo)
    await world.did(f"accounts/{dora}/block", ada)
    await world.did(f"accounts/{ada}/follow", emil, languages=["de"])
    await world.did(f"accounts/{ada}/follow", fay, reblogs=False)
    await world.did("tags/tea/follow", hans)
    kept_apart = (await world.did("lists", gus, title="apart", exclusive=True))["id"]
    await world.did(f"lists/{kept_apart}/accounts", gus, account_ids=[str(ada)])
    await world.follow(bert, hans)
    for viewer in everybody:
        await world.home(viewer)
    said = await world.post(hans)
    tea = [{"name": "tea", "display": "tea"}]
    posts = [
        *[await world.post(ada, visibility=visibility) for visibility in ("public", "unlisted", "private")],
        await world.post(ada, visibility="direct", usernames=["bert", "hans"]),
        await world.post(ada, language="fr"),
        await world.post(ada, tags=tea),
        await world.answer(ada, said),
    ]
    boost = int((await world.did(f"statuses/{said.post_id}/reblog", ada))["id"])
    entries = [post.post_id for post in posts] + [boost]
    expected = {
        viewer: {int(status["id"]): status for status in await world.show("/api/v1/timelines/home", viewer, limit=40)}
        for viewer in everybody
    }
    assert any(boost in feed for feed in expected.values())
    for entry in entries:
        found = (await shown(world, entry, home=everybody))["home"]
        assert found == {viewer: feed[entry] for viewer, feed in expected.items() if entry in feed}, entry


async def test_a_boost_of_what_one_has_already_comes_not_again(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    await world.follow(cleo, ada, bert)
    await world.home(cleo)
    post = await world.post(ada)
    boost = int((await world.did(f"statuses/{post.post_id}/reblog", bert))["id"])
    found = (await shown(world, boost, home=[ada, bert, cleo]))["home"]
    assert list(found) == [bert]
    assert found[bert]["reblog"]["id"] == str(post.post_id)


async def test_public_streams_leave_out_whom_one_mutes_and_what_is_not_public(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    await world.did(f"accounts/{ada}/mute", bert)
    everybody = [ada, bert, cleo]
    assert list((await shown(world, (await world.post(ada)).post_id, public=everybody))["public"]) == [ada, cleo]
    unlisted = await world.post(ada, visibility="unlisted")
    assert (await shown(world, unlisted.post_id, public=everybody))["public"] == {}


async def test_filters_mark_what_is_shown_to_their_owner_only(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    await world.did("filters", bert, phrase="hello", context=["home"])
    post = await world.post(ada)
    found = (await shown(world, post.post_id, public=[bert, cleo]))["public"]
    assert [match["keyword_matches"] for match in found[bert]["filtered"]] == [["hello"]]
    assert found[cleo]["filtered"] == []


async def test_lists_show_what_their_page_shows(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    with_ada = int((await world.did("lists", bert, title="with ada"))["id"])
    without = int((await world.did("lists", bert, title="without"))["id"])
    await world.did(f"lists/{with_ada}/accounts", bert, account_ids=[str(ada)])
    public, private = await world.post(ada), await world.post(ada, visibility="private")
    lists = [with_ada, without]
    assert list((await shown(world, public.post_id, lists=lists))["lists"]) == [with_ada]
    assert (await shown(world, private.post_id, lists=lists))["lists"] == {}
    boost = int((await world.did(f"statuses/{(await world.post(cleo)).post_id}/reblog", ada))["id"])
    assert list((await shown(world, boost, lists=lists))["lists"]) == [with_ada]


async def test_a_direct_post_is_told_as_a_conversation_to_those_who_take_part(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    post = await world.post(ada, visibility="direct", usernames=["bert"])
    found = (await shown(world, post.post_id, 1, home=[ada, bert, cleo], conversations=[ada, bert, cleo]))["conversations"]
    assert set(found) == {ada, bert}
    assert found[bert]["unread"]
    assert found[bert]["last_status"]["id"] == str(post.post_id)
    assert found[bert] == (await world.show("/api/v1/conversations", bert))[0]


async def test_what_has_not_arrived_yet_is_said_to_be_so(world: "World") -> None:
    ada = await world.person("ada")
    said = await world.said(ada)
    headers = world.identities.gateway("social")
    body = {"entry_id": said.post_id, "version": 1, "home": [ada]}
    assert (await world.client.post("/internal/streams/entries", json=body, headers=headers)).status_code == 409
    await world.apply(said)
    assert (await world.client.post("/internal/streams/entries", json=body, headers=headers)).status_code == 200
    assert (await world.client.post("/internal/streams/entries", json=body | {"version": 2}, headers=headers)).status_code == 409


async def test_that_something_is_gone_is_for_those_who_could_have_had_it_at_home(world: "World") -> None:
    ada, bert, cleo = await world.people("ada", "bert", "cleo")
    await world.follow(bert, ada)
    assert await gone(world, ada, "public", ada, bert, cleo) == [ada, bert]
    assert await gone(world, ada, "direct", ada, bert, cleo) == [ada]


async def test_only_other_parts_of_the_stack_may_ask(world: "World") -> None:
    ada = await world.person("ada")
    for path, body in (("entries", {"entry_id": 1}), ("gone", {"account_id": 1, "visibility": "public"})):
        assert (await world.client.post(f"/internal/streams/{path}", json=body, headers=world.headers(ada))).status_code == 404


async def test_boosts_and_changed_filters_are_told_once(world: "World") -> None:
    ada, bert = await world.people("ada", "bert")
    post = await world.post(ada)
    for _ in range(2):
        await world.did(f"statuses/{post.post_id}/reblog", bert, visibility="unlisted")
    for _ in range(2):
        await world.did(f"statuses/{post.post_id}/unreblog", bert)
    await world.did("filters", bert, phrase="tea", context=["home"])
    told = "SELECT convert_from(body, 'UTF8')::jsonb FROM outbox WHERE topic = 'social.moments' ORDER BY id"
    moments = [row[0] for row in await world.rows(told)]
    assert [(moment["kind"], moment["account_id"]) for moment in moments] == [
        ("boosted", bert),
        ("unboosted", bert),
        ("filters_changed", bert),
    ]
    assert moments[0]["visibility"] == "unlisted"
    assert moments[0]["boost_id"] == moments[1]["boost_id"]
