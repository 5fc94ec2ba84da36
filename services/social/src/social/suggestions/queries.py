"""Whom somebody may want to follow: one statement, which reads no more of a large community than of a small one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.statements import Connection

from social.rendering.visibility import WISHES_TO_MEET

# Who is known already is left out last, best first, so that few are looked at. Each part names people by one reason and weighs them, looking
# only at so many rows: the hundred latest people whom the viewer follows and the thirty latest whom each of those follows; the latest posts
# under the hashtags of the five whom they followed last; the latest thousand public posts; the two hundred most followed.
_FOUND: Final = f"""
    WITH mine AS (
        SELECT id, followed_id FROM follows WHERE follower_id = %(viewer)s ORDER BY id DESC LIMIT 100
    ), reasons AS (
        SELECT account_id AS id, 'featured' AS reason, 1 AS weight FROM profiles WHERE username = ANY(%(featured)s)
        UNION ALL
        SELECT x.followed_id, 'friends_of_friends', count(*)
        FROM mine m JOIN profiles q ON q.account_id = m.followed_id AND q.shown AND NOT q.hide_collections
        CROSS JOIN LATERAL (SELECT g.followed_id FROM follows g WHERE g.follower_id = m.followed_id ORDER BY g.id DESC LIMIT 30) x
        GROUP BY x.followed_id
        UNION ALL
        SELECT y.account_id, 'similar_to_recently_followed', count(DISTINCT y.name)
        FROM (SELECT followed_id FROM mine ORDER BY id DESC LIMIT 5) m
        CROSS JOIN LATERAL (
            SELECT h.name FROM snapshots s JOIN hashtags h ON h.post_id = s.post_id
            WHERE s.author_id = m.followed_id AND NOT s.deleted AND s.visibility = 'public' ORDER BY s.post_id DESC LIMIT 5
        ) t
        CROSS JOIN LATERAL (
            SELECT h.account_id, h.name FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id
            WHERE h.name = t.name AND s.visibility = 'public' AND NOT s.deleted ORDER BY h.post_id DESC LIMIT 30
        ) y
        GROUP BY y.account_id
        UNION ALL
        (SELECT author_id, 'most_interactions', sum(reactions)::bigint FROM (
            SELECT s.author_id, n.favourites + n.reblogs AS reactions
            FROM (SELECT author_id, post_id FROM snapshots WHERE visibility = 'public' AND NOT deleted ORDER BY post_id DESC LIMIT 1000) s
            JOIN post_counts n ON n.post_id = s.post_id
        ) latest GROUP BY author_id HAVING sum(reactions) > 0 ORDER BY sum(reactions) DESC LIMIT 100)
        UNION ALL
        (SELECT account_id, 'most_followed', followers FROM profile_counts WHERE followers > 0 ORDER BY followers DESC, account_id LIMIT 200)
    ), people AS (
        SELECT r.id, array_agg(r.reason ORDER BY array_position(%(order)s::text[], r.reason)) AS reasons,
            bool_or(r.reason = 'featured') AS featured,
            coalesce(max(r.weight) FILTER (WHERE r.reason = 'friends_of_friends'), 0) AS friends,
            coalesce(max(r.weight) FILTER (WHERE r.reason = 'similar_to_recently_followed'), 0) AS tags,
            coalesce(max(r.weight) FILTER (WHERE r.reason = 'most_interactions'), 0) AS reactions,
            coalesce(max(r.weight) FILTER (WHERE r.reason = 'most_followed'), 0) AS followers
        FROM reasons r GROUP BY r.id
        ORDER BY featured DESC, friends DESC, tags DESC, reactions DESC, followers DESC, r.id
        OFFSET 0
    )
    SELECT x.id, x.reasons FROM people x JOIN profiles p ON p.account_id = x.id
    WHERE p.shown AND p.discoverable AND x.id <> %(viewer)s
      AND (SELECT 1 FROM follows WHERE follower_id = %(viewer)s AND followed_id = x.id) IS NULL
      AND (SELECT 1 FROM follow_requests WHERE follower_id = %(viewer)s AND followed_id = x.id) IS NULL
      AND (SELECT 1 FROM dismissed_suggestions WHERE account_id = %(viewer)s AND dismissed_id = x.id) IS NULL
      AND {WISHES_TO_MEET.format(account="x.id")}
    ORDER BY x.featured DESC, x.friends DESC, x.tags DESC, x.reactions DESC, x.followers DESC, x.id
    LIMIT %(limit)s
"""
REASONS: Final = ("featured", "friends_of_friends", "similar_to_recently_followed", "most_interactions", "most_followed")
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Somebody, and why: some of `REASONS`."""

    account_id: int
    reasons: list[str]


async def suggestions(connection: Connection, viewer: int, featured: Sequence[str], limit: int) -> list[Suggestion]:
    """People who wish to be found and whom the viewer neither follows, asked, blocks, mutes nor dismissed; `featured` by the server's operator."""
    parameters = {"viewer": viewer, "featured": list(featured), "order": list(REASONS), "limit": limit}
    return [Suggestion(row[0], row[1]) for row in await (await connection.execute(_FOUND, parameters)).fetchall()]
