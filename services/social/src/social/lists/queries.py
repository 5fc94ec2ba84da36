"""Look-ups of lists, always of one owner."""

from typing import Any, Final

from common.errors import NotFound
from common.paging import Page
from common.statements import Connection

_COLUMNS: Final = "l.id, l.title, l.replies_policy, l.exclusive"
_OWNED: Final = f"SELECT {_COLUMNS} FROM lists l WHERE l.owner_id = %s ORDER BY l.id"
_ONE: Final = f"SELECT {_COLUMNS} FROM lists l WHERE l.id = %s AND l.owner_id = %s"
_CONTAINING: Final = f"""
    SELECT {_COLUMNS} FROM lists l
    WHERE l.owner_id = %s AND EXISTS (SELECT FROM list_members m WHERE m.list_id = l.id AND m.account_id = %s) ORDER BY l.id
"""
_MEMBERS: Final = {
    up: f"SELECT account_id, id FROM list_members WHERE list_id = %s AND id < %s AND id > %s ORDER BY id {order} LIMIT %s".encode()
    for up, order in ((True, "ASC"), (False, "DESC"))
}


def list_json(row: Any) -> dict[str, Any]:
    """A List of the client API from its four columns."""
    an_id, title, policy, exclusive = row
    return {"id": str(an_id), "title": title, "replies_policy": policy, "exclusive": exclusive}


async def owned(connection: Connection, owner: int) -> list[dict[str, Any]]:
    """All lists of somebody, the oldest first."""
    return [list_json(row) for row in await (await connection.execute(_OWNED, (owner,))).fetchall()]


async def one(connection: Connection, owner: int, list_id: int) -> dict[str, Any]:
    """A list of the owner's; raises `NotFound`."""
    row = await (await connection.execute(_ONE, (list_id, owner))).fetchone()
    if row is None:
        raise NotFound
    return list_json(row)


async def containing(connection: Connection, owner: int, account_id: int) -> list[dict[str, Any]]:
    """The owner's lists that somebody is in."""
    return [list_json(row) for row in await (await connection.execute(_CONTAINING, (owner, account_id))).fetchall()]


async def members(connection: Connection, list_id: int, page: Page) -> tuple[list[int], list[int]]:
    """Who is in a list: account ids, and ids to page by, who came last first."""
    rows = await (await connection.execute(_MEMBERS[page.upwards], (list_id, page.below, page.above, page.limit))).fetchall()
    if page.upwards:
        rows.reverse()
    return [row[0] for row in rows], [row[1] for row in rows]
