"""What `translate` keeps of posts: the words of public and unlisted ones, and which languages to have ready."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from common.events import PostState
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from translate.domain import text_hash

WISH_DAYS: Final = 14

_UPSERT = text("""
    INSERT INTO sources AS s (post_id, version, author_id, language, html, spoiler, descriptions, options, gone, private)
    SELECT * FROM jsonb_to_recordset(CAST(:posts AS jsonb)) AS p (
        post_id bigint, version bigint, author_id bigint, language text, html text, spoiler text, descriptions jsonb, options text[],
        gone boolean, private boolean
    )
    ON CONFLICT (post_id) DO UPDATE SET version = EXCLUDED.version, language = EXCLUDED.language, html = EXCLUDED.html,
        spoiler = EXCLUDED.spoiler, descriptions = EXCLUDED.descriptions, options = EXCLUDED.options,
        gone = EXCLUDED.gone, private = EXCLUDED.private
    WHERE s.version < EXCLUDED.version
    RETURNING post_id, xmax <> 0 AS known
""")
_DROP_USES = text("DELETE FROM uses WHERE post_id = :post AND text_hash <> ALL(:kept) RETURNING text_hash")
_DROP_UNUSED = text("""
    DELETE FROM translations t WHERE t.text_hash = ANY(:hashes) AND NOT EXISTS (SELECT FROM uses u WHERE u.text_hash = t.text_hash)
""")
_PLAN_AHEAD = text("""
    INSERT INTO jobs (post_id, target)
    SELECT s.post_id, w.language FROM sources s JOIN wishes w ON w.author_id = s.author_id
    WHERE s.post_id = ANY(:posts) AND w.asked_at > now() - make_interval(days => :days) AND w.language <> coalesce(s.language, '')
    ON CONFLICT (post_id, target) DO UPDATE SET added_at = now(), not_before = now() RETURNING 1
""")
_FORGET_PLANS = text("DELETE FROM jobs WHERE post_id = ANY(:posts)")
_NOTIFY = text("NOTIFY jobs")


async def keep_sources(session: AsyncSession, posts: Sequence[PostState]) -> list[tuple[PostState, bool]]:
    """Keep the newest words of posts, of those that aren't for everybody none; return what was new, each with whether an earlier version was known."""
    newest: dict[int, PostState] = {}
    for post in posts:
        if post.post_id not in newest or newest[post.post_id].version < post.version:
            newest[post.post_id] = post
    rows = orjson.dumps([_row(post) for post in newest.values()]).decode()
    return [(newest[row.post_id], row.known) for row in await session.execute(_UPSERT, {"posts": rows})]


async def apply_posts(session: AsyncSession, posts: Sequence[PostState]) -> int:
    """Keep the newest words, drop translations that they made stale, plan new ones; return how many posts this was new of."""
    changed = await keep_sources(session, posts)
    for post, known in changed:
        if known:
            await _drop_stale(session, post)
    readable = [post.post_id for post, _ in changed if _readable(post)]
    hidden = [post.post_id for post, known in changed if known and not _readable(post)]
    if readable and (await session.execute(_PLAN_AHEAD, {"posts": readable, "days": WISH_DAYS})).first() is not None:
        await session.execute(_NOTIFY)
    if hidden:
        await session.execute(_FORGET_PLANS, {"posts": hidden})
    return len(changed)


async def _drop_stale(session: AsyncSession, post: PostState) -> None:
    """Forget translations of what the post doesn't say any more."""
    words = (post.html, post.spoiler, *_captions(post).values(), *_options(post)) if _readable(post) else ()
    kept = [text_hash(part) for part in words if part.strip()]
    dropped = [row.text_hash for row in await session.execute(_DROP_USES, {"post": post.post_id, "kept": kept})]
    if dropped:
        await session.execute(_DROP_UNUSED, {"hashes": dropped})


def _row(post: PostState) -> dict[str, Any]:
    readable = _readable(post)
    return {
        "post_id": post.post_id,
        "version": post.version,
        "author_id": post.author_id,
        "language": post.language,
        "html": post.html if readable else "",
        "spoiler": post.spoiler if readable else "",
        "descriptions": _captions(post),
        "options": _options(post),
        "gone": post.deleted,
        "private": not post.deleted and not readable,
    }


def _readable(post: PostState) -> bool:
    return not post.deleted and post.visibility in ("public", "unlisted")


def _captions(post: PostState) -> dict[str, str]:
    return {str(m.media_id): m.description for m in post.media if m.description} if _readable(post) else {}


def _options(post: PostState) -> list[str]:
    return post.poll.options if post.poll and _readable(post) else []
