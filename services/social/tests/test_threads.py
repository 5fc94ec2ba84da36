"""Muted threads: nothing is told of what happens in them, and every rendering says so."""

from typing import TYPE_CHECKING

import pytest
from social.conversations.threading import thread_some

if TYPE_CHECKING:
    from common.events import PostState

    from .conftest import World

pytestmark = pytest.mark.anyio


async def told(world: "World", somebody: int) -> list[str]:
    return [kind for kind, _, _ in await world.notices(somebody)]


async def test_nothing_is_told_of_a_thread_that_one_muted(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    root = await world.post(ada)
    answer = await world.answer(bob, root)
    before = await told(world, ada)
    assert (await world.did(f"statuses/{answer.post_id}/mute", ada))["muted"] is True
    await world.answer(bob, answer, usernames=["ada"])
    deeper = await world.answer(ada, answer)
    await world.answer(bob, deeper)
    for action in ("favourite", "reblog"):
        await world.did(f"statuses/{root.post_id}/{action}", bob)
    assert await told(world, ada) == before
    await world.answer(bob, await world.post(ada))
    assert await told(world, ada) == [*before, "mention"]
    assert (await world.did(f"statuses/{root.post_id}/unmute", ada))["muted"] is False
    await world.answer(bob, deeper)
    assert await told(world, ada) == [*before, "mention", "mention"]


async def test_every_post_of_the_thread_says_that_it_is_muted_to_who_muted_it(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    root = await world.post(bob)
    answer = await world.answer(bob, root)
    other = await world.post(bob)
    boost = (await world.did(f"statuses/{answer.post_id}/reblog", bob))["id"]
    for _ in range(2):
        await world.did(f"statuses/{boost}/mute", ada)

    def muted(statuses: "list[dict[str, bool]]") -> list[bool]:
        return [status["muted"] for status in statuses]

    assert [(await world.status(post, ada))["muted"] for post in (root, answer, other)] == [True, True, False]
    assert muted(await world.show("/api/v1/timelines/home", ada)) == [False, True, True]
    assert muted((await world.show(f"/api/v1/statuses/{root.post_id}/context", ada))["descendants"]) == [True]
    assert (await world.status(root, bob))["muted"] is False
    for _ in range(2):
        await world.did(f"statuses/{root.post_id}/unmute", ada)
    assert muted(await world.show("/api/v1/timelines/home", ada)) == [False] * 3
    assert await world.rows("SELECT 1 FROM viewers") == []


async def test_nobody_mutes_what_they_may_not_see_nor_without_the_scope(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    secret, open_to_all = await world.post(bob, visibility="private"), await world.post(bob)
    for verb in ("mute", "unmute"):
        assert (await world.do(f"statuses/{secret.post_id}/{verb}", ada)).status_code == 404
        scoped = world.headers(ada, scopes=frozenset({"write:favourites"}))
        assert (await world.client.post(f"/api/v1/statuses/{open_to_all.post_id}/{verb}", headers=scoped)).status_code == 403


async def test_a_thread_is_known_by_what_posts_tells_and_else_by_what_is_answered(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    root = await world.post(ada)
    told_so = await world.answer(bob, root)
    silent = await world.answer(ada, told_so, conversation_id=None)  # a state from before threads were told

    async def thread(post: "PostState") -> int | None:
        statement = "SELECT conversation_id FROM snapshots WHERE post_id = :post AND threaded"
        found: int | None = await world.run(statement, post=post.post_id)
        return found

    assert (await thread(root), await thread(told_so)) == (None, root.post_id)
    assert await thread(silent) is None
    assert await thread_some(world.database) == 1
    assert await thread(silent) == root.post_id
    missing = await world.said(ada)
    orphan = await world.answer(bob, missing, conversation_id=None)
    deeper = await world.answer(ada, orphan, conversation_id=None)
    assert await thread_some(world.database) == 0
    await world.apply(missing)
    assert await thread_some(world.database) == 2
    assert (await thread(orphan), await thread(deeper)) == (missing.post_id, missing.post_id)
    assert await thread_some(world.database) == 0
