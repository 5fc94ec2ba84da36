"""Feeds of people who are away, of authors whom many follow, and feeds that grew too long."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from social.feeds import fanout
from social.feeds.filling import _EACH
from social.feeds.pulling import Pulling
from social.feeds.returning import Readers
from social.feeds.upkeep import Upkeep
from social.posts.projections import apply_post
from social.rebuilding import _fill_feeds

if TYPE_CHECKING:
    from .conftest import World

from .conftest import URL

pytestmark = pytest.mark.anyio

_DAYS = 30


def upkeep(world: "World", pull_above: int = 10_000) -> Upkeep:
    return Upkeep(world.database, active_days=_DAYS, pull_above=pull_above)


async def went_away(world: "World", owner: int) -> None:
    """Somebody didn't read their feed for longer than it is kept up."""
    await world.run("UPDATE feeds SET read_at = now() - make_interval(days => :days) WHERE owner_id = :owner", days=_DAYS + 1, owner=owner)
    assert await upkeep(world).rest() == 1


async def stored(world: "World", owner: int) -> list[int]:
    return [row[0] for row in await world.rows("SELECT post_id FROM feed_entries WHERE owner_id = :owner ORDER BY 1", owner=owner)]


async def pulled(world: "World", author: int) -> None:
    """Somebody has so many followers that nothing of theirs is put into feeds any more."""
    await world.run("INSERT INTO pulled_authors (author_id, since) VALUES (:author, now() - interval '1 hour')", author=author)


async def test_nothing_is_put_into_the_feed_of_somebody_who_is_away_and_everything_is_there_when_they_return(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, bob, cleo)
    before = await world.post(bob)
    await went_away(world, ada)
    assert await stored(world, ada) == []
    meanwhile = [await world.post(bob), await world.post(cleo, visibility="private")]
    others = await world.post(cleo, visibility="direct")
    own = await world.post(ada)
    boosted = await world.post((await world.people("dora"))[0])
    await world.did(f"statuses/{boosted.post_id}/reblog", bob)
    assert await stored(world, ada) == [own.post_id]
    read = await world.home(ada)
    assert read == [boosted.post_id, own.post_id, meanwhile[1].post_id, meanwhile[0].post_id, before.post_id]
    assert others.post_id not in read
    now_again = await world.post(bob)
    assert await world.home(ada, limit=1) == [now_again.post_id]


async def test_who_reads_keeps_their_feed(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    post = await world.post(bob)
    await world.run("UPDATE feeds SET read_at = now() - make_interval(days => :days)", days=_DAYS + 1)
    assert await world.home(ada) == [post.post_id]
    assert await upkeep(world).rest() == 1  # Bob's
    assert await stored(world, ada) == [post.post_id]


async def test_a_post_that_is_committed_while_its_reader_returns_is_in_their_feed(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    await went_away(world, ada)
    post = await world.said(bob)
    async with world.database.transaction() as session:
        # It took its followers while Ada was still away, and isn't committed yet.
        await apply_post(session, post, URL)
        returning = asyncio.create_task(Readers(world.database).reads(ada))
        while not await world.rows("SELECT 1 FROM feeds WHERE owner_id = :ada AND active", ada=ada):
            await asyncio.sleep(0.01)
        assert not returning.done()
    await returning
    assert await stored(world, ada) == [post.post_id]
    assert await world.rows("SELECT filled FROM feeds WHERE owner_id = :ada", ada=ada) == [(True,)]


async def test_a_return_that_cannot_be_sure_is_tried_again(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("social.feeds.returning._PATIENCE", 0.05)
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    await went_away(world, ada)
    readers = Readers(world.database)
    async with world.database.transaction() as session:
        post = await world.post(bob)
        await fanout.spread(session, entry=1, post=post.post_id, author=bob, booster=None, visibility="public", answered=None)
        await readers.reads(ada)
        assert await stored(world, ada) == [post.post_id]
        assert await world.rows("SELECT filled FROM feeds WHERE owner_id = :ada", ada=ada) == [(False,)]
    await readers.reads(ada)
    assert await world.rows("SELECT filled FROM feeds WHERE owner_id = :ada", ada=ada) == [(True,)]


async def test_what_an_author_of_many_says_is_merged_in_when_the_feed_is_read(world: "World") -> None:
    ada, bob, star, dora = await world.people("ada", "bob", "star", "dora")
    await world.follow(ada, bob, star)
    first = await world.post(star)
    await pulled(world, star)
    second, bobs, third = await world.post(star), await world.post(bob), await world.post(star)
    await world.post(star, visibility="direct")
    await world.answer(star, await world.post(dora))  # Ada doesn't follow Dora
    boosted = await world.post(dora)
    await world.did(f"statuses/{boosted.post_id}/reblog", star)
    assert await stored(world, ada) == [first.post_id, bobs.post_id]
    whole = [boosted.post_id, third.post_id, bobs.post_id, second.post_id, first.post_id]
    assert await world.home(ada) == whole
    entries = world.ids(await world.show("/api/v1/timelines/home", ada))
    for place, entry in enumerate(entries):
        assert await world.home(ada, max_id=entry, limit=2) == whole[place + 1 : place + 3]
        assert await world.home(ada, min_id=entry, limit=2) == whole[max(0, place - 2) : place]
    await world.did(f"accounts/{star}/unfollow", ada)
    assert await world.home(ada) == [bobs.post_id]


async def test_following_an_author_of_many_shows_their_posts_at_once(world: "World") -> None:
    ada, star = await world.people("ada", "star")
    await pulled(world, star)
    post = await world.post(star)
    assert await world.home(ada) == []
    await world.did(f"accounts/{star}/follow", ada)
    assert await world.home(ada) == [post.post_id]
    assert await stored(world, ada) == []


async def test_authors_are_merged_in_a_minute_before_their_posts_are_written_no_more(world: "World") -> None:
    ada, bob, star = await world.people("ada", "bob", "star")
    await world.follow(ada, star)
    await world.follow(bob, star)
    await upkeep(world, pull_above=2).promote()
    assert await world.rows("SELECT author_id FROM pulled_authors") == []
    await upkeep(world, pull_above=1).promote()
    assert await world.rows("SELECT author_id FROM pulled_authors") == [(star,)]
    post = await world.post(star)
    assert await stored(world, ada) == [post.post_id]
    assert await world.home(ada) == [post.post_id]


async def test_whether_somebody_is_merged_in_is_looked_up_again_and_again(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    pulling = Pulling()
    async with world.database.reading() as connection:
        assert await pulling.some(connection) is False
        await pulled(world, 1)
        assert await pulling.some(connection) is False
        monkeypatch.setattr("social.feeds.pulling._LOOK_EVERY", 0.0)
        assert await pulling.some(connection) is True


async def test_a_feed_that_grew_too_long_is_cut_to_its_newest_entries(world: "World") -> None:
    fill = "INSERT INTO feed_entries (owner_id, entry_id, post_id) SELECT :owner, n, n FROM generate_series(1, :count) n"
    await world.run("INSERT INTO feeds (owner_id) VALUES (1), (2)")
    await world.run(fill, owner=1, count=13)
    await world.run(fill, owner=2, count=12)
    keeping = upkeep(world)
    assert await keeping.trim(kept=10) == 3
    left = "SELECT min(entry_id), count(*) FROM feed_entries WHERE owner_id = :owner"
    assert await world.rows(left, owner=1) == [(4, 10)]
    assert await world.rows(left, owner=2) == [(1, 12)]
    await world.run("UPDATE feed_entries SET entry_id = entry_id + 100")
    await world.run(fill, owner=1, count=3)
    assert await keeping.trim(kept=10) == 0  # behind the last feed it begins again
    assert await keeping.trim(kept=10) == 3


async def test_a_feed_that_was_lost_is_filled_at_once_with_all_that_a_rebuild_would_miss(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    before = await world.post(bob)
    await world.follow(ada, bob)
    since = [(await world.post(bob)).post_id for _ in range(_EACH + 10)]
    await world.run("DELETE FROM feed_entries")
    assert await _fill_feeds(world.database) == 2
    assert await stored(world, ada) == since, "what was said before is beyond the newest of each"
    assert before.post_id in await stored(world, bob)
    assert await _fill_feeds(world.database) == 0
