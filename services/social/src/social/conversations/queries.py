"""Pages of conversations, by their last posts. What the viewer may not see, or doesn't want to, counts as not said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.errors import NotFound
from common.paging import Page
from common.statements import Connection, Row

from social.rendering import accounts
from social.rendering.fragments import join
from social.rendering.statuses import COLUMNS, JOINS, WIDTH, render
from social.rendering.stored import Stored
from social.rendering.visibility import NOT_BLOCKED, WANTS_TO_SEE

_LATEST: Final = 20
"""Posts of a conversation, the newest, whose authors and addressees are named as those who take part."""

_SAID: Final = f"""
    SELECT s.post_id, s.author_id FROM snapshots s JOIN profiles p ON p.account_id = s.author_id
    WHERE s.visibility = 'direct' AND NOT s.deleted AND coalesce(s.conversation_id, s.post_id) = c.conversation_id
      AND s.post_id > c.hidden_id AND {WANTS_TO_SEE}
    ORDER BY s.post_id DESC LIMIT {{limit}}
"""
_UNREAD: Final = """
    (c.last_post_id = c.marked_id OR (l.author_id <> %(viewer)s AND l.post_id > c.read_id AND NOT EXISTS (
        SELECT FROM muted_threads t WHERE t.account_id = %(viewer)s AND t.conversation_id = c.conversation_id)))
"""
_CONVERSATIONS: Final = f"""
    SELECT {COLUMNS}, c.last_post_id, c.id, {_UNREAD}
    FROM conversations c CROSS JOIN LATERAL ({_SAID.format(limit=1)}) l
    JOIN snapshots s ON s.post_id = l.post_id {JOINS}
    WHERE c.account_id = %(viewer)s AND {{which}}
"""
_PAGE: Final = {
    up: (
        _CONVERSATIONS.format(which="c.last_post_id > c.hidden_id AND c.last_post_id < %(below)s AND c.last_post_id > %(above)s")
        + f" ORDER BY c.last_post_id {order} LIMIT %(limit)s"
    ).encode()
    for up, order in ((True, "ASC"), (False, "DESC"))
}
_ONE: Final = _CONVERSATIONS.format(which="c.id = %(id)s").encode()
_PEOPLE: Final = f"""
    SELECT c.id, a.account_id, max(l.post_id) AS latest
    FROM conversations c CROSS JOIN LATERAL ({_SAID.format(limit=_LATEST)}) l
    CROSS JOIN LATERAL (SELECT l.author_id AS account_id UNION SELECT m.account_id FROM mentions m WHERE m.post_id = l.post_id) a
    WHERE c.id = ANY(%(ids)s) AND a.account_id <> %(viewer)s AND {NOT_BLOCKED.format(account="a.account_id")}
    GROUP BY c.id, a.account_id ORDER BY latest DESC, a.account_id
""".encode()
_COUNT: Final = f"""
    SELECT count(*) FROM (
        SELECT FROM conversations c CROSS JOIN LATERAL ({_SAID.format(limit=1)}) l
        WHERE c.account_id = %(viewer)s AND c.last_post_id > c.hidden_id AND (c.last_post_id > c.read_id OR c.last_post_id = c.marked_id)
          AND {_UNREAD}
        LIMIT 100
    ) unread
""".encode()


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """Conversations as JSON, the ids to page by (newest first), and whether there may be more."""

    conversations: list[bytes]
    ids: list[int]
    full: bool


async def page(connection: Connection, stored: Stored, viewer: int, page: Page) -> ConversationPage:
    """Somebody's conversations, the one with the latest post first."""
    given = {"viewer": viewer, "below": page.below, "above": page.above, "limit": page.limit}
    rows = list(await (await connection.execute(_PAGE[page.upwards], given)).fetchall())
    if page.upwards:
        rows.reverse()
    made = await _render(connection, stored, rows, viewer)
    return ConversationPage(made, [row[WIDTH] for row in rows], len(rows) == page.limit)


async def one(connection: Connection, stored: Stored, viewer: int, conversation: int) -> bytes:
    """One of somebody's conversations; raises `NotFound`."""
    rows = list(await (await connection.execute(_ONE, {"viewer": viewer, "id": conversation})).fetchall())
    made = await _render(connection, stored, rows, viewer)
    if not made:
        raise NotFound
    return made[0]


async def unread(connection: Connection, viewer: int) -> int:
    """How many conversations somebody has something unread in, at most 100."""
    row = await (await connection.execute(_COUNT, {"viewer": viewer})).fetchone()
    return int(row[0]) if row else 0


async def _render(connection: Connection, stored: Stored, rows: Sequence[Row], viewer: int) -> list[bytes]:
    if not rows:
        return []
    statuses = await render(connection, stored, rows, viewer)
    taking_part: dict[int, list[int]] = {}
    for conversation, account_id, _ in await (
        await connection.execute(_PEOPLE, {"viewer": viewer, "ids": [row[WIDTH + 1] for row in rows]})
    ).fetchall():
        taking_part.setdefault(conversation, []).append(account_id)
    known = await accounts.by_ids(connection, [viewer, *{an_id for people in taking_part.values() for an_id in people}], viewer)
    return [
        b'{"id":"%d","unread":%b,"accounts":%b,"last_status":%b}'
        % (
            row[WIDTH + 1],
            b"true" if row[WIDTH + 2] else b"false",
            join([known[an_id] for an_id in taking_part.get(row[WIDTH + 1], ()) if an_id in known] or [known[viewer]]),
            status,
        )
        for row, status in zip(rows, statuses, strict=True)
        if status is not None
    ]
