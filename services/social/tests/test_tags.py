"""Hashtags: following them, and feeds of several."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PostState, TagState
from social.feeds import fanout
from social.rebuilding import _fill_feeds
from social.tags import queries
from social.tags.commands import MOST_FOLLOWED

if TYPE_CHECKING:
    from .conftest import World

from .test_pages import plan
from .test_upkeep import pulled, stored, went_away

pytestmark = pytest.mark.anyio


def labels(*names: str) -> list[TagState]:
    return [TagState(name=name.lower(), display=name) for name in names]


async def tagged(world: "World", author: int, *names: str, **more: Any) -> PostState:
    return await world.post(author, tags=labels(*names), **more)


async def edited(world: "World", post: PostState, *names: str) -> PostState:
    """The post with these hashtags and no others."""
    changed = post.model_copy(update={"version": post.version + 1, "tags": labels(*names)})
    assert await world.apply(changed) == [True]
    return changed


# Following


async def test_following_a_hashtag_twice_is_following_it_once(world: "World") -> None:
    (ada,) = await world.people("ada")
    answers = await asyncio.gather(*(world.did("tags/Größe/follow", ada) for _ in range(4)))
    assert {(tag["name"], tag["following"]) for tag in answers} == {("größe", True)}
    assert (await world.show("/api/v1/tags/GRÖSSE", ada))["following"] is False  # another word
    assert (await world.show("/api/v1/tags/Größe", ada))["following"] is True
    assert (await world.show("/api/v1/tags/größe"))["following"] is False
    await world.did("tags/tea/follow", ada)
    assert [(tag["name"], tag["following"], len(tag["history"])) for tag in await world.show("/api/v1/followed_tags", ada)] == [
        ("tea", True, 7),
        ("größe", True, 7),
    ]
    for _ in range(2):
        assert (await world.did("tags/tea/unfollow", ada))["following"] is False
    assert [tag["name"] for tag in await world.show("/api/v1/followed_tags", ada)] == ["größe"]


@pytest.mark.parametrize("name", ["2026", "two words", "a-b", "x" * 101, "%23"])
async def test_what_can_be_no_hashtag_is_not_followed(world: "World", name: str) -> None:
    (ada,) = await world.people("ada")
    for verb in ("follow", "unfollow"):
        assert (await world.do(f"tags/{name}/{verb}", ada)).status_code == 404


async def test_hashtags_are_followed_by_people_with_the_scope(world: "World") -> None:
    (ada,) = await world.people("ada")
    for method, path, scope in (
        ("POST", "tags/tea/follow", "write:follows"),
        ("POST", "tags/tea/unfollow", "write:follows"),
        ("GET", "followed_tags", "read:follows"),
    ):
        assert (await world.client.request(method, f"/api/v1/{path}")).status_code == 401
        for scopes, status in (({"read:statuses", "write:statuses"}, 403), ({scope}, 200)):
            answer = await world.client.request(method, f"/api/v1/{path}", headers=world.headers(ada, scopes=frozenset(scopes)))
            assert answer.status_code == status


async def test_so_many_hashtags_are_followed_and_no_more(world: "World") -> None:
    (ada,) = await world.people("ada")
    await world.run(
        "INSERT INTO followed_tags (account_id, name) SELECT 1, 'tag' || n FROM generate_series(1, :count) n", count=MOST_FOLLOWED - 1
    )
    answers = await asyncio.gather(*(world.do(f"tags/{name}/follow", ada) for name in ("tea", "cake", "jam")))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422]


async def test_followed_hashtags_are_erased_with_the_account(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    for person in (ada, bob):
        await world.did("tags/tea/follow", person)
    await world.account(ada, version=2, deleted=True)
    assert await world.rows("SELECT account_id FROM followed_tags") == [(bob,)]


# At home


async def test_public_posts_with_a_followed_hashtag_come_home_once(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, bob)
    for name in ("tea", "cake"):
        await world.did(f"tags/{name}/follow", ada)
    posts = [
        await tagged(world, cleo, "tea"),
        await tagged(world, bob, "Tea"),
        await tagged(world, cleo, "tea", "cake"),
        await world.answer(cleo, await world.post(cleo), tags=labels("tea")),
    ]
    own = await tagged(world, ada, "tea")
    for visibility in ("unlisted", "private", "direct"):
        await tagged(world, cleo, "tea", visibility=visibility)
    await tagged(world, cleo, "coffee")
    assert await world.home(ada) == [own.post_id, *(post.post_id for post in reversed(posts))]


async def test_following_a_hashtag_brings_its_newest_posts_and_unfollowing_takes_them_away(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, bob)
    bobs = await tagged(world, bob, "tea")
    cleos = [(await tagged(world, cleo, "tea")).post_id for _ in range(42)]
    both = await tagged(world, cleo, "tea", "cake")
    boosted = await tagged(world, cleo, "tea")
    await world.did(f"statuses/{boosted.post_id}/reblog", bob)
    for name in ("tea", "cake"):
        await world.did(f"tags/{name}/follow", ada)
    assert set(await stored(world, ada)) == {bobs.post_id, *cleos[4:], both.post_id, boosted.post_id}
    await world.did("tags/tea/unfollow", ada)
    assert await world.home(ada) == [boosted.post_id, both.post_id, bobs.post_id]
    await world.did("tags/cake/unfollow", ada)
    assert await world.home(ada) == [boosted.post_id, bobs.post_id]


async def test_a_post_stays_at_home_for_its_hashtag_when_its_author_is_followed_no_more(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    await world.did("tags/tea/follow", ada)
    with_tag, without = await tagged(world, bob, "tea"), await world.post(bob)
    assert await world.home(ada) == [without.post_id, with_tag.post_id]
    await world.did(f"accounts/{bob}/unfollow", ada)
    assert await world.home(ada) == [with_tag.post_id]
    await world.did(f"accounts/{bob}/block", ada)
    assert await stored(world, ada) == []


@pytest.mark.parametrize("blocker", ["reader", "author"])
async def test_hashtags_bring_nothing_over_a_block_and_nothing_of_the_muted(world: "World", blocker: str) -> None:
    ada, bob, loud = await world.people("ada", "bob", "loud")
    await world.did("tags/tea/follow", ada)
    by, whom = (ada, bob) if blocker == "reader" else (bob, ada)
    await world.did(f"accounts/{whom}/block", by)
    await world.did(f"accounts/{loud}/mute", ada)
    await tagged(world, bob, "tea")
    louds = await tagged(world, loud, "tea")
    assert await stored(world, ada) == [louds.post_id]
    await went_away(world, ada)
    assert await world.home(ada) == []
    await world.did(f"accounts/{loud}/unmute", ada)
    assert await world.home(ada) == [louds.post_id]


async def test_an_edit_brings_a_post_home_with_its_new_hashtag_and_takes_it_away_with_the_old(world: "World") -> None:
    ada, bob, fan, booster = await world.people("ada", "bob", "fan", "booster")
    await world.follow(fan, bob)
    await world.follow(ada, booster)
    for person, name in ((ada, "tea"), (fan, "tea")):
        await world.did(f"tags/{name}/follow", person)
    post = await world.post(bob)
    assert await world.home(ada) == []
    post = await edited(world, post, "tea", "cake")
    assert await world.home(ada) == await world.home(fan) == [post.post_id]
    post = await edited(world, post, "tea")
    assert await world.home(ada) == [post.post_id]
    post = await edited(world, post, "cake")
    assert (await world.home(ada), await world.home(fan), await world.home(bob)) == ([], [post.post_id], [post.post_id])
    await world.did(f"statuses/{post.post_id}/reblog", booster)
    await edited(world, post, "tea")
    assert await world.home(ada) == [post.post_id]  # as the boost that it was already


async def test_a_deleted_post_leaves_those_who_follow_its_hashtag(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.did("tags/tea/follow", ada)
    post = await tagged(world, bob, "tea")
    await world.apply(world.gone(post))
    assert await world.home(ada) == []
    assert await world.rows("SELECT 1 FROM feed_entries") == []


async def test_hashtags_fill_the_feed_of_somebody_who_returns_and_what_a_rebuild_finds_missing(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(ada, bob)
    before = await tagged(world, cleo, "tea")
    await world.did("tags/tea/follow", ada)
    bobs = await tagged(world, bob, "tea")
    await went_away(world, ada)
    meanwhile = await tagged(world, cleo, "tea")
    await tagged(world, cleo, "tea", visibility="private")
    assert await stored(world, ada) == []
    whole = [meanwhile.post_id, bobs.post_id, before.post_id]
    assert await world.home(ada) == whole
    await world.run("DELETE FROM feed_entries WHERE owner_id = :ada AND post_id = :post", ada=ada, post=meanwhile.post_id)
    await world.run("DELETE FROM feed_entries WHERE owner_id = :ada AND post_id = :post", ada=ada, post=before.post_id)
    assert await _fill_feeds(world.database) == 1
    assert await world.home(ada) == [meanwhile.post_id, bobs.post_id]  # the oldest was said before she followed
    assert await _fill_feeds(world.database) == 0


async def test_a_post_of_an_author_of_many_comes_home_by_its_hashtag_and_once(world: "World") -> None:
    ada, fan, star = await world.people("ada", "fan", "star")
    await world.follow(fan, star)
    await pulled(world, star)
    for person in (ada, fan):
        await world.did("tags/tea/follow", person)
    post = await tagged(world, star, "tea")
    assert await world.home(ada) == await world.home(fan) == [post.post_id]


async def crowd(world: "World", name: str, count: int) -> None:
    """So many at once who read their feeds and follow a hashtag, with the ids from 1,001 on."""
    await world.run("INSERT INTO feeds (owner_id) SELECT n FROM generate_series(1001, 1000 + :count) n ON CONFLICT DO NOTHING", count=count)
    await world.run(
        "INSERT INTO followed_tags (name, account_id) SELECT :name, n FROM generate_series(1001, 1000 + :count) n", name=name, count=count
    )


async def owners(world: "World", post: PostState) -> list[int]:
    return [row[0] for row in await world.rows("SELECT owner_id FROM feed_entries WHERE entry_id = :post ORDER BY 1", post=post.post_id)]


async def test_many_who_follow_a_hashtag_are_reached_in_chunks_and_everybody_once(world: "World") -> None:
    (ada,) = await world.people("ada")
    await crowd(world, "tea", 2 * fanout.CHUNK + 50)
    await crowd(world, "cake", fanout.CHUNK + 20)
    post = await tagged(world, ada, "tea", "cake")
    assert len(await owners(world, post)) == 1 + fanout.CHUNK
    await asyncio.gather(*(fanout.one_chunk(world.database) for _ in range(3)))
    while await fanout.one_chunk(world.database):
        pass
    assert await owners(world, post) == [ada, *range(1001, 1001 + 2 * fanout.CHUNK + 50)]
    assert await world.rows("SELECT 1 FROM tag_fanouts") == []


async def test_an_edit_on_the_way_begins_anew_and_a_delete_ends_it(world: "World") -> None:
    (ada,) = await world.people("ada")
    await crowd(world, "tea", 2 * fanout.CHUNK)
    await world.run("INSERT INTO followed_tags (name, account_id) SELECT 'cake', n FROM generate_series(2, 100) n")
    await world.run("INSERT INTO feeds (owner_id) SELECT n FROM generate_series(2, 100) n")
    post = await tagged(world, ada, "tea")
    assert await fanout.one_chunk(world.database)
    post = await edited(world, post, "tea", "cake")
    while await fanout.one_chunk(world.database):
        pass
    assert await owners(world, post) == [ada, *range(2, 101), *range(1001, 1001 + 2 * fanout.CHUNK)]
    gone = await tagged(world, ada, "tea")
    await world.apply(world.gone(gone))
    assert await fanout.one_chunk(world.database) is False
    assert await owners(world, gone) == []


# Feeds of hashtags


@pytest.fixture
async def teas(world: "World") -> dict[str, int]:
    """Posts by which hashtags they have."""
    await world.people("ada", "bob")
    sets = ["tea", "cake", "tea cake", "tea jam", "cake jam", "tea cake jam", "coffee", "none"]
    made = {names: (await tagged(world, n % 2 + 1, *names.split())).post_id for n, names in enumerate(sets)}
    await tagged(world, 1, "tea", "cake", "jam", visibility="unlisted")
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "tea cake jam|tea jam|tea cake|tea"),
        ({"any[]": ["cake"]}, "tea cake jam|cake jam|tea jam|tea cake|cake|tea"),
        ({"any[]": ["coffee", "cake"], "none[]": "jam"}, "coffee|tea cake|cake|tea"),
        ({"all[]": ["cake"]}, "tea cake jam|tea cake"),
        ({"all[]": ["CAKE", "#jam"]}, "tea cake jam"),
        ({"all[]": ["jam"], "any[]": ["cake"]}, "tea cake jam|cake jam|tea jam"),
        ({"none[]": ["cake"]}, "tea jam|tea"),
        ({"none": "cake", "all": "jam"}, "tea jam"),
        ({"all[]": ["nothing"]}, ""),
        ({"any[]": ["a", "b", "c", "d", "coffee"]}, "tea cake jam|tea jam|tea cake|tea"),
        ({"local": "true"}, "tea cake jam|tea jam|tea cake|tea"),
        ({"remote": "true", "any[]": "cake"}, ""),
        ({"only_media": "true", "any[]": "cake"}, ""),
    ],
    ids=str,
)
async def test_a_feed_of_several_hashtags_has_what_is_asked_for(
    world: "World", teas: dict[str, int], query: dict[str, Any], found: str
) -> None:
    wanted = [teas[names] for names in found.split("|") if names]
    for viewer in (0, 1):
        assert world.ids(await world.show("/api/v1/timelines/tag/Tea", viewer, **query)) == wanted
    if wanted:
        assert world.ids(await world.show("/api/v1/timelines/tag/tea", max_id=wanted[0], limit=2, **query)) == wanted[1:3]
        assert world.ids(await world.show("/api/v1/timelines/tag/tea", min_id=wanted[-1], limit=1, **query)) == wanted[-2:-1]


async def test_a_feed_of_several_hashtags_hides_what_the_viewer_does_not_want_to_see(world: "World", teas: dict[str, int]) -> None:
    await world.did("accounts/2/block", 1)
    found = world.ids(await world.show("/api/v1/timelines/tag/tea", 1, **{"any[]": "cake"}))
    assert found == [teas[names] for names in ("cake jam", "tea cake", "tea")]


# Hashtags by their beginning


async def beginning(world: "World", query: str, viewer: int = 0, **more: Any) -> list[str]:
    answer = await world.client.get("/internal/find", params={"q": query, "type": "hashtags", **more}, headers=world.headers(viewer))
    return [tag["name"] for tag in answer.json()["hashtags"]]


async def test_hashtags_are_found_by_their_beginning_the_exact_one_first_then_what_is_used_these_days(world: "World") -> None:
    (ada,) = await world.people("ada")
    for name in ("tea", *["teapot"] * 6, *["teatime"] * 5, "teak", "teak", "toast"):
        await tagged(world, ada, name)
    assert await beginning(world, "tea") == ["tea", "teatime", "teapot", "teak"]
    assert await beginning(world, " #TEA", limit=2, offset=1) == ["teatime", "teapot"]
    assert await beginning(world, "te%") == await beginning(world, "te_") == await beginning(world, "#") == []
    for _ in range(5):
        await tagged(world, ada, "teapot")
    assert await beginning(world, "te") == ["teapot", "teatime", "teak", "tea"]


async def test_hashtags_that_only_messages_have_are_told_to_nobody(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    gone = await tagged(world, ada, "secretly")
    assert await beginning(world, "secret") == ["secretly"]
    await world.apply(world.gone(gone))
    for visibility in ("private", "direct"):
        await tagged(world, ada, "secret", "secretplan", visibility=visibility, mentions=[bob])
    assert await beginning(world, "secret", bob) == await beginning(world, "secretplan", bob) == []


async def test_of_a_beginning_that_many_share_what_the_latest_posts_have_is_found(world: "World") -> None:
    (ada,) = await world.people("ada")
    crowd = 5_000
    await world.run(
        "INSERT INTO hashtags (name, post_id, account_id) SELECT 'a' || to_char(n, 'FM00000'), n, 1 FROM generate_series(1, :n) n", n=crowd
    )
    await world.run("""
        INSERT INTO snapshots (post_id, version, previous_version, deleted, has_media, author_id, created_at, visibility, head, content)
        SELECT n, 1, 0, false, false, :ada, now(), 'public', '', '' FROM generate_series(1, :n) n
    """, ada=ada, n=crowd)  # fmt: skip
    for _ in range(2):
        await tagged(world, ada, "azure")
    found = await beginning(world, "a", limit=40)
    assert (found[0], len(found)) == ("azure", 40)
    assert await beginning(world, "a0499") == [f"a{n:05}" for n in range(4999, 4989, -1)]
    await world.run("ANALYZE")
    nodes = await plan(world, queries._BEGINNING, prefix="'a'", prefix_end="'b'", limit=20, offset=0)
    read = [node for node in nodes if "Relation Name" in node and node["Actual Loops"]]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}
    assert sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read) < 2_500
