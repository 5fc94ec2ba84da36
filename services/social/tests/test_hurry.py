"""Many people do many things at the same time: nobody is turned away by the database, and every count is that of the rows."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from social import rebuilding
from social.graph import granting
from sqlalchemy import text

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

SEEDS = range(4)
TRUTH = {
    "accounts": """
        SELECT p.account_id, coalesce(c.followers, 0), coalesce(c.following, 0), coalesce(c.statuses, 0),
            (SELECT count(*) FROM follows WHERE followed_id = p.account_id), (SELECT count(*) FROM follows WHERE follower_id = p.account_id),
            (SELECT count(*) FROM snapshots WHERE author_id = p.account_id AND NOT deleted)
                + (SELECT count(*) FROM boosts WHERE account_id = p.account_id)
        FROM profiles p LEFT JOIN profile_counts c USING (account_id) WHERE p.shown
    """,
    "posts": """
        SELECT s.post_id, coalesce(c.favourites, 0), coalesce(c.reblogs, 0), coalesce(c.replies, 0),
            (SELECT count(*) FROM favourites WHERE post_id = s.post_id), (SELECT count(*) FROM boosts WHERE post_id = s.post_id),
            (SELECT count(*) FROM snapshots WHERE reply_to_id = s.post_id AND NOT deleted)
        FROM snapshots s LEFT JOIN post_counts c USING (post_id) WHERE NOT s.deleted
    """,
}
NEVER = {
    "follows or requests between people who are blocked": """
        SELECT f.follower_id, f.followed_id FROM (SELECT follower_id, followed_id FROM follows UNION SELECT follower_id, followed_id FROM follow_requests) f
        JOIN blocks b ON (b.blocker_id, b.blocked_id) IN ((f.follower_id, f.followed_id), (f.followed_id, f.follower_id))
    """,
    "endorsements of people who aren't followed": """
        SELECT account_id, endorsed_id FROM endorsements e
        WHERE NOT EXISTS (SELECT FROM follows WHERE follower_id = e.account_id AND followed_id = e.endorsed_id)
    """,
    "requests of followers": "SELECT follower_id FROM follow_requests JOIN follows USING (follower_id, followed_id)",
    "requests to somebody who isn't locked": """
        SELECT r.follower_id FROM follow_requests r JOIN profiles p ON p.account_id = r.followed_id
        JOIN profiles q ON q.account_id = r.follower_id WHERE NOT p.locked AND q.shown
    """,
    "entries of people who aren't followed": """
        SELECT e.owner_id, e.entry_id FROM feed_entries e JOIN snapshots s USING (post_id)
        WHERE e.owner_id <> coalesce(e.booster_id, s.author_id)
          AND NOT EXISTS (SELECT FROM follows WHERE follower_id = e.owner_id AND followed_id = coalesce(e.booster_id, s.author_id))
    """,
    "anything done to posts that are gone": """
        SELECT post_id FROM (
            SELECT post_id FROM feed_entries UNION ALL SELECT post_id FROM boosts UNION ALL SELECT post_id FROM favourites
            UNION ALL SELECT post_id FROM bookmarks UNION ALL SELECT post_id FROM pins
        ) done JOIN snapshots s USING (post_id) WHERE s.deleted
    """,
}


DERIVED = {
    "post_counts": (
        rebuilding._POST_COUNTS,
        "post_id",
        ("replies", "reblogs", "favourites"),
        "SELECT post_id FROM snapshots WHERE NOT deleted",
    ),
    "profile_counts": (
        *(rebuilding._PROFILE_COUNTS, "account_id", ("statuses", "followers", "following")),
        "SELECT account_id FROM profiles WHERE shown",
    ),
}
"""What a rebuild derives, and of whom."""


async def is_what_a_rebuild_derives(world: "World", table: str) -> bool:
    statement, key, counts, shown = DERIVED[table]
    columns, none = ", ".join((key, *counts)), " + ".join(counts)
    kept = f"SELECT {columns} FROM public.{table} WHERE {none} > 0 AND {key} IN ({shown})"
    made = f"SELECT {columns} FROM pg_temp.{table} WHERE {none} > 0 AND {key} IN ({shown})"
    async with world.database.transaction() as session:
        await session.execute(text(f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS) ON COMMIT DROP"))
        await session.execute(text(statement))
        differing = await session.execute(text(f"({kept} EXCEPT {made}) UNION ALL ({made} EXCEPT {kept})"))
        return not differing.all()


async def all_is_true(world: "World") -> None:
    for table in DERIVED:
        assert await is_what_a_rebuild_derives(world, table), table
    for what, statement in TRUTH.items():
        rows = await world.rows(statement)
        assert [row[1:4] for row in rows] == [row[4:7] for row in rows], what
    for what, statement in NEVER.items():
        assert await world.rows(statement) == [], what


async def hurry(deeds: list[Callable[[], Awaitable[Any]]]) -> Counter[int]:
    """Do everything, twelve at a time; how often each status was answered."""
    turns, statuses = asyncio.Semaphore(12), Counter[int]()

    async def one(deed: Callable[[], Awaitable[Any]]) -> None:
        async with turns:
            answer = await deed()
            statuses[getattr(answer, "status_code", 200)] += 1

    await asyncio.gather(*map(one, deeds))
    return statuses


def relations(world: "World", people: list[int], choose: random.Random, many: int) -> list[Callable[[], Awaitable[Any]]]:
    """Relations between random pairs, requests and their answers, locking and unlocking."""
    verbs = ("follow", "follow", "follow", "unfollow", "block", "unblock", "unblock", "mute", "unmute", "remove_from_followers", "endorse")
    deeds: list[Callable[[], Awaitable[Any]]] = []
    for _ in range(many):
        caller, target = choose.sample(people, 2)
        kind = choose.random()
        if kind < 0.85:
            path = f"accounts/{target}/{choose.choice(verbs)}"
        elif kind < 0.95:
            path = f"follow_requests/{target}/{choose.choice(('authorize', 'reject'))}"
        else:
            change = {"locked": choose.random() < 0.5}
            deeds.append(
                lambda c=caller, b=change: world.client.patch(  # type: ignore[misc]
                    "/api/v1/accounts/update_credentials", json=b, headers=world.headers(c)
                )
            )
            continue
        deeds.append(lambda p=path, c=caller: world.do(p, c))  # type: ignore[misc]
    return deeds


@pytest.mark.parametrize("seed", SEEDS)
async def test_relations_of_the_same_few_people_are_true_after_any_hurry(world: "World", seed: int) -> None:
    choose = random.Random(seed)
    people = await world.people(*(f"person{n}" for n in range(5)))
    for author in people:
        await world.post(author)
    answered = await hurry(relations(world, people, choose, 300))
    assert set(answered) <= {200, 403, 404, 422}, answered
    await granting.grant_rest(world.database)
    await all_is_true(world)


@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_at_once_is_true_afterwards_also_when_somebody_is_erased(world: "World", seed: int) -> None:
    choose = random.Random(seed)
    people = await world.people(*(f"person{n}" for n in range(6)))
    posts = [await world.post(author) for author in people * 3]
    deeds = relations(world, people, choose, 150)
    for _ in range(250):
        caller, post = choose.choice(people), choose.choice(posts)
        verb = choose.choice(("favourite", "unfavourite", "reblog", "unreblog", "bookmark", "reblog", "favourite"))
        deeds.append(lambda p=post, c=caller, v=verb: world.do(f"statuses/{p.post_id}/{v}", c))  # type: ignore[misc]
    answers = []
    for _ in range(40):
        answer = await world.said(choose.choice(people), reply_to_id=(to := choose.choice(posts)).post_id, reply_to_account_id=to.author_id)
        answers.append(answer)
        deeds.append(lambda a=answer: world.apply(a))  # type: ignore[misc]
        if choose.random() < 0.4:
            deeds.append(lambda a=answer: world.apply(world.gone(a)))  # type: ignore[misc]
    for post in choose.sample(posts, 6):
        deeds.append(lambda p=post: world.apply(world.gone(p)))  # type: ignore[misc]
    deeds.append(lambda: world.account(people[0], version=2, deleted=True))
    choose.shuffle(deeds)
    answered = await hurry(deeds)
    assert set(answered) <= {200, 403, 404, 422}, answered
    for post in [*posts, *answers]:  # `posts` deletes what an erased account wrote
        if post.author_id == people[0]:
            await world.apply(world.gone(post, version=9))
    await granting.grant_rest(world.database)
    await all_is_true(world)
    for table, column in (
        ("follows", "follower_id"),
        ("blocks", "blocked_id"),
        ("favourites", "account_id"),
        ("endorsements", "endorsed_id"),
    ):
        assert await world.rows(f"SELECT 1 FROM {table} WHERE {column} = :gone", gone=people[0]) == []
