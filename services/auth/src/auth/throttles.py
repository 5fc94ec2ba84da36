"""How often something may be tried, counted in the database so that all replicas count together."""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from common.db import Database
from common.errors import DomainError
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from auth.domain import Throttled
from auth.tables import ThrottleRow


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries in so many seconds."""

    name: str
    tries: int
    seconds: int


LOGIN_PER_ACCOUNT = Limit("login-account", 10, 900)
LOGIN_PER_ADDRESS = Limit("login-ip", 50, 900)
RESET_PER_ACCOUNT = Limit("reset-account", 5, 3600)
RESET_PER_ADDRESS = Limit("reset-ip", 20, 3600)
LINK_PER_ADDRESS = Limit("link-ip", 30, 900)
RESEND_PER_ACCOUNT = Limit("resend-account", 5, 3600)
PASSWORD_PER_ACCOUNT = Limit("password-account", 10, 900)
CLIENT_PER_ADDRESS = Limit("client-ip", 300, 900)
APPS_PER_ADDRESS = Limit("apps-ip", 100, 3600)


class Throttles:
    """Counts in fixed windows. Subjects are stored hashed: no addresses lie here."""

    def __init__(self, database: Database, *, enabled: bool) -> None:
        self._database = database
        self._enabled = enabled

    async def count(self, limit: Limit, subject: str) -> None:
        """Count a try; raises `Throttled` beyond the limit. In a transaction of its own, so that a failed try stays counted."""
        if not self._enabled:
            return
        key, window, ends = _window(limit, subject)
        statement = insert(ThrottleRow).values(subject=key, window=window, tries=1, ends_at=datetime.fromtimestamp(ends, UTC))
        counted = statement.on_conflict_do_update(index_elements=["subject", "window"], set_={"tries": ThrottleRow.tries + 1})
        async with self._database.transaction() as session:
            tries = (await session.execute(counted.returning(ThrottleRow.tries))).scalar_one()
        if tries > limit.tries:
            raise Throttled(max(1, ends - int(time.time())))

    @asynccontextmanager
    async def failures(self, limit: Limit, subject: str) -> AsyncIterator[None]:
        """Count the block as a try only if it is refused with a `DomainError`; raises `Throttled` beyond the limit.

        A transaction of the block belongs inside it: counting while another connection is held runs out of connections.
        """
        if self._enabled:
            key, window, ends = _window(limit, subject)
            async with self._database.transaction() as session:
                found = select(ThrottleRow.tries).where(ThrottleRow.subject == key, ThrottleRow.window == window)
                if ((await session.execute(found)).scalar_one_or_none() or 0) >= limit.tries:
                    raise Throttled(max(1, ends - int(time.time())))
        try:
            yield
        except DomainError:
            await self.count(limit, subject)
            raise

    async def forget_old(self) -> None:
        async with self._database.transaction() as session:
            await session.execute(delete(ThrottleRow).where(ThrottleRow.ends_at < func.now()))


def _window(limit: Limit, subject: str) -> tuple[str, int, int]:
    """Whose tries are counted, in which window, and when that ends in Unix seconds."""
    window = int(time.time()) // limit.seconds
    return hashlib.sha256(f"{limit.name}:{subject}".encode()).hexdigest(), window, (window + 1) * limit.seconds


def address_range(ip: str) -> str:
    """What counts as one address: an IPv4 address, or a /64 of IPv6, which one household gets."""
    try:
        address = ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Address(int(address) >> 64 << 64))
    return str(address)
