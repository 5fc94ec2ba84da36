"""Look-ups of relations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from common.paging import Page
from common.statements import Connection
from common.times import iso

from social.rendering.visibility import NOT_BLOCKED, NOT_MUTED, WISHES_TO_MEET

_RELATIONSHIPS: Final = """
    SELECT t.id,
        f.follower_id IS NOT NULL, coalesce(f.reblogs, r.reblogs, false), coalesce(f.notify, r.notify, false),
        coalesce(f.languages, r.languages),
        (SELECT 1 FROM follows WHERE follower_id = t.id AND followed_id = %(viewer)s) IS NOT NULL,
        (SELECT 1 FROM blocks WHERE blocker_id = %(viewer)s AND blocked_id = t.id) IS NOT NULL,
        (SELECT 1 FROM blocks WHERE blocker_id = t.id AND blocked_id = %(viewer)s) IS NOT NULL,
        m.muter_id IS NOT NULL, coalesce(m.notifications, false), m.ends_at,
        r.follower_id IS NOT NULL,
        (SELECT 1 FROM follow_requests WHERE follower_id = t.id AND followed_id = %(viewer)s) IS NOT NULL,
        (SELECT 1 FROM endorsements WHERE account_id = %(viewer)s AND endorsed_id = t.id) IS NOT NULL,
        coalesce((SELECT note FROM account_notes WHERE author_id = %(viewer)s AND about_id = t.id), '')
    FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS t(id, position)
    LEFT JOIN follows f ON f.follower_id = %(viewer)s AND f.followed_id = t.id
    LEFT JOIN follow_requests r ON r.follower_id = %(viewer)s AND r.followed_id = t.id
    LEFT JOIN mutes m ON m.muter_id = %(viewer)s AND m.muted_id = t.id AND (m.ends_at IS NULL OR m.ends_at > now())
    ORDER BY t.position
"""

_NOT_OVER: Final = "(l.ends_at IS NULL OR l.ends_at > now())"
_MET: Final = WISHES_TO_MEET.format(account="l.{theirs}")
_SEEN: Final = NOT_BLOCKED.format(account="l.{theirs}")

# Lists of people by the id of the relation, newest first: table, whose list, who is in it, and who of them the viewer finds there.
_LISTS: Final = {
    "followers": ("follows", "followed_id", "follower_id", _MET),
    "following": ("follows", "follower_id", "followed_id", _MET),
    "own followers": ("follows", "followed_id", "follower_id", _SEEN),
    "own following": ("follows", "follower_id", "followed_id", _SEEN),
    "endorsements": ("endorsements", "account_id", "endorsed_id", _MET),
    "own endorsements": ("endorsements", "account_id", "endorsed_id", _SEEN),
    "requests": ("follow_requests", "followed_id", "follower_id", "true"),
    "blocks": ("blocks", "blocker_id", "blocked_id", "true"),
    "mutes": ("mutes", "muter_id", "muted_id", _NOT_OVER),
}
_PAGES: Final = {
    (name, up): f"""
        SELECT l.{theirs}, l.id{", l.ends_at" if table == "mutes" else ""} FROM {table} l
        WHERE l.{mine} = %(owner)s AND l.id < %(below)s AND l.id > %(above)s AND {seen.replace("{theirs}", theirs)}
        ORDER BY l.id {order} LIMIT %(limit)s
    """.encode()
    for name, (table, mine, theirs, seen) in _LISTS.items()
    for up, order in ((True, "ASC"), (False, "DESC"))
}

_KEPT_FROM: Final = f"""
    SELECT p.hide_collections FROM profiles p WHERE p.account_id = %(owner)s AND {NOT_BLOCKED.format(account="p.account_id")}
"""

# Whoever hides whom they follow isn't told of here either, nor are the followers of whoever hides those.
_FAMILIAR: Final = """
    SELECT t.id, x.follower_id
    FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS t(id, position)
    JOIN profiles p ON p.account_id = t.id AND p.shown AND {met}
    LEFT JOIN LATERAL (
        SELECT mine.followed_id AS follower_id FROM follows mine
        JOIN profiles q ON q.account_id = mine.followed_id AND q.shown AND NOT q.hide_collections
        WHERE mine.follower_id = %(viewer)s AND NOT p.hide_collections AND {also_met}
          AND (SELECT 1 FROM follows f WHERE f.follower_id = mine.followed_id AND f.followed_id = t.id) IS NOT NULL
        ORDER BY mine.id DESC LIMIT %(most)s
    ) x ON true
    ORDER BY t.position
""".format(met=NOT_BLOCKED.format(account="t.id"), also_met=NOT_MUTED.format(account="mine.followed_id"))


async def relationships(connection: Connection, viewer: int, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Relationships of the viewer to people, in the order of the ids."""
    rows = await (await connection.execute(_RELATIONSHIPS, {"viewer": viewer, "ids": list(ids)})).fetchall()
    return [
        {
            "id": str(row[0]),
            "following": row[1],
            "showing_reblogs": row[2],
            "notifying": row[3],
            "languages": row[4],
            "followed_by": row[5],
            "blocking": row[6],
            "blocked_by": row[7],
            "muting": row[8],
            "muting_notifications": row[9],
            "muting_expires_at": iso(row[10]) if row[10] else None,
            "requested": row[11],
            "requested_by": row[12],
            "domain_blocking": False,
            "endorsed": row[13],
            "note": row[14],
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class People:
    """A page of a list of people, newest first: account ids, the ids of the relations to page by, and when each mute ends, in a list of mutes."""

    accounts: list[int]
    ids: list[int]
    until: list[datetime | None]


async def people(connection: Connection, which: str, owner: int, viewer: int, page: Page) -> People:
    """A page of one of `_LISTS` as far as the viewer meets who is in it."""
    parameters = {"owner": owner, "viewer": viewer, "below": page.below, "above": page.above, "limit": page.limit}
    rows = await (await connection.execute(_PAGES[which, page.upwards], parameters)).fetchall()
    if page.upwards:
        rows.reverse()
    return People([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows] if which == "mutes" else [])


async def is_kept_from(connection: Connection, owner: int, viewer: int, *, hidden: bool) -> bool:
    """Whether somebody's list is kept from the viewer: by a block, or, where lists can be `hidden`, because its owner hides them."""
    row = await (await connection.execute(_KEPT_FROM, {"owner": owner, "viewer": viewer})).fetchone()
    return row is None or (hidden and bool(row[0]))


async def familiar_followers(connection: Connection, viewer: int, ids: Sequence[int], most: int = 40) -> dict[int, list[int]]:
    """For each of the people who are shown: whom the viewer follows of their followers, at most so many."""
    rows = await (await connection.execute(_FAMILIAR, {"viewer": viewer, "ids": list(ids), "most": most})).fetchall()
    found: dict[int, list[int]] = {row[0]: [] for row in rows}
    for account_id, follower in rows:
        if follower is not None:
            found[account_id].append(follower)
    return found
