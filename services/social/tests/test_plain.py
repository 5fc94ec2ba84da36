"""The short way of a new post leaves what the long way leaves, and hands over whatever is more than plain."""

from typing import TYPE_CHECKING, Any

import pytest
from common.events import PostState, TagState
from social.posts import plain
from social.rendering import stored

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

TAGS = [TagState(name="garden", display="Garden"), TagState(name="books", display="books")]


async def rows(world: "World", post: PostState) -> dict[str, Any]:
    """What is kept of a post, but for its id and what holds it."""
    only = {"post": post.post_id}
    return {
        "snapshot": await world.rows(
            """SELECT version, previous_version, deleted, author_id, visibility, language, reply_to_id, reply_to_account_id, conversation_id,
                      threaded, has_media, has_poll, content FROM snapshots WHERE post_id = :post""",
            **only,
        ),
        "feeds": await world.rows(
            "SELECT owner_id, entry_id = post_id, booster_id FROM feed_entries WHERE post_id = :post ORDER BY 1", **only
        ),
        "tags": await world.rows("SELECT name, account_id FROM hashtags WHERE post_id = :post ORDER BY 1", **only),
        "fanouts": await world.rows("SELECT after_id FROM fanouts WHERE post_id = :post", **only),
    }


@pytest.fixture
def short_ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What came of each attempt to go the short way."""
    went: list[bool] = []

    async def apply_plain_post(*arguments: Any) -> bytes | None:
        status = await plain.apply_plain_post(*arguments)
        went.append(status is not None)
        return status

    monkeypatch.setattr("social.internal.apply_plain_post", apply_plain_post)
    return went


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private"])
async def test_both_ways_leave_the_same(world: "World", short_ways: list[bool], visibility: str) -> None:
    author, near, away, picky = await world.people("author", "near", "away", "picky")
    await world.follow(near, author)
    await world.follow(away, author)
    await world.did(f"accounts/{author}/follow", picky, languages=["de"])
    await world.run("UPDATE feeds SET active = false WHERE owner_id = :away", away=away)
    said = {
        "visibility": visibility,
        "language": "en",
        "tags": TAGS,
        "html": "<p>a <em>word</em></p>",
        "spoiler": "careful",
        "sensitive": True,
    }
    long = await world.post(author, **said)
    counted = await world.counts(author)
    short = await world.said(author, **said)
    answer = await world.carry(short)
    assert answer.status_code == 200, answer.text
    assert short_ways == [True]
    assert await rows(world, short) == await rows(world, long)
    assert await world.counts(author) == (*counted[:2], counted[2] + 1)
    assert answer.json() == await world.status(short, author)
    before = await world.everything()
    assert (await world.carry(short)).status_code == 200
    await world.consume(short)
    assert await world.everything() == before


async def test_what_was_just_written_is_not_read_again(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    author = await world.person("author")
    await world.carry(await world.said(author))  # the author's own bytes are known then
    asked = list[Any]()

    async def looked_up(connection: Any, statement: str, kept: Any, most: int, wanted: Any) -> dict[int, Any]:
        asked.extend(row_version for row_version in wanted if row_version not in kept)
        return await look_up(connection, statement, kept, most, wanted)

    look_up = stored._look_up
    monkeypatch.setattr(stored, "_look_up", looked_up)
    post = await world.said(author)
    assert (await world.carry(post)).json()["id"] == str(post.post_id)
    assert asked == []


async def test_more_than_plain_goes_the_long_way(world: "World", short_ways: list[bool]) -> None:
    author, watcher, gardener = await world.people("author", "watcher", "gardener")
    await world.follow(gardener, author)
    await world.did(f"accounts/{author}/follow", watcher, notify=True)
    watched = await world.said(author)
    assert (await world.carry(watched)).status_code == 200
    assert await world.notices(watcher) == [("status", author, False)]
    await world.did(f"accounts/{author}/follow", watcher, notify=False)
    await world.did("tags/garden/follow", gardener)
    await world.did(f"accounts/{author}/unfollow", gardener)
    tagged = await world.said(author, tags=TAGS)
    assert (await world.carry(tagged)).status_code == 200
    assert tagged.post_id in await world.home(gardener)
    assert short_ways == [False, False]
    assert await world.counts(author) == (1, 0, 2)


async def test_a_post_that_was_deleted_before_it_came_stays_away(world: "World", short_ways: list[bool]) -> None:
    author = await world.person("author")
    post = await world.said(author)
    await world.apply(world.gone(post))
    assert (await world.carry(post)).json() == {}
    assert short_ways == [False]
    assert await world.home(author) == []


@pytest.mark.parametrize(
    "more",
    [
        {"version": 2},
        {"visibility": "direct"},
        {"usernames": ["somebody"]},
        {"reply_to_id": 1, "reply_to_account_id": 1},
    ],
)
async def test_some_posts_do_not_try(world: "World", more: dict[str, Any]) -> None:
    assert not plain.is_plain(await world.said(1, **more))
    assert plain.is_plain(await world.said(1))
