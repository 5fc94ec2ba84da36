"""The worker's loops that send what the ledger holds, and settle what is unknown."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from common import telemetry
from common.db import Database
from common.telemetry import Values
from opentelemetry.trace import SpanKind
from psycopg import AsyncConnection
from sqlalchemy import text

from notify.mail import ledger, providers
from notify.mail.addresses import Addresses, Recipient
from notify.mail.ledger import Claimed, Uncertain
from notify.mail.messages import Message, compose
from notify.mail.providers import Outcome, Provider, Unanswered
from notify.mail.suppressions import MANUAL, allow, suppress, suppressed
from notify.mail.unsubscribing import Unsubscribing
from notify.settings import Settings

log = logging.getLogger(__name__)

_AT_ONCE: Final = 20
_TOGETHER: Final = 5
_PATIENCE: Final = 5.0
_COUNTED_EVERY: Final = 60.0
_FRESH: Final = 10.0
"""Seconds for which a sender that has just begun may rely on it: less than any claim lives, however long the process was stopped."""

_REACTIVATING: Final = 120.0
"""Seconds: Postmark takes about a minute."""

_COLUMNS: Final = {"follow": "mail_follow", "comment": "mail_comment", "announcement": "mail_announcement"}
_OUTDATED: Final = Outcome(providers.OUTDATED, reason="no longer wanted")
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
        self._counted: dict[str, int] = {}
        self._counted_until = 0.0
        telemetry.gauge("microblog.mails", "{mail}", "mails by state: what waits, and what failed or is in doubt", self._measured)

    async def problem(self) -> str | None:
        """A health check."""
        return self._alarm

    def _measured(self) -> Values:
        return [(number, {"state": state}) for state, number in self._counted.items()]

    async def run(self) -> None:
        """Send mails to single people for ever, woken by what is planned."""
        async with await AsyncConnection.connect(self._database.url, autocommit=True, connect_timeout=3) as connection:
            await connection.execute(f"LISTEN {ledger.CHANNEL}")
            while True:
                while await self.send_some():
                    pass
                async for _ in connection.notifies(timeout=_PATIENCE, stop_after=1):
                    pass

    async def tend(self) -> None:
        """Send announcements and settle what is uncertain, for ever; beside `run`, so that neither waits for the other."""
        while True:
            await self.settle_unknown()
            while await self.send_batch():
                pass
            if telemetry.enabled() and time.monotonic() > self._counted_until:
                self._counted, self._counted_until = await ledger.count(self._database), time.monotonic() + _COUNTED_EVERY
            await asyncio.sleep(_PATIENCE)

    async def send_some(self) -> int:
        """Claim and send up to 20 mails to single people, some at the same time; return how many were claimed."""
        mails = await ledger.claim(self._database, _AT_ONCE)
        await self._each([[mail] for mail in mails])
        return len(mails)

    async def send_batch(self) -> int:
        """Claim and send announcements, as many in one call as the provider takes; return how many were claimed."""
        size = self._provider.batch
        mails = await ledger.claim(self._database, max(size, _AT_ONCE), broadcast=True)
        await self._each([mails[start : start + size] for start in range(0, len(mails), size)])
        return len(mails)

    async def settle_unknown(self, limit: int = _AT_ONCE) -> int:
        """Ask the provider about mails of unknown outcome; return how many were due."""
        await ledger.release_lost(self._database, self._settings.unknown_wait)
        mails = await ledger.uncertain(self._database, limit)
        await _together([self._look_for(mail) for mail in mails])
        return len(mails)

    async def _look_for(self, mail: Uncertain) -> None:
        wait, grace, can_find = self._settings.unknown_wait, self._settings.unknown_grace, self._provider.can_find
        try:
            found = await self._provider.find(mail.dedupe_key) if can_find else None
        except Unanswered as error:
            log.warning("the mail provider can't be asked", extra={"reason": str(error)})
            return  # it is due again when the look has expired
        await ledger.clear_up(self._database, mail, found, wait, grace, can_find=can_find)

    async def _each(self, groups: list[list[Claimed]]) -> None:
        await _together([self._traced(group) for group in groups])

    async def _traced(self, mails: list[Claimed]) -> None:
        """Send within the trace of what the mail was planned for; several in one call are linked to theirs."""
        traces = [mail.traceparent for mail in mails]
        parent, links = (traces[0], []) if len(traces) == 1 else (None, traces)
        with telemetry.span("send mail", SpanKind.CLIENT, parent, links):
            await self._send(mails)

    async def _send(self, mails: list[Claimed]) -> None:
        """Write mails, send those that may be sent in one call, and settle each."""
        prepared = dict(zip((mail.id for mail in mails), await self._prepare(mails), strict=True))
        outcomes = {an_id: made for an_id, made in prepared.items() if isinstance(made, Outcome)}
        messages = {an_id: made for an_id, made in prepared.items() if isinstance(made, Message)}
        held = await self._begin([mail for mail in mails if mail.id in messages]) if messages else set()
        sent = {an_id: message for an_id, message in messages.items() if an_id in held}
        outcomes |= dict(zip(sent, await self._provider.send(list(sent.values())), strict=True)) if sent else {}
        for an_id, message in sent.items():
            await self._learn(message, outcomes[an_id])
        settled = [(mail, outcomes[mail.id]) for mail in mails if mail.id in outcomes]
        if await ledger.settle(self._database, settled, self._settings.unknown_wait) < len(mails):
            log.warning("mails were settled by somebody else", extra={"ids": [mail.id for mail in mails]})

    async def _begin(self, mails: list[Claimed]) -> set[int]:
        """The ids of those that may be sent right now. Who was stopped while asking asks again: another may hold the claims by then."""
        while True:
            asked = time.monotonic()
            held = await ledger.begin(self._database, mails)
            if time.monotonic() - asked < _FRESH:
                return held

    async def _learn(self, message: Message, outcome: Outcome) -> None:
        """Remember what an answer says of us, or of the address."""
        if outcome.what == providers.ALARM:
            self._alarm = f"mail provider: {outcome.reason}"
            log.error("the mail provider refuses us", extra={"reason": outcome.reason})
        elif outcome.what == providers.SENT:
            self._alarm = None
        elif outcome.what == providers.SUPPRESSED:
            async with self._database.transaction() as session:
                stream = self._provider.stream_of(broadcast=message.broadcast)
                await suppress(session, message.address, stream, outcome.reason or "refused")

    async def _prepare(self, mails: list[Claimed]) -> list[Message | Outcome]:
        """Ask for addresses and links now, and write the mails; or say why one isn't sent."""
        try:
            recipients = await self._recipients(mails)
        except httpx.HTTPError:
            return [_AUTH_AWAY] * len(mails)
        return [await self._write(mail, recipients.get(mail.id)) for mail in mails]

    async def _recipients(self, mails: list[Claimed]) -> dict[int, Recipient]:
        """Who gets which mail, by the id of the mail."""
        found = {mail.id: await self._addresses.requested(mail.details["request_id"]) for mail in mails if mail.kind in ledger.REQUESTED}
        others = [mail for mail in mails if mail.kind not in ledger.REQUESTED]
        people = await self._addresses.of([mail.account_id for mail in others]) if others else {}
        found |= {mail.id: people.get(mail.account_id) for mail in others}
        return {an_id: recipient for an_id, recipient in found.items() if recipient is not None}

    async def _write(self, mail: Claimed, recipient: Recipient | None) -> Message | Outcome:
        if recipient is None:
            return _OUTDATED
        unsubscribe = None
        if mail.kind not in ledger.REQUESTED:
            refused = await self._refused(mail, recipient)
            if refused is not None:
                return refused
            unsubscribe = self._unsubscribing.link(self._public_url, mail.account_id, mail.kind)
        details: dict[str, Any] = {
            "title": self._settings.title,
            "public_url": self._public_url,
            "username": recipient.username,
            "link": recipient.link,
        }
        try:
            return compose(mail.kind, mail.dedupe_key, recipient.address, recipient.locale, details | mail.details, unsubscribe, mail.id)
        except Exception as error:  # a mail that can't be written must not keep the others from being sent
            log.exception("a mail can't be written", extra={"id": mail.id})
            return Outcome(providers.FAILED, reason=f"unwritable: {type(error).__name__}")

    async def _refused(self, mail: Claimed, recipient: Recipient) -> Outcome | None:
        """Why the recipient gets no mail of this kind; None when they do."""
        async with self._database.reading() as connection:
            statement = f"SELECT {_COLUMNS[mail.kind]}, preferred_at FROM people WHERE account_id = %s"
            person = await (await connection.execute(statement.encode(), (mail.account_id,))).fetchone()
        if person is not None and not person[0]:
            return _OUTDATED
        kept = await suppressed(self._database, recipient.address, self._provider.stream_of(broadcast=mail.kind == ledger.BROADCAST))
        if kept is None:
            return None
        chosen_since = person is not None and person[1] is not None and person[1] > kept.since
        if kept.reason == MANUAL and chosen_since:
            return await self._reactivate(recipient, kept.stream)
        return Outcome(providers.SUPPRESSED, reason="address suppressed")

    async def _reactivate(self, recipient: Recipient, stream: str) -> Outcome:
        """Take back at the provider what the recipient, who clicked its link once, has chosen otherwise since."""
        try:
            await self._provider.reactivate(stream, recipient.address)
        except Unanswered as error:
            return Outcome(providers.RETRY, reason=str(error))
        async with self._database.transaction() as session:
            await allow(session, recipient.address, stream)
        return Outcome(providers.RETRY, reason="being reactivated", pause=_REACTIVATING)


async def _together(work: list[Awaitable[None]]) -> None:
    """Do some at a time, and all of it: none is broken off for another's sake."""
    turns = asyncio.Semaphore(_TOGETHER)

    async def do(one: Awaitable[None]) -> None:
        async with turns:
            await one

    for error in await asyncio.gather(*map(do, work), return_exceptions=True):
        if error is not None:
            raise error


def sweeper(database: Database) -> Callable[[], Awaitable[None]]:
    """Forgets details of mails that were sent half a year ago; their keys stay, so that no replay sends them again."""

    async def sweep_for_ever() -> None:
        while True:
            async with database.transaction() as session:
                await session.execute(
                    text("""
                        UPDATE mails SET details = '{}' WHERE created_at < now() - interval '180 days' AND details <> '{}'
                          AND state NOT IN ('new', 'claimed', 'unknown')
                    """)
                )
                await session.execute(text("DELETE FROM webhooks WHERE received_at < now() - interval '7 days'"))
            await asyncio.sleep(3600)

    return sweep_for_ever
