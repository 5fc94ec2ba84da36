"""Accounts as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from common.statements import Connection
from common.times import iso

from social.rendering import fragments
from social.rendering.visibility import MAY_OPEN, NOT_BLOCKED

COLUMNS: Final = "{p}.head, coalesce({c}.statuses, 0), coalesce({c}.followers, 0), coalesce({c}.following, 0), {c}.last_status_on::text"
"""Five columns that `fragments.account` takes, of a profile `{p}` and its counts `{c}`."""

_BY_IDS: Final = f"""
    SELECT p.account_id, {COLUMNS.format(p="p", c="c")}
    FROM profiles p LEFT JOIN profile_counts c ON c.account_id = p.account_id
    WHERE p.account_id = ANY(%(ids)s) AND p.shown AND {{rule}}
"""
_SHOWN: Final = _BY_IDS.replace("{rule}", NOT_BLOCKED.format(account="p.account_id")).encode()
_OPENED: Final = _BY_IDS.replace("{rule}", MAY_OPEN.format(account="p.account_id")).encode()


async def by_ids(connection: Connection, ids: Sequence[int], viewer: int, *, opened: bool = False) -> dict[int, bytes]:
    """Accounts by id, those that are shown and that no block hides from the viewer; `opened`: but not from who blocks them."""
    if not ids:
        return {}
    rows = await (await connection.execute(_OPENED if opened else _SHOWN, {"ids": list(ids), "viewer": viewer})).fetchall()
    return {row[0]: fragments.account(*row[1:]) for row in rows}


async def in_order(connection: Connection, ids: Sequence[int], viewer: int, *, opened: bool = False) -> bytes:
    """A JSON array of accounts in the order of the ids; hidden ones are left out."""
    found = await by_ids(connection, ids, viewer, opened=opened)
    return fragments.join([found[an_id] for an_id in ids if an_id in found])


def muted(account: bytes, ends_at: datetime | None) -> bytes:
    """A MutedAccount: an Account, and when its mute ends."""
    return b'%b,"mute_expires_at":%b}' % (account[:-1], b'"%b"' % iso(ends_at).encode() if ends_at else b"null")
