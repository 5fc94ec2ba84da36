"""Home feeds: what gets in, what goes, and when."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from social.feeds import fanout

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def test_following_brings_the_newest_posts_and_unfollowing_takes_them_away(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    posts = [(await world.post(bob)).post_id for _ in range(45)]
    own = (await world.post(ada)).post_id
    await world.follow(ada, bob)
    assert await world.home(ada, limit=40) == [own, *posts[:5:-1]]
    assert await world.home(ada, limit=40, max_id=posts[6]) == [posts[5]]
    await world.did(f"accounts/{bob}/unfollow", ada)
    assert await world.home(ada) == [own]
    assert await world.home(bob, limit=1) == [posts[-1]]


async def test_a_new_post_is_in_the_feeds_of_followers_as_soon_as_it_is_carried(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(bob, ada)
    post = await world.said(ada)
    await world.carry(post)
    assert [await world.home(viewer) for viewer in (ada, bob, cleo)] == [[post.post_id], [post.post_id], []]


async def test_a_backfill_brings_what_the_follower_may_see_and_wants(world: "World") -> None:
    ada, bob, cleo, dora = await world.people("ada", "bob", "cleo", "dora")
    cleos, doras, adas = await world.post(cleo), await world.post(dora), await world.post(ada)
    kept = [
        await world.post(bob, visibility="private"),
        await world.answer(bob, adas),
        await world.answer(bob, cleos),
    ]
    await world.post(bob, visibility="direct")
    await world.answer(bob, doras)
    await world.did(f"statuses/{doras.post_id}/reblog", bob)
    await world.follow(ada, cleo, bob)
    # the answer to Dora is left out, what Bob boosted of hers is not
    assert await world.home(ada) == [doras.post_id, *(post.post_id for post in reversed(kept)), adas.post_id, cleos.post_id]


async def test_boosts_of_somebody_followed_without_boosts_stay_out(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    before, after = await world.post(cleo), await world.post(cleo)
    await world.did(f"statuses/{before.post_id}/reblog", bob)
    await world.did(f"accounts/{bob}/follow", ada, reblogs=False)
    await world.did(f"statuses/{after.post_id}/reblog", bob)
    assert await world.home(ada) == []


async def test_answers_are_read_by_those_who_follow_both(world: "World") -> None:
    ada, bob, both, one = await world.people("ada", "bob", "both", "one")
    await world.follow(both, ada, bob)
    await world.follow(one, bob)
    post = await world.post(ada)
    answer = await world.answer(bob, post)
    thread = await world.answer(bob, answer)
    assert await world.home(both) == [thread.post_id, answer.post_id, post.post_id]
    assert await world.home(one) == [thread.post_id]
    assert await world.home(ada) == [post.post_id]


async def test_a_direct_post_is_in_the_feed_of_those_mentioned_who_follow(world: "World") -> None:
    ada, follower, fan, stranger = await world.people("ada", "follower", "fan", "stranger")
    await world.follow(follower, ada)
    await world.follow(fan, ada)
    post = await world.post(ada, visibility="direct", usernames=["follower", "stranger"])
    assert [await world.home(viewer) for viewer in (ada, follower, fan, stranger)] == [[post.post_id], [post.post_id], [], []]


async def test_a_boost_brings_a_post_into_feeds_that_have_not_got_it_and_leaves_with_it(world: "World") -> None:
    author, booster, other, reader, fan = await world.people("author", "booster", "other", "reader", "fan")
    await world.follow(reader, booster, other)
    await world.follow(fan, author, booster)
    post = await world.post(author)
    for person in (booster, other):
        await world.did(f"statuses/{post.post_id}/reblog", person)
    (entry,) = await world.show("/api/v1/timelines/home", reader)
    assert (entry["account"]["acct"], entry["reblog"]["id"]) == ("booster", str(post.post_id))
    (entry,) = await world.show("/api/v1/timelines/home", fan)
    assert (entry["id"], entry["reblog"]) == (str(post.post_id), None)
    await world.did(f"statuses/{post.post_id}/unreblog", booster)
    assert (await world.home(reader), await world.home(fan)) == ([], [post.post_id])


async def test_unfollowing_takes_boosts_away_but_not_what_others_boosted(world: "World") -> None:
    author, booster, reader = await world.people("author", "booster", "reader")
    await world.follow(reader, booster)
    one, two = await world.post(author), await world.post(booster)
    await world.did(f"statuses/{one.post_id}/reblog", booster)
    await world.follow(reader, author)
    await world.did(f"accounts/{booster}/unfollow", reader)
    assert two.post_id not in await world.home(reader)
    assert not [entry for entry in await world.show("/api/v1/timelines/home", reader) if entry["reblog"]]


async def test_a_deleted_post_is_gone_from_every_feed_boosts_included(world: "World") -> None:
    author, booster, reader = await world.people("author", "booster", "reader")
    await world.follow(reader, booster)
    post = await world.post(author)
    await world.did(f"statuses/{post.post_id}/reblog", booster)
    assert await world.home(reader) == [post.post_id]
    await world.apply(world.gone(post))
    assert [await world.home(viewer) for viewer in (author, booster, reader)] == [[], [], []]
    assert await world.rows("SELECT 1 FROM feed_entries") == []


async def test_a_blocked_booster_brings_nothing(world: "World") -> None:
    author, booster, reader = await world.people("author", "booster", "reader")
    await world.follow(reader, booster)
    post = await world.post(author)
    await world.did(f"statuses/{post.post_id}/reblog", booster)
    await world.did(f"accounts/{booster}/mute", reader)
    assert await world.home(reader) == []
    await world.did(f"accounts/{booster}/unmute", reader)
    assert await world.home(reader) == [post.post_id]
    await world.did(f"accounts/{reader}/block", booster)
    assert await world.home(reader) == []


async def followers(world: "World", followed: int, count: int) -> None:
    """So many followers at once who read their feeds, with the ids from 1,001 on."""
    await world.run("INSERT INTO feeds (owner_id) SELECT n FROM generate_series(1001, 1000 + :count) n", count=count)
    await world.run(
        "INSERT INTO follows (follower_id, followed_id) SELECT n, :followed FROM generate_series(1001, 1000 + :count) n",
        followed=followed,
        count=count,
    )


async def owners(world: "World", entry: int) -> list[int]:
    return [row[0] for row in await world.rows("SELECT owner_id FROM feed_entries WHERE entry_id = :entry ORDER BY 1", entry=entry)]


async def test_a_large_audience_is_reached_in_chunks_and_everybody_once(world: "World") -> None:
    (star,) = await world.people("star")
    await followers(world, star, 2 * fanout.CHUNK + 50)
    post = await world.post(star)
    assert len(await owners(world, post.post_id)) == 1 + fanout.CHUNK
    done = await asyncio.gather(*(fanout.one_chunk(world.database) for _ in range(3)))
    assert any(done)
    while await fanout.one_chunk(world.database):
        pass
    assert await owners(world, post.post_id) == [star, *range(1001, 1001 + 2 * fanout.CHUNK + 50)]
    assert await world.rows("SELECT 1 FROM fanouts") == []


async def test_a_post_that_is_deleted_on_its_way_reaches_nobody_any_more(world: "World") -> None:
    (star,) = await world.people("star")
    await followers(world, star, fanout.CHUNK + 50)
    post = await world.post(star)
    await world.apply(world.gone(post))
    assert await fanout.one_chunk(world.database) is False
    assert await owners(world, post.post_id) == []


async def test_a_large_boost_goes_on_behind_where_it_stopped(world: "World") -> None:
    star, author = await world.people("star", "author")
    await followers(world, star, fanout.CHUNK + 50)
    post = await world.post(author)
    boost = int((await world.did(f"statuses/{post.post_id}/reblog", star))["id"])
    while await fanout.one_chunk(world.database):
        pass
    assert len(await owners(world, boost)) == 1 + fanout.CHUNK + 50
    await world.did(f"statuses/{post.post_id}/unreblog", star)
    assert await owners(world, boost) == []


async def test_the_worker_finishes_what_a_write_began(world: "World") -> None:
    (star,) = await world.people("star")
    await followers(world, star, 3 * fanout.CHUNK)
    working = asyncio.create_task(fanout.worker(world.database)())  # type: ignore[arg-type]
    post = await world.post(star)
    async with asyncio.timeout(20):
        while len(await owners(world, post.post_id)) <= 3 * fanout.CHUNK or await world.rows("SELECT 1 FROM fanouts"):
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_the_public_timeline_has_no_answers_to_others(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    await world.answer(bob, post)
    own = await world.answer(ada, post)
    assert world.ids(await world.show("/api/v1/timelines/public")) == [own.post_id, post.post_id]
    assert await world.show("/api/v1/timelines/public", remote="true") == []


async def test_an_account_page_leaves_out_what_it_is_asked_to(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    bobs, own = await world.post(bob), await world.post(ada)
    to_bob, to_self = await world.answer(ada, bobs), await world.answer(ada, own)
    boost = int((await world.did(f"statuses/{bobs.post_id}/reblog", ada))["id"])

    async def page(**query: str) -> list[int]:
        return world.ids(await world.show(f"/api/v1/accounts/{ada}/statuses", **query))

    assert await page() == [boost, to_self.post_id, to_bob.post_id, own.post_id]
    assert await page(exclude_replies="true") == [boost, to_self.post_id, own.post_id]
    assert await page(exclude_reblogs="1") == [to_self.post_id, to_bob.post_id, own.post_id]
    assert await page(pinned="true") == []


async def test_a_feed_is_for_its_owner_with_the_scope(world: "World") -> None:
    (ada,) = await world.people("ada")
    for path, scope in (("timelines/home", "read:statuses"), ("favourites", "read:favourites"), ("bookmarks", "read:bookmarks")):
        assert (await world.get(f"/api/v1/{path}")).status_code == 401
        for scopes, status in (({"write"}, 403), ({scope}, 200)):
            answer = await world.client.get(f"/api/v1/{path}", headers=world.headers(ada, scopes=frozenset(scopes)))
            assert answer.status_code == status
