"""The ledger of mails: planned once by its key, claimed before it is sent, never sent again while its outcome is unknown.

new → claimed → sent | failed | suppressed | outdated; claimed → new (certainly not taken) or unknown (perhaps taken);
unknown → sent (the provider has it), new (it can't be found after a grace period) or doubtful (nobody can be asked).

A claim is worth something only while `attempts` is what it was when it was made: whoever slept through its end can neither begin to send nor
overwrite what another wrote. A sender begins (`begun`) right before it speaks to the provider, so a claim that ended before is simply free again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from common.db import Database
from common.telemetry import current_traceparent
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify.mail import providers
from notify.mail.providers import Outcome

CHANNEL: Final = "mails"
REQUESTED: Final = ("confirmation", "reset", "notice")
"""Mails that somebody waits for, or has to see: better twice than never."""

BROADCAST: Final = "announcement"
_CLAIM_LIFETIME: Final = 120
_LOOK_LIFETIME: Final = 120
_LONGEST_PAUSE: Final = 3600
_MOST_BLIND_ATTEMPTS: Final = 3

_PLAN = text("""
    INSERT INTO mails (dedupe_key, kind, account_id, details, traceparent)
    VALUES (:key, :kind, :account_id, CAST(:details AS jsonb), :traceparent)
    ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
""")
# The sender of a claim that outlived it may have ended just after the provider took the mail, if it had begun.
_LOST = text("""
    UPDATE mails SET state = CASE WHEN begun THEN 'unknown' ELSE 'new' END, begun = true, reason = 'the sender ended',
        not_before = now() + CASE WHEN begun THEN make_interval(secs => :wait) ELSE interval '0' END
    WHERE state = 'claimed' AND claimed_at < now() - make_interval(secs => :lifetime)
""")
# A plan may run `IN (SELECT … LIMIT … FOR UPDATE)` once for each row, and take them all: a materialized part runs once.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id FROM mails WHERE state = 'new' AND not_before <= now() AND kind {kind}
        ORDER BY not_before LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE mails m SET state = 'claimed', claimed_at = now(), attempts = attempts + 1, begun = false FROM due WHERE m.id = due.id
    RETURNING m.id, m.dedupe_key, m.kind, m.account_id, m.details, m.attempts, m.traceparent
"""
_CLAIM_PERSONAL, _CLAIM_BROADCAST = (text(_CLAIM.format(kind=kind)) for kind in ("<> 'announcement'", "= 'announcement'"))
_BEGIN = text("""
    UPDATE mails m SET begun = true, claimed_at = now() FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) AS mine (id, attempts)
    WHERE m.id = mine.id AND m.attempts = mine.attempts AND m.state = 'claimed' RETURNING m.id
""")
_LOOK = text("""
    WITH due AS MATERIALIZED (
        SELECT id FROM mails WHERE state = 'unknown' AND not_before <= now() ORDER BY not_before LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE mails m SET not_before = now() + make_interval(secs => :lifetime) FROM due WHERE m.id = due.id
    RETURNING m.id, m.dedupe_key, m.kind, m.attempts, m.claimed_at
""")
_SETTLE = text("""
    UPDATE mails SET state = :state, not_before = now() + make_interval(secs => :pause), message_id = coalesce(:message_id, message_id),
        reason = :reason, begun = true
    WHERE id = :id AND attempts = :attempts AND state = ANY(CAST(:expected AS text[]))
""")
# That a mail was taken is true whoever says so and however late.
_SENT = text("""
    UPDATE mails SET state = 'sent', sent_at = now(), message_id = coalesce(:message_id, message_id), reason = NULL, begun = true
    WHERE id = :id AND state IN ('new', 'claimed', 'unknown', 'doubtful', 'failed')
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
    traceparent: str | None
    """The trace of what it was planned for."""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A mail that perhaps was taken."""

    id: int
    dedupe_key: str
    kind: str
    attempts: int
    claimed_at: datetime


async def plan(session: AsyncSession, dedupe_key: str, kind: str, account_id: int, details: dict[str, Any]) -> bool:
    """Have a mail sent, in the transaction of its cause; False when one with this key was planned before."""
    values = {"key": dedupe_key, "kind": kind, "account_id": account_id, "details": orjson.dumps(details).decode()}
    values["traceparent"] = current_traceparent()
    planned = (await session.execute(_PLAN, values)).first() is not None
    if planned:
        await session.execute(text(f"NOTIFY {CHANNEL}"))
    return planned


async def claim(database: Database, limit: int, *, broadcast: bool = False) -> list[Claimed]:
    """Take mails to send: announcements if `broadcast`, else all others; committed before anything is sent."""
    async with database.transaction() as session:
        rows = (await session.execute(_CLAIM_BROADCAST if broadcast else _CLAIM_PERSONAL, {"limit": limit})).all()
    return [Claimed(*row) for row in rows]


async def begin(database: Database, mails: Sequence[Claimed]) -> set[int]:
    """Note that these are being sent from now on; return the ids of those whose claim still holds: only they may be."""
    values = {"ids": [mail.id for mail in mails], "attempts": [mail.attempts for mail in mails]}
    async with database.transaction() as session:
        return set(await session.scalars(_BEGIN, values))


async def settle(database: Database, settled: Sequence[tuple[Claimed, Outcome]], wait: float) -> int:
    """Write down what became of mails that were claimed; return how many, without those that somebody else has settled or claimed since."""
    async with database.transaction() as session:
        return sum([await _settle(session, mail, outcome, wait) for mail, outcome in settled])


async def note_sent(session: AsyncSession, mail_id: int, message_id: str | None) -> bool:
    """Note that the provider has taken a mail, however that came to be known; False if that was known or no longer matters."""
    found = await session.execute(_SENT, {"id": mail_id, "message_id": message_id})
    return bool(found.rowcount)  # type: ignore[attr-defined]


async def release_lost(database: Database, wait: float) -> None:
    """Free the claims of senders that ended, or hang."""
    async with database.transaction() as session:
        await session.execute(_LOST, {"wait": wait, "lifetime": _CLAIM_LIFETIME})


async def uncertain(database: Database, limit: int) -> list[Uncertain]:
    """Mails of unknown outcome that are due to be looked for; nobody else looks for them for two minutes."""
    async with database.transaction() as session:
        rows = (await session.execute(_LOOK, {"limit": limit, "lifetime": _LOOK_LIFETIME})).all()
    return [Uncertain(*row) for row in rows]


async def clear_up(database: Database, mail: Uncertain, found: str | None, wait: float, grace: float, *, can_find: bool) -> None:
    """Write down what the provider said of a mail: its id for it, or None; `can_find` says whether it could say anything at all."""
    state, pause, reason = "unknown", wait, "not found yet"
    if not can_find:
        again = mail.kind in REQUESTED and mail.attempts < _MOST_BLIND_ATTEMPTS
        state, pause, reason = ("new", 0.0, "perhaps sent") if again else ("doubtful", 0.0, "perhaps sent; the server can't be asked")
    elif mail.claimed_at < now() - timedelta(seconds=grace):
        state, pause, reason = "new", 0.0, "not found"
    async with database.transaction() as session:
        if found is not None:
            await note_sent(session, mail.id, found)
            return
        values = {"id": mail.id, "attempts": mail.attempts, "expected": ["unknown"], "message_id": None}
        await session.execute(_SETTLE, {**values, "state": state, "pause": pause, "reason": reason})


async def count(database: Database) -> dict[str, int]:
    """How many mails are in each state but those that are at a good end."""
    counted = text("SELECT state, count(*) FROM mails WHERE state = ANY(:states) GROUP BY state")
    states = ["new", "claimed", "unknown", "doubtful", "failed"]
    async with database.transaction() as session:
        found = {row[0]: row[1] for row in await session.execute(counted, {"states": states})}
    return {state: found.get(state, 0) for state in states}


async def _settle(session: AsyncSession, mail: Claimed, outcome: Outcome, wait: float) -> bool:
    if outcome.what == providers.SENT:
        return await note_sent(session, mail.id, outcome.message_id)
    state, pause = _next_state(outcome, mail.attempts, wait)
    values = {"id": mail.id, "attempts": mail.attempts, "expected": ["claimed", "unknown"], "message_id": outcome.message_id}
    settled = await session.execute(_SETTLE, {**values, "state": state, "pause": pause, "reason": outcome.reason})
    return bool(settled.rowcount)  # type: ignore[attr-defined]


def _next_state(outcome: Outcome, attempts: int, wait: float) -> tuple[str, float]:
    match outcome.what:
        case providers.RETRY:
            return "new", outcome.pause or float(min(2 ** min(attempts, 12), _LONGEST_PAUSE))
        case providers.ALARM:
            return "new", 60.0
        case providers.UNKNOWN:
            return "unknown", wait
        case providers.SUPPRESSED | providers.OUTDATED:
            return outcome.what, 0.0
        case _:
            return "failed", 0.0
