"""Addresses that get no mail: they bounced, complained, or asked the provider. By the provider's stream, as it keeps them, and hashed."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from common.db import Database
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify.mail.providers import Provider, Suppression, Unanswered

log = logging.getLogger(__name__)

EVERY_STREAM: Final = ""
"""The stream of those that hold for every mail: a server without streams refused the address."""

MANUAL: Final = "ManualSuppression"
"""The reason of those whose owner clicked the provider's own link."""

_SOON: Final = 600.0
_DAY: Final = 86_400.0
_CHUNK: Final = 500
_SETTLED: Final = timedelta(hours=1)
"""The provider's list is a minute behind at most, what happened meanwhile is left alone."""

_ADD = text("""
    INSERT INTO suppressions (address_hash, stream, reason, created_at) VALUES (:hash, :stream, :reason, coalesce(:at, now()))
    ON CONFLICT (address_hash, stream) DO UPDATE SET reason = EXCLUDED.reason, created_at = EXCLUDED.created_at
""")
_REMOVE = text("DELETE FROM suppressions WHERE address_hash = ANY(:hashes) AND stream = :stream AND created_at < :before")


def address_hash(address: str) -> bytes:
    """What is kept of a suppressed address."""
    return hashlib.sha256(address.strip().lower().encode()).digest()


async def suppress(session: AsyncSession, address: str, stream: str, reason: str, at: datetime | None = None) -> None:
    """Send no more to an address by a stream."""
    await session.execute(_ADD, {"hash": address_hash(address), "stream": stream, "reason": reason, "at": at})


async def allow(session: AsyncSession, address: str, stream: str) -> None:
    """Send to an address by a stream again."""
    await session.execute(_REMOVE, {"hashes": [address_hash(address)], "stream": stream, "before": now() + _SETTLED})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a suppression."""

    stream: str
    reason: str
    since: datetime


async def suppressed(database: Database, address: str, stream: str) -> Kept | None:
    """Why an address gets no mail by a stream; None if it does."""
    async with database.reading() as connection:
        statement = (
            "SELECT stream, reason, created_at FROM suppressions WHERE address_hash = %s AND stream = ANY(%s) ORDER BY stream LIMIT 1"
        )
        found = await (await connection.execute(statement, (address_hash(address), [EVERY_STREAM, stream]))).fetchone()
    return None if found is None else Kept(*found)


def reconciler(database: Database, provider: Provider) -> Callable[[], Awaitable[None]]:
    """A loop that compares with the provider's own lists once a day: webhooks are tried for minutes only, and an outage misses them."""

    async def reconcile_for_ever() -> None:
        while True:
            try:
                await compare(database, provider)
            except Unanswered as error:
                log.warning("the provider's suppressions can't be read", extra={"reason": str(error)})
                await asyncio.sleep(_SOON)
            else:
                await asyncio.sleep(_DAY)

    return reconcile_for_ever


async def compare(database: Database, provider: Provider) -> None:
    """Learn what the provider suppresses in each stream. Raises `Unanswered`."""
    for stream in provider.streams:
        await _take_over(database, stream, await provider.suppressions(stream))
    if provider.streams:  # what was kept before the streams were told apart stands in their lists
        await _take_over(database, EVERY_STREAM, [])


async def _take_over(database: Database, stream: str, theirs: list[Suppression]) -> None:
    """Make what is kept of a stream what the provider says; what both have keeps its reason."""
    before = now() - _SETTLED
    told = {address_hash(one.address): one for one in theirs}
    async with database.transaction() as session:
        kept = set(await session.scalars(text("SELECT address_hash FROM suppressions WHERE stream = :stream"), {"stream": stream}))
        missed = [one for digest, one in told.items() if digest not in kept]
        gone = list(kept - told.keys())
        for start in range(0, len(gone), _CHUNK):
            await session.execute(_REMOVE, {"hashes": gone[start : start + _CHUNK], "stream": stream, "before": before})
    for start in range(0, len(missed), _CHUNK):
        async with database.transaction() as session:
            for one in missed[start : start + _CHUNK]:
                await suppress(session, one.address, stream, one.reason, one.since)
    if missed:
        log.info("suppressions were missed", extra={"stream": stream, "count": len(missed)})
