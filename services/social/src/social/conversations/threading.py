"""Which thread posts are in that came without saying so.

`posts` tells it with every post. States that are older than that don't, nor did the version of this service before keep it, which may
still apply posts while it is replaced: those rows aren't `threaded`, and are seen to here, by what is kept of the posts that they answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from common.db import Database
from sqlalchemy import text

from social.conversations.projections import refresh

_AT_ONCE: Final = 500
_EVERY: Final = 60.0

THREAD: Final = """
    WITH RECURSIVE unthreaded AS MATERIALIZED (
        SELECT post_id FROM snapshots WHERE NOT threaded ORDER BY post_id DESC {limit}
    ), up AS (
        SELECT post_id, post_id AS at FROM unthreaded
        UNION ALL
        SELECT up.post_id, s.reply_to_id FROM up JOIN snapshots s ON s.post_id = up.at WHERE NOT s.threaded AND s.reply_to_id IS NOT NULL
    ), ends AS (
        SELECT up.post_id, coalesce(s.conversation_id, s.post_id) AS conversation_id
        FROM up JOIN snapshots s ON s.post_id = up.at WHERE s.threaded OR s.reply_to_id IS NULL
    )
    UPDATE snapshots s SET threaded = true, conversation_id = nullif(e.conversation_id, e.post_id)
    FROM ends e WHERE s.post_id = e.post_id AND NOT s.threaded
"""
"""Posts whose thread can't be told yet, since one that they answer isn't there, stay as they are."""

_SOME = text(
    THREAD.format(limit=f"LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED")
    + """
    RETURNING s.post_id, s.author_id, s.visibility = 'direct' AND NOT s.deleted AS direct, coalesce(s.conversation_id, s.post_id) AS conversation
"""
)
_MENTIONED = text("SELECT account_id FROM mentions WHERE post_id = :post")


async def thread_some(database: Database) -> int:
    """See to some posts, with the conversations that direct ones belong to; return how many."""
    async with database.transaction() as session:
        rows = (await session.execute(_SOME)).all()
        for row in sorted(rows, key=lambda row: row.conversation):  # others lock conversations too, in this order
            if row.direct:
                mentioned = await session.scalars(_MENTIONED, {"post": row.post_id})
                await refresh(session, row.conversation, [row.author_id, *mentioned])
        return len(rows)


def worker(database: Database) -> Callable[[], Awaitable[None]]:
    """A loop that sees to such posts; several at once do no harm."""

    async def thread_for_ever() -> None:
        while True:
            while await thread_some(database) == _AT_ONCE:
                pass
            await asyncio.sleep(_EVERY)

    return thread_for_ever
