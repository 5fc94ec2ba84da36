"""Favourites, bookmarks and boosts: each counted once."""

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

COUNT = {"favourite": "favourites_count", "reblog": "reblogs_count"}
FLAG = {"favourite": "favourited", "reblog": "reblogged", "bookmark": "bookmarked"}


@pytest.mark.parametrize("deed", FLAG)
async def test_doing_it_again_or_undoing_it_again_changes_nothing(world: "World", deed: str) -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    ids = {(await world.did(f"statuses/{post.post_id}/{deed}", bob))["id"] for _ in range(2)}
    status = await world.status(post, bob)
    assert len(ids) == 1
    assert (status[FLAG[deed]], status.get(COUNT.get(deed, ""), 1)) == (True, 1)
    for _ in range(2):
        undone = await world.did(f"statuses/{post.post_id}/un{deed}", bob)
        assert (undone["id"], undone[FLAG[deed]], undone.get(COUNT.get(deed, ""), 0)) == (str(post.post_id), False, 0)
    told = [] if deed == "bookmark" else [(deed, bob, False), (deed, bob, True)]
    assert await world.notices(ada) == told


async def test_a_post_of_ones_own_is_pinned_to_the_profile_and_unpinned(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    posts = [await world.post(ada) for _ in range(3)]
    pinned = f"/api/v1/accounts/{ada}/statuses"
    for post in (posts[0], posts[2], posts[0]):
        assert (await world.did(f"statuses/{post.post_id}/pin", ada))["pinned"] is True
    assert (
        world.ids(await world.show(pinned, bob, pinned="true"))
        == world.ids(await world.show(pinned, pinned="true"))
        == [posts[2].post_id, posts[0].post_id]
    )
    assert "pinned" not in await world.status(posts[0], bob)
    for _ in range(2):
        assert (await world.did(f"statuses/{posts[2].post_id}/unpin", ada))["pinned"] is False
    assert world.ids(await world.show(pinned, pinned="true")) == [posts[0].post_id]
    await world.apply(world.gone(posts[0]))
    assert await world.show(pinned, pinned="true") == []


async def test_what_cannot_be_pinned_is_refused_in_words(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    others, direct = await world.post(bob), await world.post(ada, visibility="direct")
    boost = await world.did(f"statuses/{others.post_id}/reblog", ada)
    for an_id, told in (
        (others.post_id, "Someone else's post cannot be pinned"),
        (boost["id"], "Someone else's post cannot be pinned"),
        (direct.post_id, "Posts that are only visible to mentioned users cannot be pinned"),
    ):
        answer = await world.do(f"statuses/{an_id}/pin", ada)
        assert (answer.status_code, answer.json()["error"]) == (422, f"Validation failed: {told}")
    assert (await world.do("statuses/1/pin", ada)).status_code == 404


async def test_five_posts_are_pinned_and_no_sixth_however_many_are_tried_at_once(world: "World") -> None:
    (ada,) = await world.people("ada")
    posts = [await world.post(ada) for _ in range(8)]
    answers = await asyncio.gather(*(world.do(f"statuses/{post.post_id}/pin", ada) for post in posts))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [422] * 3
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert refused.json()["error"] == "Validation failed: You have already pinned the maximum number of posts"
    assert len(await world.show(f"/api/v1/accounts/{ada}/statuses", pinned="true")) == 5


async def test_followers_alone_see_what_is_pinned_for_them(world: "World") -> None:
    ada, bob, eve = await world.people("ada", "bob", "eve")
    await world.did(f"accounts/{ada}/follow", bob)
    post = await world.post(ada, visibility="private")
    await world.did(f"statuses/{post.post_id}/pin", ada)
    pinned = f"/api/v1/accounts/{ada}/statuses"
    assert [len(await world.show(pinned, viewer, pinned="true")) for viewer in (ada, bob, eve, 0)] == [1, 1, 0, 0]


@pytest.mark.parametrize("deed", COUNT)
async def test_counts_are_exact_when_many_do_it_at_the_same_time(world: "World", deed: str) -> None:
    author, *crowd = await world.people("author", *(f"fan{n}" for n in range(10)))
    post = await world.post(author)
    answers = await asyncio.gather(*(world.do(f"statuses/{post.post_id}/{deed}", fan) for fan in crowd * 2))
    assert {answer.status_code for answer in answers} == {200}
    assert (await world.status(post))[COUNT[deed]] == 10
    answers = await asyncio.gather(*(world.do(f"statuses/{post.post_id}/un{deed}", fan) for fan in crowd[:3] * 4))
    assert {answer.status_code for answer in answers} == {200}
    assert (await world.status(post))[COUNT[deed]] == 7
    by = "favourited_by" if deed == "favourite" else "reblogged_by"
    assert set(world.ids(await world.show(f"/api/v1/statuses/{post.post_id}/{by}"))) == set(crowd[3:])
    assert sorted(notice for notice in await world.notices(author) if not notice[2]) == [(deed, fan, False) for fan in crowd]


@pytest.mark.parametrize("deed", FLAG)
async def test_one_person_in_a_hurry_ends_with_one_or_none(world: "World", deed: str) -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    deeds = [world.do(f"statuses/{post.post_id}/{prefix}{deed}", bob) for prefix in ("", "un", "") for _ in range(7)]
    await asyncio.gather(*deeds)
    table = {"favourite": "favourites", "reblog": "boosts", "bookmark": "bookmarks"}[deed]
    left = len(await world.rows(f"SELECT 1 FROM {table}"))
    assert left in (0, 1)
    status = await world.status(post, bob)
    assert (status[FLAG[deed]], status.get(COUNT.get(deed, ""), left)) == (bool(left), left)
    assert (await world.counts(bob))[2] == (left if deed == "reblog" else 0)


async def test_answers_that_come_at_the_same_time_are_all_counted(world: "World") -> None:
    ada, *crowd = await world.people("ada", *(f"fan{n}" for n in range(8)))
    post = await world.post(ada)
    answers = [await world.said(fan, reply_to_id=post.post_id, reply_to_account_id=ada) for fan in crowd]
    await asyncio.gather(*(world.carry(answer) for answer in answers * 2))
    assert (await world.status(post))["replies_count"] == 8
    await asyncio.gather(*(world.apply(world.gone(answer)) for answer in answers[:5] * 2))
    assert (await world.status(post))["replies_count"] == 3


async def test_one_person_who_answers_and_boosts_at_the_same_time_is_never_turned_away(world: "World") -> None:
    author, fan = await world.people("author", "fan")
    for _ in range(10):
        post = await world.post(author)
        answer = await world.said(fan, reply_to_id=post.post_id, reply_to_account_id=author)
        answers = await asyncio.gather(world.carry(answer), world.do(f"statuses/{post.post_id}/reblog", fan))
        assert [one.status_code for one in answers] == [200, 200]


async def test_a_boost_wraps_the_post_and_is_done_to_the_post(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    post = await world.post(ada)
    wrapper = await world.did(f"statuses/{post.post_id}/reblog", bob)
    assert (wrapper["account"]["acct"], wrapper["reblog"]["account"]["acct"], wrapper["reblog"]["id"]) == ("bob", "ada", str(post.post_id))
    assert wrapper["id"] != str(post.post_id)
    liked = await world.did(f"statuses/{wrapper['id']}/favourite", cleo)
    assert (liked["id"], liked["favourites_count"]) == (str(post.post_id), 1)
    again = await world.did(f"statuses/{wrapper['id']}/reblog", cleo)
    assert again["reblog"]["id"] == str(post.post_id)
    assert (await world.status(post))["reblogs_count"] == 2
    guarded = await world.show(f"/internal/guard/{wrapper['id']}", cleo)
    assert (guarded["post_id"], guarded["boost"]) == (str(post.post_id), True)
    assert (await world.did(f"statuses/{post.post_id}/unreblog", bob))["reblog"] is None
    assert (await world.get(f"/api/v1/statuses/{wrapper['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("visibility", "author_may", "mentioned_may"), [("unlisted", 200, 200), ("private", 200, 422), ("direct", 422, 422)]
)
async def test_nothing_is_boosted_beyond_those_it_was_for(world: "World", visibility: str, author_may: int, mentioned_may: int) -> None:
    author, mentioned, follower = await world.people("author", "mentioned", "follower")
    await world.follow(follower, author)
    post = await world.post(author, visibility=visibility, usernames=["mentioned"])
    assert (await world.do(f"statuses/{post.post_id}/reblog", author, visibility="public")).status_code == author_may
    assert (await world.do(f"statuses/{post.post_id}/reblog", mentioned)).status_code == mentioned_may
    if visibility == "private":
        assert await world.show(f"/api/v1/accounts/{author}/statuses") == []


async def test_each_deed_needs_a_person_with_its_scope(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    for deed, scope in (("favourite", "write:favourites"), ("bookmark", "write:bookmarks"), ("reblog", "write:statuses")):
        path = f"/api/v1/statuses/{post.post_id}/{deed}"
        assert (await world.client.post(path)).status_code == 401
        for scopes, status in ((["read", "follow"], 403), ([scope], 200)):
            assert (await world.client.post(path, headers=world.headers(bob, scopes=frozenset(scopes)))).status_code == status
