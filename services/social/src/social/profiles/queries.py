"""Look-ups of profiles."""

from typing import Any, Final

from common.errors import NotFound
from common.statements import BEHIND_ALL, Connection
from common.times import iso

from social.rendering import accounts
from social.rendering.visibility import MAY_OPEN, NOT_BLOCKED, WISHES_TO_MEET

_BY_NAME: Final = "SELECT account_id FROM profiles WHERE username = %s AND shown"
_OWN: Final = """
    SELECT note_source, fields, default_visibility, default_sensitive, default_language, role, discoverable, indexable, hide_collections,
           (SELECT count(*) FROM follow_requests WHERE followed_id = account_id), created_at
    FROM profiles WHERE account_id = %s AND shown
"""

# Exact names first, then whom the viewer follows, then beginnings of names, by followers. Blocked people are found by exact name only,
# and only by the one who blocked them, so that they can be unblocked. Of a beginning that hundreds share, the first hundred by the alphabet are
# looked at, whom the viewer follows, and those among the three hundred most followed. Who is blocked is asked last, best first, so that few are.
# Ranges instead of LIKE: a prepared statement can't look for a pattern by an index.
_BEGINS: Final = "p.username ~>=~ %(prefix)s AND p.username ~<~ %(prefix_end)s"
_IS_CALLED: Final = "lower(p.display_name) ~>=~ %(word)s AND lower(p.display_name) ~<~ %(word_end)s"
_SEARCH: Final = f"""
    WITH spelled AS (
        SELECT p.account_id FROM profiles p WHERE {_BEGINS} AND p.shown AND NOT %(following)s ORDER BY p.username USING ~<~ LIMIT 100
    ), called AS (
        SELECT p.account_id FROM profiles p
        WHERE {_IS_CALLED} AND p.shown AND NOT %(following)s ORDER BY lower(p.display_name) USING ~<~ LIMIT 100
    ), candidates AS (
        SELECT p.account_id FROM profiles p WHERE p.username = %(exact)s
        UNION SELECT account_id FROM spelled
        UNION SELECT account_id FROM called
        UNION
        SELECT p.account_id FROM (
            SELECT account_id FROM profile_counts
            WHERE followers > 0 AND ((SELECT count(*) FROM spelled) = 100 OR (SELECT count(*) FROM called) = 100)
            ORDER BY followers DESC, account_id LIMIT 300
        ) c JOIN profiles p ON p.account_id = c.account_id WHERE {_BEGINS} OR {_IS_CALLED}
        UNION
        SELECT p.account_id FROM follows f JOIN profiles p ON p.account_id = f.followed_id
        WHERE f.follower_id = %(viewer)s AND ({_BEGINS} OR {_IS_CALLED})
    ), people AS (
        SELECT p.account_id, p.username = %(exact)s AS exact, f.follower_id IS NOT NULL AS followed, {_BEGINS} AS begins,
            coalesce(c.followers, 0) AS followers
        FROM candidates JOIN profiles p ON p.account_id = candidates.account_id LEFT JOIN profile_counts c ON c.account_id = p.account_id
        LEFT JOIN follows f ON f.follower_id = %(viewer)s AND f.followed_id = p.account_id
        WHERE p.shown AND (NOT %(following)s OR f.follower_id IS NOT NULL)
        ORDER BY exact DESC, followed DESC, begins DESC, followers DESC, p.account_id
        OFFSET 0
    )
    SELECT x.account_id FROM people x
    WHERE CASE WHEN x.exact THEN {MAY_OPEN.format(account="x.account_id")} ELSE {NOT_BLOCKED.format(account="x.account_id")} END
    ORDER BY x.exact DESC, x.followed DESC, x.begins DESC, x.followers DESC, x.account_id
    LIMIT %(limit)s OFFSET %(offset)s
"""

# People who wish to be found, the latest to write first, or the latest to come.
_MET: Final = f"p.shown AND p.discoverable AND {WISHES_TO_MEET.format(account='p.account_id')}"
_DIRECTORY: Final = {
    "active": f"""
        SELECT p.account_id FROM profile_counts c JOIN profiles p ON p.account_id = c.account_id
        WHERE c.last_status_on IS NOT NULL AND {_MET}
        ORDER BY c.last_status_on DESC, c.account_id DESC LIMIT %(limit)s OFFSET %(offset)s
    """,
    "new": f"SELECT p.account_id FROM profiles p WHERE {_MET} ORDER BY p.account_id DESC LIMIT %(limit)s OFFSET %(offset)s",
}


async def by_name(connection: Connection, name: str) -> int:
    """The id of who is shown under this name; raises `NotFound`."""
    row = await (await connection.execute(_BY_NAME, (name.lower(),))).fetchone()
    if row is None:
        raise NotFound
    return int(row[0])


async def one(connection: Connection, account_id: int, viewer: int) -> bytes:
    """An Account as JSON; raises `NotFound`, for those whom it blocks as well."""
    found = await accounts.by_ids(connection, [account_id], viewer, opened=True)
    if account_id not in found:
        raise NotFound
    return found[account_id]


async def own_details(connection: Connection, account_id: int) -> dict[str, Any]:
    """What only the owner sees of a profile: `source` and `role` of a CredentialAccount. Raises `NotFound`."""
    row = await (await connection.execute(_OWN, (account_id,))).fetchone()
    if row is None:
        raise NotFound
    admin = row[5] == "admin"
    return {
        "source": {
            "note": row[0],
            "fields": [{"name": f["name"], "value": f["source"], "verified_at": None} for f in row[1]],
            "privacy": row[2],
            "sensitive": row[3],
            "language": row[4],
            "follow_requests_count": row[9],
            "hide_collections": row[8],
            "discoverable": row[6],
            "indexable": row[7],
            "attribution_domains": [],
            "quote_policy": "nobody",
        },
        "role": {
            "id": {"user": "-99", "moderator": "1", "admin": "3"}.get(row[5], "-99"),
            "name": "" if row[5] == "user" else row[5].capitalize(),
            "color": "",
            "permissions": "1" if admin else "0",
            "highlighted": row[5] != "user",
            "created_at": iso(row[10]),
            "updated_at": iso(row[10]),
        },
    }


async def search(
    connection: Connection, query: str, viewer: int, *, host: str, limit: int, offset: int = 0, following: bool = False
) -> list[int]:
    """Ids of people by the beginning of a name; `@name` and `name@this-host` find exactly that one."""
    wanted = query.strip().removeprefix("@").lower()
    name, at, its_host = wanted.partition("@")
    if not name or (at and its_host != host):
        return []
    parameters = {
        "exact": name,
        "prefix": name,
        "prefix_end": name if at else name + BEHIND_ALL,
        "word": name,
        "word_end": name if at else name + BEHIND_ALL,
        "viewer": viewer,
        "following": following,
        "limit": limit,
        "offset": offset,
    }
    rows = await (await connection.execute(_SEARCH, parameters)).fetchall()
    return [row[0] for row in rows]


async def directory(connection: Connection, order: str, viewer: int, limit: int, offset: int) -> list[int]:
    """Ids of people who wish to be found, by `order`: `active` or `new`."""
    rows = await (await connection.execute(_DIRECTORY[order], {"viewer": viewer, "limit": limit, "offset": offset})).fetchall()
    return [row[0] for row in rows]
