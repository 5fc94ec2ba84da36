"""The ledger of mails: planned once by its key, claimed before it is sent, never sent again while its outcome is unknown.

new → claimed → sent | failed | suppressed | outdated; claimed → new (certainly not taken) or unknown (perhaps taken);
unknown → sent (the provider has it) or new (it can't be found after a grace period).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from common.db import Database
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify.mail import providers
from notify.mail.providers import Outcome

CHANNEL: Final = "mails"
_CLAIM_LIFETIME: Final = 120
_MOST_ATTEMPTS: Final = 12
_LONGEST_PAUSE: Final = 3600

_PLAN = text("""
    INSERT INTO mails (dedupe_key, kind, account_id, details) VALUES (:key, :kind, :account_id, CAST(:details AS jsonb))
    ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
""")
# A claim that outlived its sender is of unknown outcome: the sender may have died just after the provider took the mail.
_LOST = text("""
    UPDATE mails SET state = 'unknown', not_before = now() + make_interval(secs => :wait), reason = 'the sender ended'
    WHERE state = 'claimed' AND claimed_at < now() - make_interval(secs => :lifetime)
""")
_CLAIM = text("""
    UPDATE mails SET state = 'claimed', claimed_at = now(), attempts = attempts + 1
    WHERE id IN (
        SELECT id FROM mails WHERE state = 'new' AND not_before <= now() AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))
        ORDER BY not_before LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    RETURNING id, dedupe_key, kind, account_id, details, attempts
""")
_UNCERTAIN = text("""
    SELECT id, dedupe_key, created_at, claimed_at FROM mails WHERE state = 'unknown' AND not_before <= now() ORDER BY not_before LIMIT :limit
    FOR UPDATE SKIP LOCKED
""")
_SETTLE = text("""
    UPDATE mails SET state = :state, not_before = now() + make_interval(secs => :pause), message_id = coalesce(:message_id, message_id),
        reason = :reason, sent_at = CASE WHEN :state = 'sent' THEN now() ELSE sent_at END
    WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this sender, and no other, may send now."""

    id: int
    dedupe_key: str
    kind: str
    account_id: int
    details: dict[str, Any]
    attempts: int


async def plan(session: AsyncSession, dedupe_key: str, kind: str, account_id: int, details: dict[str, Any]) -> bool:
    """Have a mail sent, in the transaction of its cause; False when one with this key was planned before."""
    values = {"key": dedupe_key, "kind": kind, "account_id": account_id, "details": orjson.dumps(details).decode()}
    planned = (await session.execute(_PLAN, values)).first() is not None
    if planned:
        await session.execute(text(f"NOTIFY {CHANNEL}"))
    return planned


async def claim(database: Database, limit: int, wait: float, kinds: list[str] | None = None) -> list[Claimed]:
    """Take mails to send, committed before anything is sent."""
    async with database.transaction() as session:
        await session.execute(_LOST, {"wait": wait, "lifetime": _CLAIM_LIFETIME})
        rows = (await session.execute(_CLAIM, {"limit": limit, "kinds": kinds})).all()
    return [Claimed(*row) for row in rows]


async def settle(database: Database, mail_id: int, attempts: int, outcome: Outcome, wait: float) -> None:
    """Write down what became of a mail."""
    state, pause = _next_state(outcome, attempts, wait)
    values = {"id": mail_id, "state": state, "pause": pause, "message_id": outcome.message_id, "reason": outcome.reason}
    async with database.transaction() as session:
        await session.execute(_SETTLE, values)


async def look_for_unknown(database: Database, provider: providers.Provider, grace: float, wait: float, limit: int = 20) -> int:
    """Ask the provider about mails of unknown outcome; return how many were looked at. Raises what the provider raises."""
    async with database.transaction() as session:
        rows = (await session.execute(_UNCERTAIN, {"limit": limit})).all()
        for row in rows:
            found = await provider.find(row.dedupe_key) if provider.can_find else None
            too_old = not provider.can_find or row.claimed_at < now() - timedelta(seconds=grace)
            state = "sent" if found else ("new" if too_old else "unknown")
            values = {"id": row.id, "state": state, "pause": wait if state == "unknown" else 0.0, "message_id": found, "reason": None}
            await session.execute(_SETTLE, values)
    return len(rows)


def _next_state(outcome: Outcome, attempts: int, wait: float) -> tuple[str, float]:
    pause = float(min(2**attempts, _LONGEST_PAUSE))
    match outcome.what:
        case providers.SENT:
            return "sent", 0.0
        case providers.RETRY:
            return ("failed", 0.0) if attempts >= _MOST_ATTEMPTS else ("new", pause)
        case providers.ALARM:
            return "new", 60.0
        case providers.UNKNOWN:
            return "unknown", wait
        case providers.SUPPRESSED:
            return "suppressed", 0.0
        case "outdated":
            return "outdated", 0.0
        case _:
            return "failed", 0.0
