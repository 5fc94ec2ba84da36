"""The short way of a new post that answers, mentions and asks nobody anything, which nearly all are: two statements in one round trip.

Leaves the same rows as `projections.apply_post`, which does whatever this finds to be more than plain; a test compares the two.
"""

from typing import Final

from common.events import PostState
from common.statements import BEGIN, COMMIT, ROLLBACK, Connection, Statement

from social.feeds.fanout import CHUNK
from social.feeds.pulling import PULLED
from social.feeds.rules import BY_FOLLOW
from social.rendering import fragments, statuses
from social.rendering.stored import Stored

_KEEP: Final = Statement("""
    WITH new AS (
        INSERT INTO snapshots (post_id, version, previous_version, deleted, author_id, created_at, visibility, language,
                               threaded, has_media, has_poll, head, content)
        VALUES (%(post)s, 1, 0, false, %(author)s, %(created_at)s, %(visibility)s, %(language)s,
                true, %(has_media)s, false, %(head)s, %(content)s)
        ON CONFLICT DO NOTHING RETURNING post_id, author_id, xmin AS row_version
    ), tagged AS (
        INSERT INTO hashtags (name, post_id, account_id) SELECT t.name, n.post_id, n.author_id FROM new n, unnest(%(tags)s::text[]) t(name)
        ON CONFLICT DO NOTHING
    ), own AS (
        INSERT INTO feed_entries (owner_id, entry_id, post_id) SELECT n.author_id, n.post_id, n.post_id FROM new n ON CONFLICT DO NOTHING
    )
    INSERT INTO profile_counts AS c (account_id, statuses, last_status_on) SELECT n.author_id, 1, %(day)s::date FROM new n
    ON CONFLICT (account_id) DO UPDATE SET statuses = c.statuses + 1, last_status_on = greatest(c.last_status_on, EXCLUDED.last_status_on)
    RETURNING (SELECT n.row_version FROM new n)
""")
# A statement of its own, after the author's counts are locked: who follows at the same moment is either seen here, or finds the post there.
_SPREAD: Final = Statement(f"""
    WITH audience AS (
        SELECT f.follower_id, {BY_FOLLOW.format(language="%(language)s::text")} AS wanted FROM follows f
        WHERE f.followed_id = %(author)s AND NOT {PULLED.format(author="%(author)s")}
        ORDER BY f.follower_id LIMIT {CHUNK}
    ), added AS (
        INSERT INTO feed_entries (owner_id, entry_id, post_id) SELECT a.follower_id, %(post)s::bigint, %(post)s::bigint
        FROM audience a JOIN feeds d ON d.owner_id = a.follower_id AND d.active WHERE a.wanted
        ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*) FROM audience) < {CHUNK}
       AND NOT EXISTS (SELECT FROM follows w WHERE w.followed_id = %(author)s AND w.notify)
       AND NOT EXISTS (SELECT FROM followed_tags t WHERE t.name = ANY(%(tags)s::text[]))
""")


def is_plain(post: PostState) -> bool:
    """Whether the short way may be tried."""
    return (
        post.version == 1
        and not post.deleted
        and post.reply_to_id is None
        and not post.usernames
        and post.poll is None
        and post.visibility != "direct"
        and post.conversation_id == post.post_id
    )


async def apply_plain_post(connection: Connection, post: PostState, stored: Stored) -> bytes | None:
    """Keep a new plain post, put it into feeds, and return the Status as its author sees it, in two round trips.

    None, and nothing done, if it wasn't new or concerns more people than the short way reaches.
    """
    head = fragments.status_head(post.post_id, post.created_at, post.author_username, stored.public_url)
    content = fragments.status_content(post, {}, stored.public_url)
    values = {
        "post": post.post_id,
        "author": post.author_id,
        "created_at": post.created_at,
        "day": post.created_at.date(),
        "visibility": post.visibility,
        "language": post.language,
        "has_media": bool(post.media),
        "head": head,
        "content": content,
        "tags": [tag.name for tag in post.tags],
    }
    _, kept, spread = await connection.together((BEGIN, {}), (_KEEP, values), (_SPREAD, values))
    if not kept or spread != [(True,)]:
        await connection.together((ROLLBACK, {}))
        return None
    # This process has the post's bytes ready already, and what is asked next travels with the commit.
    stored.remember((post.post_id, kept[0][0]), (head, content, post.post_id))
    found = await statuses.by_ids(connection, stored, [post.post_id], post.author_id, first=COMMIT)
    return found[post.post_id][0] if post.post_id in found else b"{}"
