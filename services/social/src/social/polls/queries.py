"""Looking at a poll."""

from typing import Final

from common.errors import NotFound
from common.statements import Connection

from social.rendering import polls
from social.rendering.visibility import MAY_SEE

_SEEN: Final = f"""
    SELECT s.post_id FROM snapshots s JOIN profiles p ON p.account_id = s.author_id WHERE s.post_id = %(post)s AND s.has_poll AND {MAY_SEE}
"""


async def one(connection: Connection, poll_id: int, viewer: int) -> bytes:
    """A Poll as the viewer sees it; raises `NotFound` when they may not see its post."""
    seen = await (await connection.execute(_SEEN, {"post": poll_id, "viewer": viewer})).fetchone()
    found = await polls.one(connection, poll_id, viewer) if seen is not None else None
    if found is None:
        raise NotFound
    return found
