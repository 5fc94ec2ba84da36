"""Which thread a post is in: told with every post, and found for those that were written before it was kept."""

from typing import Any

import httpx
import psycopg
import pytest
from common.migrations import migrate, migrations_of

pytestmark = pytest.mark.anyio


async def publish(client: httpx.AsyncClient, parent: dict[str, Any] | None = None) -> dict[str, Any]:
    """The event of a new post."""
    told = {"in_reply_to_id": str(parent["post_id"])} if parent else {}
    answer = await client.post("/api/v1/statuses", json={"status": "hello", **told}, headers={"x-microblog-reply-author": "1"})
    event: dict[str, Any] = answer.json()["event"]
    return event


async def test_a_post_begins_a_thread_and_answers_stay_in_it_however_deep(client: httpx.AsyncClient) -> None:
    root = await publish(client)
    answer = await publish(client, root)
    deeper = await publish(client, answer)
    other = await publish(client)
    assert [event["conversation_id"] for event in (root, answer, deeper)] == [root["post_id"]] * 3
    assert other["conversation_id"] == other["post_id"]
    edited = (await client.put(f"/api/v1/statuses/{deeper['post_id']}", json={"status": "changed"})).json()["event"]
    gone = (await client.delete(f"/api/v1/statuses/{answer['post_id']}")).json()["event"]
    assert (edited["conversation_id"], gone["conversation_id"]) == (root["post_id"], root["post_id"])
    assert (await publish(client, answer))["conversation_id"] == root["post_id"]


async def test_an_answer_below_one_that_the_version_before_wrote_is_in_the_same_thread(
    client: httpx.AsyncClient, database_url: str
) -> None:
    root = await publish(client)
    answer = await publish(client, root)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE posts SET conversation_id = NULL WHERE id = %s", (answer["post_id"],))
    assert (await publish(client, answer))["conversation_id"] == root["post_id"]


def test_the_threads_of_earlier_answers_are_found(empty_database_url: str) -> None:
    scripts = migrations_of("posts")
    migrate(empty_database_url, scripts, "0003")
    answers = {2: 1, 3: 2, 4: 3, 6: 5, 8: 99}
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for post_id in range(1, 9):
            connection.execute(
                """INSERT INTO posts (id, author_id, author_username, version, visibility, source, markdown, html, plain, spoiler, sensitive,
                                      reply_to_id, usernames, tags)
                   VALUES (%s, 1, 'ada', 1, 'public', '', true, '', '', '', false, %s, '[]', '[]')""",
                (post_id, answers.get(post_id)),
            )
        migrate(empty_database_url, scripts)
        found = dict(connection.execute("SELECT id, conversation_id FROM posts ORDER BY id").fetchall())
    assert found == {1: None, 2: 1, 3: 1, 4: 1, 5: None, 6: 5, 7: None, 8: None}
