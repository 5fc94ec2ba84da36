"""Polls as JSON. They change with every vote, so they aren't in the stored bytes of posts: a page with polls on it asks once more."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from common.times import iso
from psycopg import AsyncConnection

from social.rendering.fragments import NO_POLL
from social.rendering.stored import StoredPost

_BY_IDS: Final = """
    SELECT o.post_id, o.author_id, o.options, o.multiple, o.hide_totals, o.expires_at, o.expires_at <= now(), o.tallies, o.voters, v.choices
    FROM polls o LEFT JOIN poll_votes v ON v.post_id = o.post_id AND v.revision = o.revision AND v.account_id = %(viewer)s
    WHERE o.post_id = ANY(%(ids)s)
"""


async def by_ids(connection: AsyncConnection[Any], ids: Sequence[int], viewer: int) -> dict[int, bytes]:
    """Polls by the ids of their posts; the caller made sure that the viewer may see those."""
    rows = await (await connection.execute(_BY_IDS, {"ids": list(ids), "viewer": viewer})).fetchall()
    return {row[0]: orjson.dumps(_poll(row, viewer)) for row in rows}


async def with_polls(connection: AsyncConnection[Any], posts: Mapping[int, StoredPost], viewer: int) -> Mapping[int, StoredPost]:
    """The posts, those that ask something with their poll as it stands for the viewer. Where none does, nothing is looked up."""
    asking = [post_id for post_id, post in posts.items() if post[2]]
    if not asking:
        return posts
    whole = dict(posts)
    for post_id, poll in (await by_ids(connection, asking, viewer)).items():
        head, content, _, conversation = posts[post_id]
        whole[post_id] = (head, content.removesuffix(NO_POLL) + poll, True, conversation)
    return whole


def _poll(row: Sequence[Any], viewer: int) -> dict[str, Any]:
    """A Poll of the Mastodon client API: authors count as having voted, and hidden totals are told to nobody before the end."""
    post_id, author_id, options, multiple, hide_totals, expires_at, expired, tallies, voters, choices = row
    shown = tallies if expired or not hide_totals else [None] * len(options)
    poll = {
        "id": str(post_id),
        "expires_at": iso(expires_at),
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
