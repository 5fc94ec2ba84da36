"""Filling what `social` keeps of posts anew from the topic: snapshots, mentions, hashtags, polls, conversations, the counts and what feeds lack.

What belongs to `social` itself (profiles, relations, favourites, boosts, bookmarks, votes) is no read model and stays as it is. Nobody is told of anything.
"""

from typing import Final

from common.db import Database
from common.events import Event, PostState
from common.rebuilding import Copy, Rebuild
from common.replaying import Progress
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.conversations.projections import DERIVE as CONVERSATIONS
from social.conversations.threading import THREAD
from social.feeds.filling import fill
from social.feeds.pulling import PULLED
from social.feeds.rules import BY_FOLLOW, FOR_TAG, OF_BOOST
from social.posts.projections import keep_post

_COPIES: Final = (
    Copy(
        "snapshots",
        ["post_id"],
        [
            *("version", "deleted", "author_id", "created_at", "visibility", "language"),
            *("reply_to_id", "reply_to_account_id", "conversation_id", "threaded", "has_media", "has_poll", "head", "content"),
        ],
        once=["previous_version"],
        version="version",
        idkey="post_id",
    ),
    Copy("mentions", ["post_id", "account_id"], [], idkey="post_id"),
    Copy("hashtags", ["name", "post_id"], ["account_id"], idkey="post_id"),
    Copy(
        "polls",
        ["post_id"],
        ["revision", "options", "multiple", "hide_totals", "expires_at", "tallies", "voters"],
        once=["author_id", "told"],
        idkey="post_id",
    ),
    Copy(
        "post_counts",
        ["post_id"],
        ["replies", "reblogs", "favourites"],
        idkey="post_id",
        empty="p.replies = 0 AND p.reblogs = 0 AND p.favourites = 0",
        derived=True,
    ),
    Copy("conversations", ["account_id", "conversation_id"], ["last_post_id"], idkey="last_post_id", derived=True),
    Copy("profile_counts", ["account_id"], ["statuses", "followers", "following"], derived=True),
)
_POST_COUNTS: Final = """
    INSERT INTO post_counts (post_id, replies, reblogs, favourites)
    SELECT post_id, sum(replies), sum(reblogs), sum(favourites) FROM (
        SELECT reply_to_id AS post_id, 1 AS replies, 0 AS reblogs, 0 AS favourites FROM snapshots WHERE reply_to_id IS NOT NULL AND NOT deleted
        UNION ALL SELECT post_id, 0, 1, 0 FROM boosts
        UNION ALL SELECT post_id, 0, 0, 1 FROM favourites
    ) counted GROUP BY post_id
"""
# What has ended was told when it did.
_POLLS: Final = """
    UPDATE polls o SET
        told = o.expires_at <= now(),
        voters = (SELECT count(*) FROM poll_votes v WHERE v.post_id = o.post_id AND v.revision = o.revision),
        tallies = ARRAY(
            SELECT count(v.post_id) FROM generate_series(1, cardinality(o.options)) place
            LEFT JOIN poll_votes v ON v.post_id = o.post_id AND v.revision = o.revision AND place - 1 = ANY(v.choices)
            GROUP BY place ORDER BY place
        )
"""
_PROFILE_COUNTS: Final = """
    INSERT INTO profile_counts (account_id, statuses, followers, following)
    SELECT account_id, sum(statuses), sum(followers), sum(following) FROM (
        SELECT author_id AS account_id, 1 AS statuses, 0 AS followers, 0 AS following FROM snapshots WHERE NOT deleted
        UNION ALL SELECT account_id, 1, 0, 0 FROM boosts
        UNION ALL SELECT followed_id, 0, 1, 0 FROM follows
        UNION ALL SELECT follower_id, 0, 0, 1 FROM follows
        UNION ALL SELECT account_id, 0, 0, 0 FROM public.profile_counts
    ) counted GROUP BY account_id
"""
_LAST_DAYS: Final = text("""
    UPDATE profile_counts c SET last_status_on = t.day
    FROM (SELECT author_id, max((created_at AT TIME ZONE 'UTC')::date) AS day FROM snapshots WHERE NOT deleted GROUP BY author_id) t
    WHERE t.author_id = c.account_id AND (c.last_status_on IS NULL OR c.last_status_on < t.day)
""")
_OWNERS: Final = text("""
    SELECT f.owner_id AS owner, NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = f.owner_id) AS empty
    FROM feeds f WHERE f.active AND f.owner_id > :after ORDER BY f.owner_id LIMIT 100
""")
# The rules of `feeds.fanout`: who followed whom when it was said.
_FILL_POSTS: Final = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT :owner, s.post_id, s.post_id FROM snapshots s
    WHERE NOT s.deleted AND (
        s.author_id = :owner
        OR EXISTS (
            SELECT FROM follows f WHERE f.follower_id = :owner AND f.followed_id = s.author_id AND f.id < s.post_id
              AND {BY_FOLLOW.format(language="s.language")} AND NOT {PULLED.format(author="s.author_id")}
        ) AND (
            CASE WHEN s.visibility = 'direct' THEN EXISTS (SELECT FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = :owner)
            ELSE s.reply_to_account_id IS NULL OR s.reply_to_account_id IN (s.author_id, :owner) OR EXISTS (
                SELECT FROM follows g
                WHERE g.follower_id = :owner AND g.followed_id = s.reply_to_account_id AND g.id < s.post_id
            ) END
        )
    )
    ORDER BY s.post_id DESC LIMIT 400
    ON CONFLICT DO NOTHING
""")
_FILL_TAGGED: Final = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id)
    SELECT DISTINCT CAST(:owner AS bigint), x.post_id, x.post_id FROM followed_tags t CROSS JOIN LATERAL (
        SELECT s.post_id FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id
        WHERE h.name = t.name AND t.id < h.post_id AND {FOR_TAG.format(owner=":owner")}
        ORDER BY h.post_id DESC LIMIT 400
    ) x WHERE t.account_id = :owner AND NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = :owner AND e.post_id = x.post_id)
    ORDER BY x.post_id DESC LIMIT 400
    ON CONFLICT DO NOTHING
""")
_FILL_BOOSTS: Final = text(f"""
    INSERT INTO feed_entries (owner_id, entry_id, post_id, booster_id)
    SELECT :owner, id, post_id, account_id FROM (
        SELECT b.id, b.post_id, b.account_id FROM boosts b WHERE b.account_id = :owner
        UNION ALL
        (SELECT DISTINCT ON (o.post_id) o.id, o.post_id, o.account_id FROM boosts o
         WHERE EXISTS (
             SELECT FROM follows f
             WHERE f.follower_id = :owner AND f.followed_id = o.account_id AND f.reblogs AND f.id < o.id
               AND {BY_FOLLOW.format(language=OF_BOOST)} AND NOT {PULLED.format(author="o.account_id")}
         ) AND NOT EXISTS (SELECT FROM feed_entries e WHERE e.owner_id = :owner AND e.post_id = o.post_id)
         ORDER BY o.post_id, o.id)
    ) found ORDER BY id DESC LIMIT 400
    ON CONFLICT DO NOTHING
""")


async def rebuild(
    database: Database, servers: str, public_url: str, *, force: bool = False, progress: Progress | None = None
) -> dict[str, int]:
    """Rebuild and return how many rows differed, by table. Raises `common.rebuilding.TopicsTooShort`."""

    async def apply(session: AsyncSession, event: Event) -> None:
        assert isinstance(event, PostState)  # noqa: S101 - the only kind asked for
        await keep_post(session, event, public_url)

    work = Rebuild("social", database, servers, [PostState], _COPIES, apply)
    differing = await work.run(
        derive=[THREAD.format(limit=""), CONVERSATIONS, _POLLS, _POST_COUNTS, _PROFILE_COUNTS],
        locked=["poll_votes", "favourites", "boosts", "follows"],
        force=force,
        progress=progress,
    )
    async with database.transaction() as session:
        await session.execute(_LAST_DAYS)
    differing["feeds"] = await _fill_feeds(database)
    return differing


async def _fill_gaps(session: AsyncSession, owner: int) -> int:
    statements = (_FILL_POSTS, _FILL_TAGGED, _FILL_BOOSTS)
    return sum([(await session.execute(statement, {"owner": owner})).rowcount for statement in statements])  # type: ignore[attr-defined]


async def _fill_feeds(database: Database) -> int:
    """Give every feed that is kept up what it lacks of its newest posts and boosts; return how many lacked any.

    An empty one gets also what was said before its owner followed who said it, as if they came back after a long time: some of each whom
    they follow, and then what it still lacks, or the next rebuild would find that.
    """
    filled, after = 0, 0
    while True:
        async with database.transaction() as session:
            rows = (await session.execute(_OWNERS, {"after": after})).all()
            for row in rows:
                returned = await fill(session, row.owner) if row.empty else 0
                filled += bool(returned + await _fill_gaps(session, row.owner))
        if not rows:
            return filled
        after = rows[-1].owner
