"""What `social` keeps of a post, applied the same way whether it came ahead of Kafka or through it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from common.events import PostState
from common.statements import Connection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social import notices
from social.conversations.projections import refresh
from social.erasing import keep_erasers_out
from social.feeds import fanout
from social.feeds.filling import remove_untagged
from social.polls.commands import drop_void_votes, keep_poll
from social.rendering import fragments

_EXCERPT: Final = 200

_VERSIONS: Final = "SELECT post_id, version FROM snapshots WHERE post_id = ANY(%s)"
_UPSERT = text("""
    INSERT INTO snapshots AS s (post_id, version, previous_version, deleted, author_id, created_at, visibility, language,
                                reply_to_id, reply_to_account_id, conversation_id, threaded, has_media, has_poll, head, content)
    VALUES (:post_id, :version, 0, :deleted, :author_id, :created_at, :visibility, :language,
            :reply_to_id, :reply_to_account_id, :conversation_id, :threaded, :has_media, :has_poll, :head, :content)
    ON CONFLICT (post_id) DO UPDATE SET
        previous_version = s.version, version = EXCLUDED.version, deleted = EXCLUDED.deleted, language = EXCLUDED.language,
        has_media = EXCLUDED.has_media, has_poll = EXCLUDED.has_poll, content = EXCLUDED.content,
        conversation_id = coalesce(s.conversation_id, EXCLUDED.conversation_id), threaded = s.threaded OR EXCLUDED.threaded
    WHERE s.version < EXCLUDED.version AND NOT s.deleted
    RETURNING previous_version, threaded, coalesce(conversation_id, post_id) AS conversation_id
""")
_PEOPLE = text("SELECT username, account_id FROM profiles WHERE username = ANY(:names) AND shown")
_MENTION = text("INSERT INTO mentions (post_id, account_id) VALUES (:post, :account) ON CONFLICT DO NOTHING RETURNING account_id")
_UNMENTION = text("DELETE FROM mentions WHERE post_id = :post AND account_id <> ALL(:kept) RETURNING account_id")
_TAG = text("""
    INSERT INTO hashtags (name, post_id, account_id) SELECT name, :post, :author FROM unnest(CAST(:names AS text[])) AS t(name)
    ON CONFLICT DO NOTHING RETURNING name
""")
_UNTAG = text("DELETE FROM hashtags WHERE post_id = :post AND name <> ALL(:kept) RETURNING name")
_COUNT_AUTHOR = text("""
    INSERT INTO profile_counts AS c (account_id, statuses, last_status_on) VALUES (:author, 1, CAST(:day AS date))
    ON CONFLICT (account_id) DO UPDATE SET statuses = c.statuses + 1, last_status_on = greatest(c.last_status_on, EXCLUDED.last_status_on)
""")
_UNCOUNT_AUTHOR = text("UPDATE profile_counts SET statuses = statuses - 1 WHERE account_id = :author")
_COUNT_REPLY = text("""
    INSERT INTO post_counts AS c (post_id, replies) VALUES (:parent, greatest(:change, 0))
    ON CONFLICT (post_id) DO UPDATE SET replies = greatest(c.replies + :change, 0)
""")


async def unknown(connection: Connection, posts: Sequence[PostState]) -> list[PostState]:
    """Those of the posts that say something new, in their order: what was carried ahead isn't looked at twice."""
    rows = await (await connection.execute(_VERSIONS, ([post.post_id for post in posts],))).fetchall()
    known = {row[0]: row[1] for row in rows}
    return [post for post in posts if known.get(post.post_id, 0) < post.version]


async def apply_post(session: AsyncSession, post: PostState, public_url: str) -> bool:
    """Keep the newest version of a post and do what follows from it; True if this one was new, False (and nothing done) otherwise."""
    if post.version > 1:
        await keep_erasers_out(session)
    kept = await keep_post(session, post, public_url)
    if kept is None:
        return False
    if post.visibility == "direct" and kept.conversation_id is not None:
        await refresh(session, kept.conversation_id, [post.author_id, *kept.mentioned, *kept.mentioned_before])
    if post.deleted:
        if not kept.first:
            await _remove(session, post)
        return True
    if kept.first:
        await _welcome(session, post)
    else:
        await drop_void_votes(session, post)
        if post.visibility == "direct":
            await fanout.readdress(session, post.post_id, post.author_id, kept.mentioned_before)
    if kept.newly_tagged and post.visibility == "public":
        await fanout.spread_tagged(session, post.post_id)
    if kept.untagged:
        await remove_untagged(session, post.post_id, kept.untagged)
    await _tell(session, post, kept.newly_mentioned, first=kept.first)
    return True


@dataclass(frozen=True, slots=True)
class Kept:
    """What was new of a post: the post itself, who is mentioned and which hashtags it has, for the first time, or not any more; its conversation,
    if that's known."""

    first: bool
    conversation_id: int | None
    mentioned: list[int] = field(default_factory=list)
    newly_mentioned: list[int] = field(default_factory=list)
    mentioned_before: list[int] = field(default_factory=list)
    newly_tagged: list[str] = field(default_factory=list)
    untagged: list[str] = field(default_factory=list)


async def keep_post(session: AsyncSession, post: PostState, public_url: str) -> Kept | None:
    """Keep the newest version of a post with who and what it refers to, and nothing else; None if this one wasn't new."""
    people = await _people(session, post.usernames)
    row = (
        await session.execute(
            _UPSERT,
            {
                "post_id": post.post_id,
                "version": post.version,
                "deleted": post.deleted,
                "author_id": post.author_id,
                "created_at": post.created_at,
                "visibility": post.visibility,
                "language": post.language,
                "reply_to_id": post.reply_to_id,
                "reply_to_account_id": post.reply_to_account_id,
                "conversation_id": None if post.conversation_id == post.post_id else post.conversation_id,
                "threaded": post.conversation_id is not None or post.reply_to_id is None,
                "has_media": bool(post.media),
                "has_poll": post.poll is not None,
                "head": fragments.status_head(post.post_id, post.created_at, post.author_username, public_url),
                "content": b"" if post.deleted else fragments.status_content(post, people, public_url),
            },
        )
    ).first()
    if row is None:
        return None
    kept = Kept(row.previous_version == 0, row.conversation_id if row.threaded else None)
    await keep_poll(session, post, first=kept.first)
    if not post.deleted:
        kept.mentioned.extend(people.values())
    if not kept.first:
        await _unrefer(session, post, kept)
    if not post.deleted:
        await _refer(session, post, kept)
    return kept


async def _people(session: AsyncSession, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    return {row.username: row.account_id for row in await session.execute(_PEOPLE, {"names": names})}


async def _unrefer(session: AsyncSession, post: PostState, kept: Kept) -> None:
    """Forget who and what a post refers to no longer."""
    kept.mentioned_before.extend(await session.scalars(_UNMENTION, {"post": post.post_id, "kept": kept.mentioned}))
    kept.untagged.extend(await session.scalars(_UNTAG, {"post": post.post_id, "kept": [tag.name for tag in post.tags]}))


async def _refer(session: AsyncSession, post: PostState, kept: Kept) -> None:
    """Write who and what a post refers to."""
    for account_id in kept.mentioned:
        if await session.scalar(_MENTION, {"post": post.post_id, "account": account_id}) is not None:
            kept.newly_mentioned.append(account_id)
    if post.tags:
        names = [tag.name for tag in post.tags]
        kept.newly_tagged.extend(await session.scalars(_TAG, {"names": names, "post": post.post_id, "author": post.author_id}))


async def _welcome(session: AsyncSession, post: PostState) -> None:
    await session.execute(_COUNT_AUTHOR, {"author": post.author_id, "day": post.created_at.date().isoformat()})
    if post.reply_to_id is not None:
        await session.execute(_COUNT_REPLY, {"parent": post.reply_to_id, "change": 1})
    await fanout.spread(
        session,
        entry=post.post_id,
        post=post.post_id,
        author=post.author_id,
        booster=None,
        visibility=post.visibility,
        answered=post.reply_to_account_id,
    )


async def _tell(session: AsyncSession, post: PostState, mentioned: list[int], *, first: bool) -> None:
    """Mentions and comments; whoever is answered in public is told even when the answer doesn't name them."""
    told = dict.fromkeys(mentioned)
    if first and post.reply_to_account_id is not None and post.visibility in ("public", "unlisted"):
        told.setdefault(post.reply_to_account_id)
    quotable = post.visibility in ("public", "unlisted") and not post.spoiler
    for account_id in told:
        await notices.give(
            session,
            "mention",
            account_id,
            post.author_id,
            post.post_id,
            is_reply=account_id == post.reply_to_account_id,
            excerpt=post.plain[:_EXCERPT] if quotable else "",
        )
    if first:
        for row in await session.execute(_WATCHERS, {"author": post.author_id, "visibility": post.visibility}):
            if row.follower_id not in told:
                await notices.give(session, "status", row.follower_id, post.author_id, post.post_id)
    else:
        for row in await session.execute(_BOOSTERS, {"post": post.post_id}):
            await notices.give(session, "update", row.account_id, post.author_id, post.post_id)


_WATCHERS = text("""
    SELECT follower_id FROM follows WHERE followed_id = :author AND notify AND :visibility <> 'direct' ORDER BY follower_id LIMIT 1000
""")
_BOOSTERS = text("SELECT account_id FROM boosts WHERE post_id = :post ORDER BY id LIMIT 1000")


async def _remove(session: AsyncSession, post: PostState) -> None:
    """Take a post out of everything that refers to it."""
    only = {"post": post.post_id}
    boosters = (await session.scalars(text("DELETE FROM boosts WHERE post_id = :post RETURNING account_id"), only)).all()
    for table in ("favourites", "bookmarks", "pins", "poll_votes", "filter_statuses", "tag_fanouts"):
        await session.execute(text(f"DELETE FROM {table} WHERE post_id = :post"), only)
    for account_id in sorted([post.author_id, *boosters]):
        await session.execute(_UNCOUNT_AUTHOR, {"author": account_id})
    if post.reply_to_id is not None:
        await session.execute(_COUNT_REPLY, {"parent": post.reply_to_id, "change": -1})
    for table in ("feed_entries", "fanouts"):
        await session.execute(text(f"DELETE FROM {table} WHERE post_id = :post"), only)
