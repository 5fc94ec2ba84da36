"""Favourites, bookmarks, pins, boosts and muted threads: each counted once, however often it is asked for.

Rows are locked in one order everywhere in this service, so that no two changes wait for each other: profiles of who acts, by id, the post,
what somebody did, counts of accounts by id, counts of posts, entries of feeds.
"""

from typing import Final

from common.errors import DomainError, NotFound
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social import notices, viewers
from social.feeds import fanout
from social.rendering.visibility import MAY_SEE
from social.streaming import moments

# Whoever acts is kept from being erased meanwhile, and what they act on from being deleted: whoever takes it all away finds it whole.
_SEEN = text(
    "SELECT s.post_id, s.author_id, s.visibility FROM snapshots s JOIN profiles p ON p.account_id = s.author_id "
    "JOIN profiles me ON me.account_id = :viewer AND me.shown "
    "WHERE s.post_id = coalesce((SELECT post_id FROM boosts WHERE id = :an_id), :an_id) AND "
    + MAY_SEE.replace("%(viewer)s", ":viewer")
    + " FOR KEY SHARE OF me FOR SHARE OF s"
)
_COUNT: Final = """
    INSERT INTO post_counts AS c (post_id, {column}) VALUES (:post, greatest(:change, 0))
    ON CONFLICT (post_id) DO UPDATE SET {column} = greatest(c.{column} + :change, 0)
"""
_COUNT_FAVOURITE = text(_COUNT.format(column="favourites"))
_COUNT_BOOST = text(_COUNT.format(column="reblogs"))
_COUNT_STATUS = text("""
    INSERT INTO profile_counts AS c (account_id, statuses) VALUES (:account, greatest(:change, 0))
    ON CONFLICT (account_id) DO UPDATE SET statuses = greatest(c.statuses + :change, 0)
""")


MOST_PINS: Final = 5
_PIN_LOCK: Final = 0x70696E
_MUTE_THREAD = text("""
    INSERT INTO muted_threads (account_id, conversation_id)
    SELECT :account, coalesce(conversation_id, post_id) FROM snapshots WHERE post_id = :post
    ON CONFLICT DO NOTHING
""")
_UNMUTE_THREAD = text("""
    DELETE FROM muted_threads m USING snapshots s
    WHERE m.account_id = :account AND s.post_id = :post AND m.conversation_id = coalesce(s.conversation_id, s.post_id)
""")


class CannotPin(DomainError):
    """Validation failed: Someone else's post cannot be pinned"""

    code = "cannot_pin"


class CannotBoost(DomainError):
    """Validation failed: This post can't be boosted by you"""

    code = "cannot_boost"


async def favourite(session: AsyncSession, caller: int, an_id: int) -> int:
    """Like a post; return its id. Raises `NotFound` when the caller may not see it."""
    post_id, author_id, _ = await seen(session, caller, an_id)
    added = text("INSERT INTO favourites (account_id, post_id) VALUES (:account, :post) ON CONFLICT DO NOTHING RETURNING id")
    if (await session.execute(added, {"account": caller, "post": post_id})).first() is not None:
        await session.execute(_COUNT_FAVOURITE, {"post": post_id, "change": 1})
        await notices.give(session, "favourite", author_id, caller, post_id)
    return post_id


async def unfavourite(session: AsyncSession, caller: int, an_id: int) -> int:
    """Take a like back; return the post's id."""
    post_id, author_id, _ = await seen(session, caller, an_id)
    removed = text("DELETE FROM favourites WHERE account_id = :account AND post_id = :post RETURNING id")
    if (await session.execute(removed, {"account": caller, "post": post_id})).first() is not None:
        await session.execute(_COUNT_FAVOURITE, {"post": post_id, "change": -1})
        await notices.take_back(session, "favourite", author_id, caller, post_id)
    return post_id


async def bookmark(session: AsyncSession, caller: int, an_id: int) -> int:
    """Keep a post for oneself; nobody is told. Return the post's id."""
    post_id, _, _ = await seen(session, caller, an_id)
    added = text("INSERT INTO bookmarks (account_id, post_id) VALUES (:account, :post) ON CONFLICT DO NOTHING")
    await session.execute(added, {"account": caller, "post": post_id})
    return post_id


async def unbookmark(session: AsyncSession, caller: int, an_id: int) -> int:
    """Keep a post no longer; return its id."""
    post_id, _, _ = await seen(session, caller, an_id)
    await session.execute(
        text("DELETE FROM bookmarks WHERE account_id = :account AND post_id = :post"), {"account": caller, "post": post_id}
    )
    return post_id


async def pin(session: AsyncSession, caller: int, an_id: int) -> int:
    """Pin a post of one's own, at most five; return its id. Raises `NotFound`, `CannotPin`."""
    post_id, author_id, visibility = await seen(session, caller, an_id)
    if author_id != caller or an_id != post_id:
        raise CannotPin
    if visibility == "direct":
        raise CannotPin("Validation failed: Posts that are only visible to mentioned users cannot be pinned")
    # One pin after the other, so that two at once don't both find room.
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock, hashint8(:account))"), {"lock": _PIN_LOCK, "account": caller})
    pinned = set(await session.scalars(text("SELECT post_id FROM pins WHERE account_id = :account"), {"account": caller}))
    if post_id not in pinned:
        if len(pinned) >= MOST_PINS:
            raise CannotPin("Validation failed: You have already pinned the maximum number of posts")
        await session.execute(text("INSERT INTO pins (account_id, post_id) VALUES (:account, :post)"), {"account": caller, "post": post_id})
    return post_id


async def unpin(session: AsyncSession, caller: int, an_id: int) -> int:
    """Pin a post no longer; return its id."""
    post_id, author_id, _ = await seen(session, caller, an_id)
    if author_id != caller or an_id != post_id:
        raise CannotPin
    await session.execute(text("DELETE FROM pins WHERE account_id = :account AND post_id = :post"), {"account": caller, "post": post_id})
    return post_id


async def boost(session: AsyncSession, caller: int, an_id: int, visibility: str | None) -> int:
    """Show a post to one's own followers; return the boost's id, the same if it was there. Raises `NotFound`, `CannotBoost`.

    Others' posts can be boosted when they are public or unlisted, one's own followers-only posts by oneself, direct ones by nobody.
    """
    post_id, author_id, post_visibility = await seen(session, caller, an_id)
    if post_visibility == "direct" or (post_visibility == "private" and author_id != caller):
        raise CannotBoost
    shown_to = "private" if post_visibility == "private" else (visibility if visibility in ("public", "unlisted", "private") else "public")
    added = text("""
        INSERT INTO boosts (account_id, post_id, visibility) VALUES (:account, :post, :visibility) ON CONFLICT DO NOTHING RETURNING id
    """)
    boost_id = await session.scalar(added, {"account": caller, "post": post_id, "visibility": shown_to})
    if boost_id is None:
        found = await session.scalar(
            text("SELECT id FROM boosts WHERE account_id = :account AND post_id = :post"), {"account": caller, "post": post_id}
        )
        return int(found or 0)
    await session.execute(_COUNT_STATUS, {"account": caller, "change": 1})
    await session.execute(_COUNT_BOOST, {"post": post_id, "change": 1})
    await fanout.spread(session, entry=boost_id, post=post_id, author=author_id, booster=caller, visibility=shown_to, answered=None)
    await notices.give(session, "reblog", author_id, caller, post_id)
    await moments.boosted(session, caller, boost_id, post_id, shown_to)
    return int(boost_id)


async def unboost(session: AsyncSession, caller: int, an_id: int) -> int:
    """Take a boost back; return the post's id."""
    post_id, author_id, _ = await seen(session, caller, an_id)
    removed = text("DELETE FROM boosts WHERE account_id = :account AND post_id = :post RETURNING id")
    boost_id = await session.scalar(removed, {"account": caller, "post": post_id})
    if boost_id is not None:
        await session.execute(_COUNT_STATUS, {"account": caller, "change": -1})
        await session.execute(_COUNT_BOOST, {"post": post_id, "change": -1})
        gone = text("DELETE FROM feed_entries WHERE post_id = :post AND entry_id = :entry")
        await session.execute(gone, {"post": post_id, "entry": boost_id})
        await session.execute(text("DELETE FROM fanouts WHERE entry_id = :entry"), {"entry": boost_id})
        await notices.take_back(session, "reblog", author_id, caller, post_id)
        await moments.unboosted(session, caller, boost_id, post_id)
    return post_id


async def mute_thread(session: AsyncSession, caller: int, an_id: int) -> int:
    """Be told no more of what happens in the thread that a post is in; return the post's id."""
    post_id, _, _ = await seen(session, caller, an_id)
    await viewers.renew(session, caller)
    await session.execute(_MUTE_THREAD, {"account": caller, "post": post_id})
    return post_id


async def unmute_thread(session: AsyncSession, caller: int, an_id: int) -> int:
    """Be told of it again; return the post's id."""
    post_id, _, _ = await seen(session, caller, an_id)
    await viewers.renew(session, caller)
    await session.execute(_UNMUTE_THREAD, {"account": caller, "post": post_id})
    await viewers.forget_if_empty(session, caller)
    return post_id


async def seen(session: AsyncSession, caller: int, an_id: int) -> tuple[int, int, str]:
    """The post that an id means (a boost's means its post), its author and visibility. Raises `NotFound` when the caller may not see it."""
    row = (await session.execute(_SEEN, {"an_id": an_id, "viewer": caller})).first()
    if row is None:
        raise NotFound
    return row.post_id, row.author_id, row.visibility
