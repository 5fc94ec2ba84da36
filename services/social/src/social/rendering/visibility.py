"""Who may see what, as SQL conditions on `s` (snapshots) and `p` (profiles of the author) for the viewer `%(viewer)s` (0: anonymous).

What is looked up for each row is `(SELECT 1 …) IS NULL`, not `EXISTS`: PostgreSQL would rather read all that somebody ever blocked, liked or
followed at once, into a hash table.
"""

from typing import Final

_BLOCKS: Final = (
    """(SELECT EXISTS (SELECT FROM blocks WHERE blocker_id = %(viewer)s) OR EXISTS (SELECT FROM blocks WHERE blocked_id = %(viewer)s))"""
)
_MUTES: Final = "(SELECT EXISTS (SELECT FROM mutes WHERE muter_id = %(viewer)s))"
"""Asked once for a page: nearly everybody blocks, is blocked by, and mutes nobody, and needs no look at each row."""

NOT_BLOCKED: Final = f"""
    (NOT {_BLOCKS} OR (
        (SELECT 1 FROM blocks WHERE blocker_id = {{account}} AND blocked_id = %(viewer)s) IS NULL
        AND (SELECT 1 FROM blocks WHERE blocker_id = %(viewer)s AND blocked_id = {{account}}) IS NULL
    ))
"""

MAY_OPEN: Final = """
    ((SELECT 1 FROM blocks WHERE blocker_id = {account} AND blocked_id = %(viewer)s) IS NULL
     OR (SELECT 1 FROM blocks WHERE blocker_id = %(viewer)s AND blocked_id = {account}) IS NOT NULL)
"""
"""The viewer may look this account up: whoever blocks it has to find it to unblock it, whoever it blocks doesn't find it."""

NOT_MUTED: Final = f"""
    (NOT {_MUTES} OR (
        SELECT 1 FROM mutes WHERE muter_id = %(viewer)s AND muted_id = {{account}} AND (ends_at IS NULL OR ends_at > now())
    ) IS NULL)
"""

MAY_SEE: Final = f"""
    NOT s.deleted AND p.shown AND (
        s.visibility IN ('public', 'unlisted')
        OR s.author_id = %(viewer)s
        OR (SELECT 1 FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = %(viewer)s) IS NOT NULL
        OR (s.visibility = 'private'
            AND (SELECT 1 FROM follows f WHERE f.follower_id = %(viewer)s AND f.followed_id = s.author_id) IS NOT NULL)
    ) AND {NOT_BLOCKED.format(account="s.author_id")}
"""
"""The viewer may open this post."""

BOOST_SEEN: Final = f"""
    (o.visibility <> 'private' OR o.account_id = %(viewer)s
     OR (SELECT 1 FROM follows f WHERE f.follower_id = %(viewer)s AND f.followed_id = o.account_id) IS NOT NULL)
    AND {NOT_BLOCKED.format(account="o.account_id")}
"""
"""The viewer may know of the boost `o` (boosts); whether they may open what it shows is another question."""

WANTS_TO_SEE: Final = f"{MAY_SEE} AND {NOT_MUTED.format(account='s.author_id')}"
"""The viewer may open it, and hasn't muted its author: for feeds."""

WISHES_TO_MEET: Final = f"{NOT_BLOCKED} AND {NOT_MUTED}"
"""For lists of people: no block stands between the viewer and `{account}`, who isn't muted either."""

_HIDES_ANYBODY: Final = (
    "(SELECT EXISTS (SELECT FROM blocks WHERE blocker_id = %(viewer)s) OR EXISTS (SELECT FROM mutes WHERE muter_id = %(viewer)s))"
)
NAMES_NOBODY_HIDDEN: Final = f"""
    (NOT {_HIDES_ANYBODY} OR s.author_id = %(viewer)s OR (
        SELECT 1 FROM mentions h WHERE h.post_id = s.post_id AND (
            (SELECT 1 FROM blocks WHERE blocker_id = %(viewer)s AND blocked_id = h.account_id) IS NOT NULL
            OR (SELECT 1 FROM mutes WHERE muter_id = %(viewer)s AND muted_id = h.account_id
                AND (ends_at IS NULL OR ends_at > now())) IS NOT NULL
        ) LIMIT 1
    ) IS NULL)
"""
"""The post speaks of nobody whom the viewer blocks or mutes; whoever does neither, which is asked once a page, pays nothing for it."""

MAY_FIND: Final = f"""
    {WANTS_TO_SEE} AND (p.indexable OR s.author_id = %(viewer)s
        OR (SELECT 1 FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = %(viewer)s) IS NOT NULL
        OR (SELECT 1 FROM favourites v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL
        OR (SELECT 1 FROM boosts v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL
        OR (SELECT 1 FROM bookmarks v WHERE v.account_id = %(viewer)s AND v.post_id = s.post_id) IS NOT NULL)
"""
"""The viewer may find it by what it says: authors choose whether everybody may, or only those who had to do with the post."""
