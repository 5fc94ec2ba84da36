"""What is kept of posts: whatever order, and however often, their states come."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from common.events import PostState, TagState

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio


async def test_a_post_is_applied_once_however_often_and_by_which_way_it_comes(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(bob, ada)
    parent = await world.post(bob)
    tags = [TagState(name="new", display="New")]
    answer = await world.said(ada, usernames=["bob", "cleo"], tags=tags, reply_to_id=parent.post_id, reply_to_account_id=bob)
    carried = await world.carry(answer)
    assert (carried.status_code, carried.json()["id"], carried.json()["account"]["statuses_count"]) == (200, str(answer.post_id), 1)
    before = await world.everything()
    await world.consume(answer, answer)
    assert (await world.carry(answer)).json() == carried.json()
    assert await world.apply(answer) == [False]
    assert await world.everything() == before
    assert (await world.status(parent))["replies_count"] == 1
    assert await world.notices(cleo) == [("mention", ada, False)]


async def test_a_post_that_comes_many_times_at_once_counts_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(bob, ada)
    parent = await world.post(bob)
    answer = await world.said(ada, reply_to_id=parent.post_id, reply_to_account_id=bob)
    applied = await asyncio.gather(*(world.apply(answer) for _ in range(6)), world.carry(answer), world.carry(answer))
    assert sum(one == [True] for one in applied) <= 1
    assert (await world.status(parent))["replies_count"] == 1
    assert (await world.counts(ada))[2] == 1
    assert await world.notices(bob) == [("mention", ada, False)]
    assert await world.home(bob) == [answer.post_id, parent.post_id]


async def test_the_newest_version_wins_whatever_comes_last(world: "World") -> None:
    (ada,) = await world.people("ada")
    first = await world.said(ada, html="<p>frist</p>", tags=[TagState(name="old", display="old")])
    edited = first.model_copy(update={"version": 2, "html": "<p>first</p>", "tags": [TagState(name="new", display="new")]})
    await world.consume(edited, first, edited)
    assert (await world.status(first))["content"] == "<p>first</p>"
    assert world.ids(await world.show("/api/v1/timelines/tag/new")) == [first.post_id]
    assert await world.show("/api/v1/timelines/tag/old") == []
    assert (await world.counts(ada))[2] == 1
    assert await world.home(ada) == [first.post_id]


async def test_an_edit_changes_what_is_said_and_not_what_is_counted(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(bob, ada)
    post = await world.post(ada, usernames=["bob"], tags=[TagState(name="old", display="old")])
    await world.did(f"statuses/{post.post_id}/reblog", cleo)
    edited = post.model_copy(update={"version": 2, "html": "<p>edited</p>", "usernames": ["cleo"], "tags": []})
    assert await world.apply(edited) == [True]
    status = await world.status(post)
    assert (status["content"], [m["acct"] for m in status["mentions"]], status["reblogs_count"]) == ("<p>edited</p>", ["cleo"], 1)
    assert await world.show("/api/v1/timelines/tag/old") == []
    assert (await world.counts(ada))[2] == 1
    assert await world.home(bob) == [post.post_id]
    assert await world.notices(cleo) == [("mention", ada, False), ("update", ada, False)]


async def test_an_answer_that_comes_before_its_parent_is_counted_and_found_when_that_comes(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    parent = await world.said(ada)
    answer = await world.answer(bob, parent)
    assert (await world.get(f"/api/v1/statuses/{parent.post_id}")).status_code == 404
    assert await world.show(f"/api/v1/statuses/{answer.post_id}/context") == {"ancestors": [], "descendants": []}
    await world.consume(parent)
    assert (await world.status(parent))["replies_count"] == 1
    assert world.ids((await world.show(f"/api/v1/statuses/{answer.post_id}/context"))["ancestors"]) == [parent.post_id]
    assert world.ids((await world.show(f"/api/v1/statuses/{parent.post_id}/context"))["descendants"]) == [answer.post_id]


async def test_a_post_that_comes_before_its_author_is_shown_when_they_come(world: "World") -> None:
    (ada,) = await world.people("ada")
    late = ada + 1
    world.names[late] = "late"
    post = await world.said(late)
    await world.consume(post)
    assert (await world.get(f"/api/v1/statuses/{post.post_id}")).status_code == 404
    await world.consume(world.account_state(late))
    assert (await world.status(post))["account"]["acct"] == "late"
    assert (await world.counts(late))[2] == 1


@pytest.mark.parametrize("late_version", [1, 2, 9])
async def test_what_was_deleted_stays_deleted(world: "World", late_version: int) -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(bob, ada)
    post = await world.post(ada, tags=[TagState(name="tag", display="tag")])
    gone = world.gone(post, version=3)
    assert (await world.carry(gone)).json() == {}
    before = await world.everything()
    await world.consume(gone, post.model_copy(update={"version": late_version}))
    assert await world.everything() == before
    assert (await world.get(f"/api/v1/statuses/{post.post_id}", ada)).status_code == 404
    assert await world.show("/api/v1/timelines/tag/tag") == []
    assert (await world.counts(ada))[2] == 0


async def test_a_delete_that_comes_first_keeps_the_post_away_for_ever(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(bob, ada)
    parent = await world.post(bob)
    answer = await world.said(ada, reply_to_id=parent.post_id, reply_to_account_id=bob)
    await world.consume(world.gone(answer), answer)
    assert (await world.get(f"/api/v1/statuses/{answer.post_id}", ada)).status_code == 404
    assert (await world.status(parent))["replies_count"] == 0
    assert (await world.counts(ada))[2] == 0
    assert await world.home(bob) == [parent.post_id]
    assert await world.notices(bob) == []


async def test_a_delete_takes_everything_along_that_hung_on_the_post(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await world.follow(cleo, bob)
    parent = await world.post(bob)
    post = await world.answer(ada, parent)
    for action in ("favourite", "bookmark", "reblog"):
        await world.did(f"statuses/{post.post_id}/{action}", bob)
    assert await world.home(cleo) == [post.post_id, parent.post_id]
    await world.apply(world.gone(post))
    assert ((await world.counts(ada))[2], (await world.counts(bob))[2]) == (0, 1)
    assert (await world.status(parent))["replies_count"] == 0
    assert await world.home(cleo) == [parent.post_id]
    for path in ("favourites", "bookmarks"):
        assert await world.show(f"/api/v1/{path}", bob) == []
    assert world.ids(await world.show(f"/api/v1/accounts/{bob}/statuses")) == [parent.post_id]
    assert "hello" not in str(await world.rows("SELECT content FROM snapshots WHERE post_id = :post", post=post.post_id))


async def test_a_thread_is_told_from_its_root_and_depth_first(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    root = await world.post(ada)
    one = await world.answer(bob, root)
    two = await world.answer(ada, root)
    one_one = await world.answer(ada, one)
    one_one_one = await world.answer(bob, one_one)
    context = await world.show(f"/api/v1/statuses/{one.post_id}/context")
    assert (world.ids(context["ancestors"]), world.ids(context["descendants"])) == ([root.post_id], [one_one.post_id, one_one_one.post_id])
    whole = await world.show(f"/api/v1/statuses/{root.post_id}/context", ada)
    assert world.ids(whole["descendants"]) == [post.post_id for post in (one, one_one, one_one_one, two)]
    deepest = await world.show(f"/api/v1/statuses/{one_one_one.post_id}/context")
    assert world.ids(deepest["ancestors"]) == [root.post_id, one.post_id, one_one.post_id]


async def test_a_hashtag_tells_how_often_and_by_how_many_it_was_used_today(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    tags = [TagState(name="tag", display="Tag")]
    for author, visibility in ((ada, "public"), (ada, "public"), (bob, "public"), (bob, "unlisted"), (bob, "private")):
        await world.post(author, tags=tags, visibility=visibility)
    tag = await world.show("/api/v1/tags/TAG")
    assert (tag["name"], tag["url"], len(tag["history"])) == ("tag", "https://microblog.example/tags/tag", 7)
    assert sum(int(day["uses"]) for day in tag["history"]) == 3
    assert sum(int(day["accounts"]) for day in tag["history"]) == 2


async def test_a_carried_post_is_answered_as_its_author_sees_it(world: "World") -> None:
    (ada,) = await world.people("ada")
    post: PostState = await world.said(
        ada, visibility="direct", spoiler="careful", sensitive=True, language="de", application_name="Client"
    )
    status = (await world.carry(post)).json()
    assert {
        name: status[name] for name in ("id", "visibility", "spoiler_text", "sensitive", "language", "favourited", "pinned", "reblog")
    } == {
        "id": str(post.post_id),
        "visibility": "direct",
        "spoiler_text": "careful",
        "sensitive": True,
        "language": "de",
        "favourited": False,
        "pinned": False,
        "reblog": None,
    }
    assert status["url"] == f"https://microblog.example/@ada/{post.post_id}"
    assert (status["application"]["name"], status["account"]["acct"]) == ("Client", "ada")
