"""The worker's loop that sends what the ledger holds, and settles what is unknown."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import httpx
from common.db import Database
from psycopg import AsyncConnection
from sqlalchemy import text

from notify.mail import ledger, providers
from notify.mail.addresses import Addresses, Recipient
from notify.mail.ledger import Claimed
from notify.mail.messages import Message, compose
from notify.mail.providers import Outcome, Provider
from notify.mail.unsubscribing import Unsubscribing
from notify.settings import Settings

log = logging.getLogger(__name__)

REQUESTED: Final = ("confirmation", "reset", "notice")
_AT_ONCE: Final = 20
_TOGETHER: Final = 5
"""Mails under way to the provider. One that hangs for 20 s a mail then holds up a claim for 80 s, less than a claim lives."""
_PATIENCE: Final = 5.0
_OUTDATED: Final = Outcome("outdated", reason="no longer wanted")
_AUTH_AWAY: Final = Outcome(providers.RETRY, reason="auth is away")


class Sender:
    """Sends claimed mails; `problem` says when the provider refuses us altogether."""

    def __init__(
        self,
        settings: Settings,
        public_url: str,
        database: Database,
        provider: Provider,
        addresses: Addresses,
        unsubscribing: Unsubscribing,
    ) -> None:
        self._settings = settings
        self._public_url = public_url
        self._database = database
        self._provider = provider
        self._addresses = addresses
        self._unsubscribing = unsubscribing
        self._alarm: str | None = None

    async def problem(self) -> str | None:
        """A health check."""
        return self._alarm

    async def run(self) -> None:
        """Send for ever, woken by what is planned."""
        async with await AsyncConnection.connect(self._database.url, autocommit=True, connect_timeout=3) as connection:
            await connection.execute(f"LISTEN {ledger.CHANNEL}")
            while True:
                while await self.send_some():
                    pass
                with suppress(httpx.HTTPError):
                    await ledger.look_for_unknown(self._database, self._provider, self._settings.unknown_grace, self._settings.unknown_wait)
                async for _ in connection.notifies(timeout=_PATIENCE, stop_after=1):
                    pass

    async def send_some(self) -> int:
        """Claim and send up to 20 mails; return how many were claimed."""
        mails = await ledger.claim(self._database, _AT_ONCE, self._settings.unknown_wait)
        together = asyncio.Semaphore(_TOGETHER)

        async def send(mail: Claimed) -> None:
            async with together:
                prepared = await self._prepare(mail)
                outcome = prepared if isinstance(prepared, Outcome) else (await self._provider.send([prepared]))[0]
                await self._settle(mail, outcome)

        ended = await asyncio.gather(*(send(mail) for mail in mails), return_exceptions=True)
        for error in ended:  # raised only now: no mail is broken off for another's sake
            if error is not None:
                raise error
        return len(mails)

    async def _settle(self, mail: Claimed, outcome: Outcome) -> None:
        if outcome.what == providers.ALARM:
            self._alarm = f"mail provider: {outcome.reason}"
            log.error("the mail provider refuses us", extra={"reason": outcome.reason})
        elif outcome.what == providers.SENT:
            self._alarm = None
        await ledger.settle(self._database, mail.id, mail.attempts, outcome, self._settings.unknown_wait)

    async def _prepare(self, mail: Claimed) -> Message | Outcome:
        """Ask for address and link now, and write the mail; or say why it isn't sent."""
        try:
            if mail.kind in REQUESTED:
                wanted = await self._addresses.requested(mail.details["request_id"])
            else:
                wanted = await self._addresses.of(mail.account_id)
        except httpx.HTTPError:
            return _AUTH_AWAY
        if wanted is None or not await self._allowed(mail, wanted):
            return _OUTDATED
        if await self.suppressed(wanted.address) and mail.kind not in REQUESTED:
            return Outcome(providers.SUPPRESSED, reason="address suppressed")
        details: dict[str, Any] = {
            "title": self._settings.title,
            "public_url": self._public_url,
            "username": wanted.username,
            "link": wanted.link,
        }
        unsubscribe = None if mail.kind in REQUESTED else self._unsubscribing.link(self._public_url, mail.account_id, mail.kind)
        return compose(mail.kind, mail.dedupe_key, wanted.address, wanted.locale, details | mail.details, unsubscribe)

    async def _allowed(self, mail: Claimed, recipient: Recipient) -> bool:
        """Whether the recipient still wants this kind."""
        column = {"follow": "mail_follow", "comment": "mail_comment", "announcement": "mail_announcement"}.get(mail.kind)
        if column is None:
            return True
        async with self._database.reading() as connection:
            row = await (
                await connection.execute(f"SELECT {column} FROM people WHERE account_id = %s".encode(), (mail.account_id,))
            ).fetchone()
        return row is None or bool(row[0])

    async def suppressed(self, address: str) -> bool:
        """Whether an address takes no mail: it bounced, or complained."""
        async with self._database.reading() as connection:
            found = await connection.execute("SELECT 1 FROM suppressions WHERE address_hash = %s", (address_hash(address),))
            return await found.fetchone() is not None


def address_hash(address: str) -> bytes:
    """What is kept of a suppressed address."""
    return hashlib.sha256(address.strip().lower().encode()).digest()


def sweeper(database: Database) -> Callable[[], Awaitable[None]]:
    """Forgets details of mails that were sent half a year ago; their keys stay, so that no replay sends them again."""

    async def sweep_for_ever() -> None:
        while True:
            async with database.transaction() as session:
                await session.execute(
                    text("UPDATE mails SET details = '{}' WHERE created_at < now() - interval '180 days' AND details <> '{}'")
                )
                await session.execute(text("DELETE FROM webhooks WHERE received_at < now() - interval '7 days'"))
            await asyncio.sleep(3600)

    return sweep_for_ever
