"""Announcements: published by admins, shown to all, mailed once to everybody who takes such mail."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from common.db import Database
from common.errors import DomainError, NotFound
from common.markdown import render
from common.times import iso
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify.mail import ledger
from notify.mail.addresses import Addresses

MAX_LENGTH: Final = 5000
_CHUNK: Final = 500
_EVERY: Final = 10.0

_LIST = text("""
    SELECT a.*, EXISTS (SELECT FROM announcement_reads r WHERE r.announcement_id = a.id AND r.account_id = :viewer) AS read
    FROM announcements a WHERE withdrawn_at IS NULL ORDER BY id DESC LIMIT 20
""")


class EmptyAnnouncement(DomainError):
    """Validation failed: Text can't be blank"""

    code = "empty_announcement"


class AnnouncementTooLong(DomainError):
    """Validation failed: Text is too long (maximum is 5000 characters)"""

    code = "announcement_too_long"


async def publish(session: AsyncSession, source: str, public_url: str) -> dict[str, Any]:
    """Publish an announcement in Markdown; its mails follow by themselves. Raises `EmptyAnnouncement`, `AnnouncementTooLong`."""
    if not source.strip():
        raise EmptyAnnouncement
    if len(source) > MAX_LENGTH:
        raise AnnouncementTooLong
    rendered = render(source, public_url)
    added = text("INSERT INTO announcements (source, html, plain) VALUES (:source, :html, :plain) RETURNING *, false AS read")
    row = (await session.execute(added, {"source": source, "html": rendered.html, "plain": rendered.plain})).one()
    return as_json(row)


async def withdraw(session: AsyncSession, announcement_id: int) -> None:
    """Show an announcement no longer; mails that haven't left stay here. Raises `NotFound`."""
    gone = text("UPDATE announcements SET withdrawn_at = now() WHERE id = :id AND withdrawn_at IS NULL RETURNING id")
    if (await session.execute(gone, {"id": announcement_id})).first() is None:
        raise NotFound
    waiting = text("""
        UPDATE mails SET state = 'outdated' WHERE kind = 'announcement' AND (state = 'new' OR (state = 'claimed' AND NOT begun))
          AND details->>'announcement_id' = :id
    """)
    await session.execute(waiting, {"id": str(announcement_id)})


async def current(session: AsyncSession, viewer: int) -> list[dict[str, Any]]:
    """What is announced, newest first, in the shape of the Mastodon client API."""
    return [as_json(row) for row in await session.execute(_LIST, {"viewer": viewer})]


async def mark_read(session: AsyncSession, announcement_id: int, account_id: int) -> None:
    """Note that somebody read it. Raises `NotFound`."""
    if (await session.execute(text("SELECT 1 FROM announcements WHERE id = :id"), {"id": announcement_id})).first() is None:
        raise NotFound
    read = text("INSERT INTO announcement_reads (announcement_id, account_id) VALUES (:id, :account) ON CONFLICT DO NOTHING")
    await session.execute(read, {"id": announcement_id, "account": account_id})


def mailer(database: Database, addresses: Addresses) -> Callable[[], Awaitable[None]]:
    """A loop that plans an announcement's mails, 500 people a transaction; it goes on where it stopped."""

    async def mail_for_ever() -> None:
        while True:
            try:
                while await mail_chunk(database, addresses):
                    pass
            except httpx.HTTPError:
                pass  # auth is away: nothing is lost, the place is kept
            await asyncio.sleep(_EVERY)

    return mail_for_ever


async def mail_chunk(database: Database, addresses: Addresses) -> bool:
    """Plan the next mails of the oldest announcement that isn't mailed to all; False when there is none."""
    waiting = text("""
        SELECT id, plain, mailed_up_to FROM announcements WHERE mailed_at IS NULL AND withdrawn_at IS NULL ORDER BY id LIMIT 1
    """)
    moved = text("""
        UPDATE announcements SET mailed_up_to = :up_to, mailed_at = CASE WHEN :done THEN now() ELSE mailed_at END
        WHERE id = :id AND mailed_up_to = :from AND withdrawn_at IS NULL RETURNING id
    """)
    async with database.transaction() as session:
        row = (await session.execute(waiting)).first()
    if row is None:
        return False
    people = await addresses.page(row.mailed_up_to, _CHUNK)
    up_to, done = people[-1].account_id if people else row.mailed_up_to, len(people) < _CHUNK
    async with database.transaction() as session:
        if (await session.execute(moved, {"id": row.id, "up_to": up_to, "done": done, "from": row.mailed_up_to})).first() is None:
            return True  # another was faster, or it was withdrawn meanwhile
        for person in people:
            details = {"announcement_id": str(row.id), "plain": row.plain}
            await ledger.plan(session, f"announcement:{row.id}:{person.account_id}", "announcement", person.account_id, details)
    return True


def as_json(row: Any) -> dict[str, Any]:
    """An Announcement of the Mastodon client API."""
    return {
        "id": str(row.id),
        "content": row.html,
        "starts_at": None,
        "ends_at": None,
        "all_day": False,
        "published": True,
        "published_at": iso(row.published_at),
        "updated_at": iso(row.published_at),
        "read": row.read,
        "mentions": [],
        "statuses": [],
        "tags": [],
        "emojis": [],
        "reactions": [],
    }
