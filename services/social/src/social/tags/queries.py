"""Look-ups of hashtags: by their beginning, their use, who follows or features them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from common.addresses import tag_url
from common.ids import first_id_at
from common.paging import Page
from common.statements import BEHIND_ALL, Connection
from common.times import now

_USE: Final = """
    SELECT h.name, (s.created_at AT TIME ZONE 'UTC')::date AS day, count(*), count(DISTINCT s.author_id)
    FROM hashtags h JOIN snapshots s ON s.post_id = h.post_id
    WHERE h.name = ANY(%(names)s::text[]) AND h.post_id > %(since)s
      AND s.visibility = 'public' AND NOT s.deleted AND s.created_at > now() - interval '7 days'
    GROUP BY h.name, day
"""
# One step of an index for each name, however many posts are under it; of a beginning that hundreds share, the first by the alphabet and those
# that the latest posts have. Best is what was used often and lately: where the fifth latest of its public posts stands. A hashtag that no
# public post has lately isn't told: it may be in messages only.
_BEGINS: Final = "h.name ~<~ %(prefix_end)s"
_BEGINNING: Final = f"""
    WITH RECURSIVE first(name, number) AS (
        (SELECT h.name, 1 FROM hashtags h WHERE h.name ~>=~ %(prefix)s AND {_BEGINS} ORDER BY h.name USING ~<~ LIMIT 1)
        UNION ALL
        SELECT x.name, first.number + 1 FROM first CROSS JOIN LATERAL (
            SELECT h.name FROM hashtags h WHERE h.name ~>~ first.name AND {_BEGINS} ORDER BY h.name USING ~<~ LIMIT 1
        ) x WHERE first.number < 200
    ), names AS (
        SELECT name FROM first
        UNION
        SELECT h.name FROM (
            SELECT post_id FROM snapshots WHERE (SELECT count(*) FROM first) = 200 AND visibility = 'public' AND NOT deleted
            ORDER BY post_id DESC LIMIT 300
        ) s JOIN hashtags h ON h.post_id = s.post_id WHERE h.name ~>=~ %(prefix)s AND {_BEGINS}
    )
    SELECT names.name FROM names CROSS JOIN LATERAL (
        SELECT count(*) AS uses, min(post_id) AS since FROM (
            SELECT s.post_id FROM (SELECT h.post_id FROM hashtags h WHERE h.name = names.name ORDER BY h.post_id DESC LIMIT 30) l
            JOIN snapshots s ON s.post_id = l.post_id WHERE s.visibility = 'public' AND NOT s.deleted
            ORDER BY l.post_id DESC LIMIT 5
        ) latest
    ) used
    WHERE used.uses > 0
    ORDER BY names.name = %(prefix)s DESC, used.uses DESC, used.since DESC, names.name LIMIT %(limit)s OFFSET %(offset)s
"""
_OWN: Final = """
    SELECT 'following', name FROM followed_tags WHERE account_id = %(viewer)s AND name = ANY(%(names)s::text[])
    UNION ALL SELECT 'featuring', name FROM featured_tags WHERE account_id = %(viewer)s AND name = ANY(%(names)s::text[])
"""
_FOLLOWED: Final = {
    up: f"SELECT name, id FROM followed_tags WHERE account_id = %s AND id < %s AND id > %s ORDER BY id {order} LIMIT %s".encode()
    for up, order in ((True, "ASC"), (False, "DESC"))
}

Use = dict[str, tuple[int, int]]
"""How often, and by how many, a hashtag was used on a day (`2026-01-31`)."""


async def as_json(connection: Connection, public_url: str, viewer: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """Tags with their use on the last seven days, told by the first second of each in UTC; one that nobody used yet is as good as any."""
    if not names:
        return []
    used, own = await _use(connection, names), await _own(connection, viewer, names)
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=back) for back in range(7)]
    return [
        {
            "id": name,
            "name": name,
            "url": tag_url(public_url, name),
            "history": [
                {"day": str(int(day.timestamp())), "uses": str(uses), "accounts": str(people)}
                for day, (uses, people) in ((day, used[name].get(day.date().isoformat(), (0, 0))) for day in days)
            ],
            "following": ("following", name) in own,
            "featuring": ("featuring", name) in own,
        }
        for name in names
    ]


async def beginning(connection: Connection, prefix: str, limit: int, offset: int) -> list[str]:
    """Hashtags that begin so and that public posts have, the exact one first, then what is used most these days."""
    name = prefix.strip().removeprefix("#").lower()
    if not name:
        return []
    parameters = {"prefix": name, "prefix_end": name + BEHIND_ALL, "limit": limit, "offset": offset}
    return [row[0] for row in await (await connection.execute(_BEGINNING, parameters)).fetchall()]


async def followed(connection: Connection, owner: int, page: Page) -> tuple[list[str], list[int]]:
    """What somebody follows: names, and ids to page by, the latest first."""
    rows = await (await connection.execute(_FOLLOWED[page.upwards], (owner, page.below, page.above, page.limit))).fetchall()
    if page.upwards:
        rows.reverse()
    return [row[0] for row in rows], [row[1] for row in rows]


async def _use(connection: Connection, names: Sequence[str]) -> dict[str, Use]:
    found: dict[str, Use] = defaultdict(dict)
    since = first_id_at(now() - timedelta(days=8))
    for name, day, uses, people in await (await connection.execute(_USE, {"names": list(names), "since": since})).fetchall():
        found[name][str(day)] = (uses, people)
    return found


async def _own(connection: Connection, viewer: int, names: Sequence[str]) -> set[tuple[str, str]]:
    """Which of the hashtags somebody follows or features."""
    if not viewer:
        return set()
    rows = await (await connection.execute(_OWN, {"viewer": viewer, "names": list(names)})).fetchall()
    return {(row[0], row[1]) for row in rows}
