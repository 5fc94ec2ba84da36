"""Polls as JSON. They change with every vote, so they aren't in the stored bytes of posts: whatever asks for posts asks for `POLL` too."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from common.statements import Connection
from common.times import iso

POLL: Final = """
    CASE WHEN s.has_poll THEN (
        SELECT json_build_array(
            o.post_id, o.author_id, o.options, o.multiple, o.hide_totals, o.expires_at, o.expires_at <= now(), o.tallies, o.voters, v.choices
        )::text
        FROM polls o LEFT JOIN poll_votes v ON v.post_id = o.post_id AND v.revision = o.revision AND v.account_id = %(viewer)s
        WHERE o.post_id = s.post_id
    ) END
"""
"""What `s` (snapshots) asks and what `%(viewer)s` answered, for `poll`; NULL for a post that asks nothing."""

_ONE: Final = f"SELECT {POLL} FROM snapshots s WHERE s.post_id = %(post)s".encode()


async def one(connection: Connection, post_id: int, viewer: int) -> bytes | None:
    """The Poll of a post, None where it asks nothing; the caller made sure that the viewer may see it."""
    row = await (await connection.execute(_ONE, {"post": post_id, "viewer": viewer})).fetchone()
    return poll(row[0], viewer) if row is not None and row[0] is not None else None


def poll(told: str, viewer: int) -> bytes:
    """A Poll from what `POLL` gave."""
    return orjson.dumps(_poll(orjson.loads(told), viewer))


def _poll(row: Sequence[Any], viewer: int) -> dict[str, Any]:
    """A Poll of the Mastodon client API: authors count as having voted, and hidden totals are told to nobody before the end."""
    post_id, author_id, options, multiple, hide_totals, expires_at, expired, tallies, voters, choices = row
    shown = tallies if expired or not hide_totals else [None] * len(options)
    poll = {
        "id": str(post_id),
        "expires_at": iso(datetime.fromisoformat(expires_at)),
        "expired": expired,
        "multiple": multiple,
        "votes_count": sum(tallies),
        "voters_count": voters,
        "options": [{"title": title, "votes_count": votes} for title, votes in zip(options, shown, strict=True)],
        "emojis": [],
    }
    if viewer:
        poll |= {"voted": choices is not None or author_id == viewer, "own_votes": choices or []}
    return poll
