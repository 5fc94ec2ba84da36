"""Which hashtags somebody features, and which they use."""

from typing import Any, Final

from common.statements import Connection

from social.rendering.visibility import NOT_BLOCKED

# Counted when asked: nobody who writes pays for it, and it is never wrong.
_FEATURED: Final = f"""
    SELECT f.id, f.name, f.display, p.username, n.posts, n.latest
    FROM featured_tags f JOIN profiles p ON p.account_id = f.account_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS posts, max(s.created_at AT TIME ZONE 'UTC')::date::text AS latest
        FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id
        WHERE h.account_id = f.account_id AND h.name = f.name AND NOT s.deleted AND s.visibility IN ('public', 'unlisted')
    ) n
    WHERE f.account_id = %(owner)s AND p.shown AND {NOT_BLOCKED.format(account="f.account_id")}
    ORDER BY n.posts DESC, f.id
"""
_USED: Final = """
    SELECT h.name FROM hashtags h
    WHERE h.account_id = %(owner)s AND NOT EXISTS (SELECT FROM featured_tags f WHERE f.account_id = h.account_id AND f.name = h.name)
    GROUP BY h.name ORDER BY count(*) DESC, h.name LIMIT 10
"""


async def featured(connection: Connection, owner: int, viewer: int) -> list[tuple[Any, ...]]:
    """Id, name, the name as it was written, its owner's name, how many posts everybody may open, and the day of the latest; most used first."""
    return await (await connection.execute(_FEATURED, {"owner": owner, "viewer": viewer})).fetchall()


async def used(connection: Connection, owner: int) -> list[str]:
    """The ten hashtags that somebody uses most and doesn't feature yet."""
    return [row[0] for row in await (await connection.execute(_USED, {"owner": owner})).fetchall()]
