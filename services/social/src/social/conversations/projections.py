"""Which conversations people have, kept as direct posts come, change and go.

A row says which is the last post of a conversation that somebody wrote or is named in; everything else about it is looked up when it is
shown, but for what its owner decided: up to where they read it, that it counts as unread, that older posts needn't be shown.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK: Final = 0x74616C6B

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:lock, hashint8(:conversation))")
_LAST: Final = """
    SELECT s.post_id FROM snapshots s
    WHERE s.visibility = 'direct' AND NOT s.deleted AND coalesce(s.conversation_id, s.post_id) = :conversation
      AND (s.author_id = {account} OR (SELECT 1 FROM mentions m WHERE m.post_id = s.post_id AND m.account_id = {account}) IS NOT NULL)
    ORDER BY s.post_id DESC LIMIT 1
"""
_KEEP = text(f"""
    INSERT INTO conversations AS c (account_id, conversation_id, last_post_id)
    SELECT a.id, :conversation, l.post_id
    FROM unnest(CAST(:accounts AS bigint[])) a(id) CROSS JOIN LATERAL ({_LAST.format(account="a.id")}) l
    ON CONFLICT (account_id, conversation_id) DO UPDATE SET last_post_id = EXCLUDED.last_post_id
    WHERE c.last_post_id <> EXCLUDED.last_post_id
""")
_DROP = text(f"""
    DELETE FROM conversations c WHERE c.conversation_id = :conversation AND c.account_id = ANY(:accounts)
      AND NOT EXISTS ({_LAST.format(account="c.account_id")})
""")

DERIVE: Final = """
    INSERT INTO conversations (account_id, conversation_id, last_post_id)
    SELECT account_id, conversation_id, max(post_id) FROM (
        SELECT author_id AS account_id, coalesce(conversation_id, post_id) AS conversation_id, post_id
        FROM snapshots WHERE visibility = 'direct' AND NOT deleted
        UNION ALL
        SELECT m.account_id, coalesce(s.conversation_id, s.post_id), s.post_id
        FROM snapshots s JOIN mentions m ON m.post_id = s.post_id WHERE s.visibility = 'direct' AND NOT s.deleted
    ) said GROUP BY account_id, conversation_id
"""
"""The same for everybody at once, into an empty table: for `rebuilding`."""


async def refresh(session: AsyncSession, conversation_id: int, accounts: Iterable[int]) -> None:
    """Keep what somebody's conversation is now that a post of it came, changed or went; posts and mentions are written already.

    One at a time for each conversation, so that who looks for its last post knows of all that were written before.
    """
    given = {"conversation": conversation_id, "accounts": sorted(set(accounts))}
    await session.execute(_ONE_AT_A_TIME, {"lock": _LOCK, "conversation": conversation_id})
    await session.execute(_KEEP, given)
    await session.execute(_DROP, given)
