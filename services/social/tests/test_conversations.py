"""Conversations: direct posts, as each of those who take part has them."""

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from common.migrations import migrate, migrations_of

if TYPE_CHECKING:
    from common.events import PostState

    from .conftest import World

pytestmark = pytest.mark.anyio

PATH = "/api/v1/conversations"


async def direct(world: "World", author: int, *to: int, answering: "PostState | None" = None, **more: Any) -> "PostState":
    """Somebody writes to some people, all of whom are named."""
    words = {"visibility": "direct", "usernames": [world.names[person] for person in to], **more}
    return await (world.post(author, **words) if answering is None else world.answer(author, answering, **words))


async def listed(world: "World", viewer: int, **query: Any) -> list[tuple[int, set[int], bool]]:
    """Last post, who takes part and whether it is unread, of each conversation."""
    return [
        (int(talk["last_status"]["id"]), set(world.ids(talk["accounts"])), talk["unread"])
        for talk in await world.show(PATH, viewer, **query)
    ]


async def only(world: "World", viewer: int) -> str:
    """The id of somebody's only conversation."""
    (talk,) = await world.show(PATH, viewer)
    return str(talk["id"])


async def unread(world: "World", viewer: int) -> int:
    counted = await world.show("/internal/unread_conversations", viewer)
    return int(counted["count"])


async def test_everybody_who_takes_part_has_the_conversation_once(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    first = await direct(world, ada, bob)
    assert await listed(world, ada) == [(first.post_id, {bob}, False)]
    assert await listed(world, bob) == [(first.post_id, {ada}, True)]
    assert await listed(world, cleo) == []
    second = await direct(world, bob, ada, cleo, answering=first)
    assert await listed(world, ada) == [(second.post_id, {bob, cleo}, True)]
    assert await listed(world, bob) == [(second.post_id, {ada, cleo}, False)]
    assert await listed(world, cleo) == [(second.post_id, {ada, bob}, True)]
    (talk,) = await world.show(PATH, cleo)
    assert talk["last_status"]["visibility"] == "direct"
    assert talk["last_status"]["account"]["id"] == str(bob)
    assert (await world.client.get(PATH)).status_code == 401


async def test_who_writes_to_nobody_has_a_conversation_with_themselves(world: "World") -> None:
    (ada,) = await world.people("ada")
    post = await direct(world, ada)
    assert await listed(world, ada) == [(post.post_id, {ada}, False)]


async def test_public_posts_are_no_conversation_and_direct_ones_below_them_are(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    root = await world.post(ada, usernames=["bob"])
    assert await listed(world, bob) == []
    aside = await direct(world, ada, bob, answering=root)
    assert await listed(world, bob) == [(aside.post_id, {ada}, True)]


async def test_reading_and_answering_make_it_read_and_something_new_unread_again(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first = await direct(world, ada, bob)
    assert (await unread(world, ada), await unread(world, bob)) == (0, 1)
    talk = await world.did(f"conversations/{await only(world, bob)}/read", bob)
    assert (talk["unread"], talk["last_status"]["id"]) == (False, str(first.post_id))
    assert await unread(world, bob) == 0
    second = await direct(world, ada, bob, answering=first)
    assert await unread(world, bob) == 1
    answer = await direct(world, bob, ada, answering=second)
    assert (await unread(world, bob), await unread(world, ada)) == (0, 1)
    assert (await world.did(f"conversations/{await only(world, bob)}/unread", bob))["unread"] is True
    assert await unread(world, bob) == 1
    assert (await world.did(f"conversations/{await only(world, bob)}/read", bob))["unread"] is False
    await world.did(f"conversations/{await only(world, bob)}/unread", bob)
    own = await direct(world, bob, ada, answering=answer)
    assert await listed(world, bob) == [(own.post_id, {ada}, False)]


async def test_a_deleted_post_leaves_the_one_before_it_and_the_last_takes_the_conversation_along(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first = await direct(world, ada, bob)
    await world.did(f"conversations/{await only(world, bob)}/read", bob)
    second = await direct(world, ada, bob, answering=first)
    assert await listed(world, bob) == [(second.post_id, {ada}, True)]
    await world.apply(world.gone(second))
    assert await listed(world, bob) == [(first.post_id, {ada}, False)]
    await world.apply(world.gone(first))
    assert (await listed(world, ada), await listed(world, bob)) == ([], [])
    assert await world.rows("SELECT 1 FROM conversations") == []


async def test_who_is_named_no_longer_has_it_no_longer(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    post = await direct(world, ada, bob)
    await world.apply(post.model_copy(update={"version": 2, "usernames": ["cleo"]}))
    assert await listed(world, bob) == []
    assert await listed(world, cleo) == [(post.post_id, {ada}, True)]


async def test_a_removed_conversation_comes_back_with_something_new_only(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first = await direct(world, ada, bob)
    path = f"{PATH}/{await only(world, bob)}"
    removed = await world.client.delete(path, headers=world.headers(bob))
    assert (removed.status_code, removed.json()) == (200, {})
    assert (await listed(world, bob), await unread(world, bob)) == ([], 0)
    assert (await world.client.delete(path, headers=world.headers(bob))).status_code == 404
    await world.apply(first.model_copy(update={"version": 2}))
    assert await listed(world, bob) == []
    assert await listed(world, ada) == [(first.post_id, {bob}, False)]
    second = await direct(world, ada, bob, answering=first)
    assert await listed(world, bob) == [(second.post_id, {ada}, True)]
    await world.apply(world.gone(second))
    assert await listed(world, bob) == []


async def test_nobody_changes_the_conversations_of_others(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await direct(world, ada, bob)
    talk = await only(world, bob)
    for caller in (ada, cleo):
        for verb in ("read", "unread"):
            assert (await world.do(f"conversations/{talk}/{verb}", caller)).status_code == 404
        assert (await world.client.delete(f"{PATH}/{talk}", headers=world.headers(caller))).status_code == 404
        assert (await world.get(f"/internal/conversations/{talk}", caller)).status_code == 404
    scoped = world.headers(bob, scopes=frozenset({"read"}))
    assert (await world.client.post(f"{PATH}/{talk}/read", headers=scoped)).status_code == 403
    assert await unread(world, bob) == 1


async def test_blocks_hide_what_the_other_said_and_mutes_hide_it_while_they_last(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    first = await direct(world, ada, bob, cleo)
    second = await direct(world, cleo, ada, bob, answering=first)
    alone = await direct(world, cleo, bob)
    assert await listed(world, bob) == [(alone.post_id, {cleo}, True), (second.post_id, {ada, cleo}, True)]
    await world.did(f"accounts/{cleo}/mute", bob)
    assert await listed(world, bob) == [(first.post_id, {ada, cleo}, True)]
    await world.did(f"accounts/{cleo}/unmute", bob)
    await world.did(f"accounts/{cleo}/block", bob)
    assert await listed(world, bob) == [(first.post_id, {ada}, True)]
    assert await listed(world, cleo) == [(alone.post_id, {cleo}, False), (second.post_id, {ada}, False)]
    assert await unread(world, bob) == 1


async def test_a_muted_thread_stays_listed_and_is_never_unread(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first = await direct(world, ada, bob)
    await world.did(f"statuses/{first.post_id}/mute", bob)
    second = await direct(world, ada, bob, answering=first)
    assert (await listed(world, bob), await unread(world, bob)) == ([(second.post_id, {ada}, False)], 0)


async def test_pages_lead_through_all_conversations_once(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    posts = [(await direct(world, bob, ada)).post_id for _ in range(5)]
    found: list[int] = []
    answer = await world.get(PATH, ada, limit=2)
    while answer.json():
        found += [int(talk["last_status"]["id"]) for talk in answer.json()]
        following = answer.links.get("next")
        if following is None:
            break
        answer = await world.client.get(following["url"], headers=world.headers(ada))
    assert found == posts[::-1]
    newest = await world.get(PATH, ada, limit=2, max_id=posts[3])
    back = await world.client.get(newest.links["prev"]["url"], headers=world.headers(ada))
    assert [int(talk["last_status"]["id"]) for talk in back.json()] == [posts[4], posts[3]]


async def test_many_who_write_at_the_same_time_leave_the_last_post(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    root = await direct(world, ada, bob)
    thread = {"visibility": "direct", "reply_to_id": root.post_id, "reply_to_account_id": ada, "conversation_id": root.post_id}
    posts = [await world.said(author, usernames=[name], **thread) for author, name in ((ada, "bob"), (bob, "ada")) * 8]
    await asyncio.gather(*(world.apply(post) for post in posts))
    assert await listed(world, ada) == [(posts[-1].post_id, {bob}, True)]
    await asyncio.gather(*(world.apply(world.gone(post)) for post in posts))
    assert await listed(world, bob) == [(root.post_id, {ada}, True)]


async def test_filters_mark_the_last_post_too(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.client.post(
        "/api/v2/filters",
        headers=world.headers(bob),
        json={"title": "t", "context": ["thread"], "keywords_attributes": [{"keyword": "hello"}]},
    )
    await direct(world, ada, bob)
    (talk,) = await world.show(PATH, bob)
    assert talk["last_status"]["filtered"][0]["keyword_matches"] == ["hello"]


async def test_who_is_deleted_has_none_and_others_have_none_with_them(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    first = await direct(world, ada, bob)
    own = await direct(world, bob, ada)
    await world.account(ada, 2, deleted=True)
    assert await listed(world, bob) == [(own.post_id, {bob}, False)]
    assert sorted(await world.rows("SELECT account_id, last_post_id FROM conversations")) == [(bob, first.post_id), (bob, own.post_id)]


def test_the_conversations_of_what_was_said_before_are_there_and_count_as_read(empty_database_url: str) -> None:
    scripts = migrations_of("social")
    migrate(empty_database_url, scripts, "0009")
    insert = """
        INSERT INTO snapshots (post_id, version, previous_version, deleted, author_id, created_at, visibility, reply_to_id, has_media, head, content)
        VALUES (%s, 1, 0, %s, %s, now(), %s, %s, false, '', '')
    """
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for row in (
            (1, False, 10, "public", None),
            (2, False, 11, "direct", 1),
            (3, False, 10, "direct", 2),
            (4, True, 11, "direct", 3),
            (5, False, 10, "direct", None),
            (6, False, 10, "public", 99),
        ):
            connection.execute(insert, row)
        connection.execute("INSERT INTO mentions (post_id, account_id) VALUES (2, 10), (3, 11), (3, 12), (4, 13)")
        migrate(empty_database_url, scripts, "0010")
        connection.execute(insert, (7, False, 12, "direct", 3))  # by the version before, which still runs
        migrate(empty_database_url, scripts)
        threads = connection.execute("SELECT post_id, conversation_id, threaded FROM snapshots ORDER BY 1").fetchall()
        talks = connection.execute(
            "SELECT account_id, conversation_id, last_post_id FROM conversations WHERE read_id = last_post_id ORDER BY 1, 2"
        ).fetchall()
    assert threads == [(1, None, True), (2, 1, True), (3, 1, True), (4, 1, True), (5, None, True), (6, None, False), (7, 1, False)]
    assert talks == [(10, 1, 3), (10, 5, 5), (11, 1, 3), (12, 1, 7)]
