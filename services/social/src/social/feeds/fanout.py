"""Putting entries into feeds: a first chunk with the write itself, the rest of a large audience in the worker."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from common.db import Database
from common.telemetry import current_traceparent, span
from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.feeds.pulling import PULLED
from social.feeds.rules import BY_FOLLOW, FOR_TAG

CHUNK: Final = 200
_CHANNEL: Final = "fanouts"
_PATIENCE: Final = 30.0

_OWN = text("""
    INSERT INTO feed_entries (owner_id, entry_id, post_id, booster_id) VALUES (:author, :entry, :post, CAST(:booster AS bigint))
    ON CONFLICT DO NOTHING
""")

_LANGUAGE: Final = "(SELECT language FROM snapshots WHERE post_id = :post)"
"""Looked up when the first follower is met who wants only some languages."""

# A reply is in a follower's feed only if they follow both who writes and who is answered. Feeds that nobody reads aren't written to, and
# nothing is written for authors of whom `feeds.queries` merges the posts in when a feed is read.
_FOLLOWERS = text(f"""
    WITH audience AS (
        SELECT f.follower_id, {BY_FOLLOW.format(language=_LANGUAGE)} AS wanted FROM follows f
        WHERE f.followed_id = :source AND f.follower_id > :after AND (CAST(:booster AS bigint) IS NULL OR f.reblogs)
          AND NOT {PULLED.format(author=":source")}
        ORDER BY f.follower_id LIMIT :chunk
    ), added AS (
        INSERT INTO feed_entries (owner_id, entry_id, post_id, booster_id)
        SELECT a.follower_id, :entry, :post, CAST(:booster AS bigint)
        FROM audience a JOIN feeds d ON d.owner_id = a.follower_id AND d.active
        WHERE a.wanted
          AND (CAST(:answered AS bigint) IS NULL OR a.follower_id = :answered
               OR EXISTS (SELECT FROM follows g WHERE g.follower_id = a.follower_id AND g.followed_id = :answered))
          AND (CAST(:booster AS bigint) IS NULL
               OR NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = a.follower_id AND e.post_id = :post))
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), max(follower_id) FROM audience
""")

_MENTIONED = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT m.account_id, :post, :post FROM mentions m JOIN follows f ON f.follower_id = m.account_id AND f.followed_id = :author
    WHERE m.post_id = :post AND {BY_FOLLOW.format(language=_LANGUAGE)}
    ON CONFLICT DO NOTHING
""")

_UNMENTIONED = text("DELETE FROM feed_entries WHERE post_id = :post AND owner_id = ANY(:before) AND owner_id <> :author")


# Whoever follows several of a post's hashtags is one of the audience once. The hashtags are those that it has now: an edit begins anew.
_TAG_FOLLOWERS = text(f"""
    WITH audience AS (
        SELECT DISTINCT x.account_id FROM hashtags h CROSS JOIN LATERAL (
            SELECT t.account_id FROM followed_tags t WHERE t.name = h.name AND t.account_id > :after ORDER BY t.account_id LIMIT :chunk
        ) x WHERE h.post_id = :post ORDER BY x.account_id LIMIT :chunk
    ), added AS (
        INSERT INTO feed_entries (owner_id, entry_id, post_id)
        SELECT a.account_id, :post, :post
        FROM audience a JOIN feeds d ON d.owner_id = a.account_id AND d.active JOIN snapshots s ON s.post_id = :post
        WHERE {FOR_TAG.format(owner="a.account_id")}
          AND NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = a.account_id AND e.post_id = :post)
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), max(account_id) FROM audience
""")

_REMEMBER = text("""
    INSERT INTO fanouts (entry_id, post_id, author_id, booster_id, after_id, traceparent)
    VALUES (:entry, :post, :author, CAST(:booster AS bigint), :after, :traceparent)
    ON CONFLICT (entry_id) DO UPDATE SET after_id = EXCLUDED.after_id
""")

_REMEMBER_TAGGED = text("""
    INSERT INTO tag_fanouts (post_id, after_id, traceparent) VALUES (:post, :after, :traceparent)
    ON CONFLICT (post_id) DO UPDATE SET after_id = EXCLUDED.after_id
""")

_WAKE = text(f"NOTIFY {_CHANNEL}")

_CLAIM = text("""
    SELECT t.entry_id, t.post_id, t.author_id, t.booster_id, t.after_id, t.traceparent, s.reply_to_account_id, s.deleted
    FROM fanouts t JOIN snapshots s ON s.post_id = t.post_id
    ORDER BY t.entry_id FOR UPDATE OF t SKIP LOCKED LIMIT 1
""")
_CLAIM_TAGGED = text("SELECT post_id, after_id, traceparent FROM tag_fanouts ORDER BY post_id FOR UPDATE SKIP LOCKED LIMIT 1")


async def spread(
    session: AsyncSession, *, entry: int, post: int, author: int, booster: int | None, visibility: str, answered: int | None
) -> None:
    """Put a new post or boost into the feeds of its audience: all of a small one now, the first 200 of a large one."""
    await session.execute(_OWN, {"author": booster or author, "entry": entry, "post": post, "booster": booster})
    if visibility == "direct":
        await session.execute(_MENTIONED, {"post": post, "author": author})
        return
    after = await _chunk(session, entry, post, author, booster, 0, answered)
    if after is not None:
        task = {"entry": entry, "post": post, "author": author, "booster": booster, "after": after}
        await session.execute(_REMEMBER, {**task, "traceparent": current_traceparent()})
        await session.execute(_WAKE)  # within the transaction: audiences this large are rare enough for the lock it takes


async def readdress(session: AsyncSession, post: int, author: int, before: list[int]) -> None:
    """Have a direct post that was changed in the feeds of those whom it mentions now, and of nobody whom it mentioned before."""
    await session.execute(_UNMENTIONED, {"post": post, "author": author, "before": before})
    await session.execute(_MENTIONED, {"post": post, "author": author})


async def spread_tagged(session: AsyncSession, post: int) -> None:
    """Put a post into the feeds of those who follow a hashtag of it: all of a few now, the first 200 of many."""
    after = await _tagged_chunk(session, post, 0)
    if after is not None:
        await session.execute(_REMEMBER_TAGGED, {"post": post, "after": after, "traceparent": current_traceparent()})
        await session.execute(_WAKE)


async def _chunk(
    session: AsyncSession, entry: int, post: int, author: int, booster: int | None, after: int, answered: int | None
) -> int | None:
    """Do one chunk behind `after`; return where to go on, None when it was the last."""
    parameters = {
        "entry": entry,
        "post": post,
        "source": booster or author,
        "booster": booster,
        "after": after,
        "answered": None if answered == author or booster else answered,
        "chunk": CHUNK,
    }
    count, last = (await session.execute(_FOLLOWERS, parameters)).one()
    return int(last) if count == CHUNK else None


async def _tagged_chunk(session: AsyncSession, post: int, after: int) -> int | None:
    count, last = (await session.execute(_TAG_FOLLOWERS, {"post": post, "after": after, "chunk": CHUNK})).one()
    return int(last) if count == CHUNK else None


def worker(database: Database) -> Callable[[], Awaitable[None]]:
    """A loop that finishes large fan-outs, oldest first, a chunk a transaction; several at once share the work."""

    async def fan_out_for_ever() -> None:
        async with await AsyncConnection.connect(database.url, autocommit=True, connect_timeout=3) as connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            while True:
                while await one_chunk(database):
                    pass
                await _woken(connection)

    return fan_out_for_ever


async def _woken(connection: AsyncConnection[Any]) -> None:
    async for _ in connection.notifies(timeout=_PATIENCE, stop_after=1):
        pass


async def one_chunk(database: Database) -> bool:
    """Do a chunk of the oldest task of each kind; False when there is none."""
    to_followers = await _one_to_followers(database)
    return await _one_to_tag_followers(database) or to_followers


async def _one_to_followers(database: Database) -> bool:
    async with database.transaction() as session:
        task = (await session.execute(_CLAIM)).first()
        if task is None:
            return False
        after = None
        if not task.deleted:
            with span("fan out", parent=task.traceparent):
                after = await _chunk(
                    session, task.entry_id, task.post_id, task.author_id, task.booster_id, task.after_id, task.reply_to_account_id
                )
        if after is None:
            await session.execute(text("DELETE FROM fanouts WHERE entry_id = :entry"), {"entry": task.entry_id})
        else:
            await session.execute(
                text("UPDATE fanouts SET after_id = :after WHERE entry_id = :entry"), {"after": after, "entry": task.entry_id}
            )
    return True


async def _one_to_tag_followers(database: Database) -> bool:
    async with database.transaction() as session:
        task = (await session.execute(_CLAIM_TAGGED)).first()
        if task is None:
            return False
        with span("fan out", parent=task.traceparent):
            after = await _tagged_chunk(session, task.post_id, task.after_id)
        if after is None:
            await session.execute(text("DELETE FROM tag_fanouts WHERE post_id = :post"), {"post": task.post_id})
        else:
            await session.execute(_REMEMBER_TAGGED, {"post": task.post_id, "after": after, "traceparent": task.traceparent})
    return True
