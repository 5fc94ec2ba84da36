"""Threads, and who liked or boosted a post."""

from typing import Any, Final

from common.errors import NotFound
from common.paging import Page
from common.statements import Connection

from social.rendering.visibility import BOOST_SEEN, MAY_SEE, NOT_MUTED, WISHES_TO_MEET

_GUARD: Final = f"""
    SELECT s.post_id, s.version, s.author_id, s.visibility, s.language, o.id IS NOT NULL
    FROM snapshots s JOIN profiles p ON p.account_id = s.author_id LEFT JOIN boosts o ON o.id = %(id)s
    WHERE s.post_id = coalesce((SELECT post_id FROM boosts WHERE id = %(id)s), %(id)s) AND {MAY_SEE}
"""
_ANCESTORS: Final = """
    WITH RECURSIVE up AS (
        SELECT reply_to_id, 1 AS depth FROM snapshots WHERE post_id = %s
        UNION ALL
        SELECT s.reply_to_id, up.depth + 1 FROM up JOIN snapshots s ON s.post_id = up.reply_to_id WHERE up.depth < %s
    )
    SELECT reply_to_id FROM up WHERE reply_to_id IS NOT NULL ORDER BY depth DESC
"""
_DESCENDANTS: Final = """
    WITH RECURSIVE down AS (
        SELECT post_id, ARRAY[post_id] AS path FROM snapshots WHERE reply_to_id = %(post)s AND NOT deleted
        UNION ALL
        SELECT s.post_id, down.path || s.post_id FROM down JOIN snapshots s ON s.reply_to_id = down.post_id
        WHERE NOT s.deleted AND cardinality(down.path) < %(depth)s
    )
    SELECT post_id FROM down ORDER BY path LIMIT %(limit)s
"""
_WHO: Final = {
    (table, up): f"""
        SELECT o.account_id, o.id FROM {table} o
        WHERE o.post_id = %(post)s AND o.id < %(below)s AND o.id > %(above)s AND {seen} ORDER BY o.id {order} LIMIT %(limit)s
    """.encode()
    for table, seen in (
        ("favourites", WISHES_TO_MEET.format(account="o.account_id")),
        ("boosts", f"{BOOST_SEEN} AND {NOT_MUTED.format(account='o.account_id')}"),
    )
    for up, order in ((True, "ASC"), (False, "DESC"))
}


async def guard(connection: Connection, an_id: int, viewer: int) -> dict[str, Any]:
    """Which post an id means, and its version, if the viewer may see it; raises `NotFound`."""
    row = await (await connection.execute(_GUARD, {"id": an_id, "viewer": viewer})).fetchone()
    if row is None:
        raise NotFound
    return {
        "post_id": str(row[0]),
        "version": row[1],
        "author_id": str(row[2]),
        "visibility": row[3],
        "language": row[4],
        "boost": row[5],
    }


async def thread(connection: Connection, post_id: int, *, anonymous: bool) -> tuple[list[int], list[int]]:
    """Ids before (from the root) and after (depth first) a post; shallower for people who aren't logged in, as reading all costs."""
    ancestors, depth, limit = (40, 20, 60) if anonymous else (4096, 100, 4096)
    up = await (await connection.execute(_ANCESTORS, (post_id, ancestors))).fetchall()
    down = await (await connection.execute(_DESCENDANTS, {"post": post_id, "depth": depth, "limit": limit})).fetchall()
    return [row[0] for row in up], [row[0] for row in down]


async def who(connection: Connection, which: str, post_id: int, viewer: int, page: Page) -> tuple[list[int], list[int]]:
    """Who liked (`favourites`) or boosted (`boosts`) a post, as far as the viewer may know: account ids, and ids to page by."""
    parameters = {"post": post_id, "viewer": viewer, "below": page.below, "above": page.above, "limit": page.limit}
    rows = await (await connection.execute(_WHO[which, page.upwards], parameters)).fetchall()
    if page.upwards:
        rows.reverse()
    return [row[0] for row in rows], [row[1] for row in rows]
