"""Announcements, mail preferences, one-click unsubscribe, and what Postmark tells."""

import hashlib
import hmac
import json
from typing import Annotated, Any

from common.api import HIDDEN, Caller, PathId, Transaction, needs
from common.bodies import body, described
from common.errors import DomainError, Forbidden, LoginRequired
from common.identity import Identity
from common.settings import SharedSettings
from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from notify import announcements
from notify.mail.sender import address_hash
from notify.mail.unsubscribing import Unsubscribing
from notify.settings import Settings

router = APIRouter(tags=["announcements"])

Writer = Annotated[Identity, Depends(needs("write:accounts"))]
Reader = Annotated[Identity, Depends(needs("read:accounts"))]


async def _admin(caller: Annotated[Identity, Depends(needs("admin:write"))]) -> Identity:
    if caller.role != "admin":
        raise Forbidden
    return caller


Admin = Annotated[Identity, Depends(_admin)]


class BadLink(DomainError):
    """This link isn't one of ours"""

    code = "bad_link"


class BadHook(DomainError):
    """Validation failed: a webhook is a JSON object"""

    code = "bad_hook"


class NewAnnouncement(BaseModel):
    """`POST /api/v1/admin/announcements`; the text in Markdown."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(default="", max_length=20_000)


class MailPreferences(BaseModel):
    """Which mails somebody wants."""

    follow: bool = True
    comment: bool = True
    announcement: bool = True


class Unsubscribe(BaseModel):
    token: str = Field(max_length=300)


@router.get("/api/v1/announcements")
async def current(caller: Caller, session: Transaction) -> list[dict[str, Any]]:
    """What is announced, newest first."""
    return await announcements.current(session, caller.account_id if caller.is_user else 0)


@router.post("/api/v1/announcements/{announcement_id}/dismiss")
async def dismiss(announcement_id: PathId, caller: Writer, session: Transaction) -> dict[str, Any]:
    """Mark an announcement as read."""
    await announcements.mark_read(session, announcement_id, caller.account_id)
    return {}


@router.post("/api/v1/admin/announcements", openapi_extra=described(NewAnnouncement))
async def publish(
    new: Annotated[NewAnnouncement, Depends(body(NewAnnouncement))], caller: Admin, request: Request, session: Transaction
) -> dict[str, Any]:
    """Publish an announcement; admins only. It is mailed to everybody who takes such mail."""
    shared: SharedSettings = request.app.state.shared
    return await announcements.publish(session, new.text, shared.public_url)


@router.delete("/api/v1/admin/announcements/{announcement_id}")
async def withdraw(announcement_id: PathId, caller: Admin, session: Transaction) -> dict[str, Any]:
    """Withdraw an announcement; admins only."""
    await announcements.withdraw(session, announcement_id)
    return {}


@router.get("/api/v1/microblog/mail_preferences")
async def preferences(caller: Reader, session: Transaction) -> MailPreferences:
    """Which mails one gets."""
    statement = text("SELECT mail_follow, mail_comment, mail_announcement FROM people WHERE account_id = :owner")
    row = (await session.execute(statement, {"owner": caller.account_id})).first()
    return MailPreferences() if row is None else MailPreferences(follow=row[0], comment=row[1], announcement=row[2])


@router.put("/api/v1/microblog/mail_preferences", openapi_extra=described(MailPreferences))
async def change_preferences(
    wanted: Annotated[MailPreferences, Depends(body(MailPreferences))], caller: Writer, session: Transaction
) -> MailPreferences:
    """Choose which mails one gets."""
    statement = text("""
        INSERT INTO people (account_id, version, username, state, mail_follow, mail_comment, mail_announcement)
        VALUES (:owner, 0, :name, 'active', :follow, :comment, :announcement)
        ON CONFLICT (account_id) DO UPDATE SET mail_follow = :follow, mail_comment = :comment, mail_announcement = :announcement
    """)
    await session.execute(statement, {"owner": caller.account_id, "name": caller.name, **wanted.model_dump()})
    return wanted


@router.post("/internal/unsubscribe", **HIDDEN)
async def unsubscribe(asked: Unsubscribe, request: Request, session: Transaction) -> dict[str, Any]:
    """End one kind of mail by the link of one; no log-in, since the link was mailed to its owner."""
    settings: Settings = request.app.state.settings
    found = Unsubscribing(settings.unsubscribe_secret.get_secret_value()).read(asked.token)
    if found is None:
        raise BadLink
    account_id, kind = found
    ended = text(f"""
        INSERT INTO people (account_id, version, username, state, mail_{kind}) VALUES (:owner, 0, '', 'active', false)
        ON CONFLICT (account_id) DO UPDATE SET mail_{kind} = false RETURNING username
    """)
    return {"kind": kind, "username": await session.scalar(ended, {"owner": account_id})}


@router.post("/webhooks/postmark", **HIDDEN)
async def postmark(
    request: Request, session: Transaction, secret: Annotated[str, Header(alias="x-microblog-webhook")] = ""
) -> dict[str, Any]:
    """Bounces, complaints and deliveries; stored once. 401 for a wrong secret, as 403 would end Postmark's tries for ever."""
    settings: Settings = request.app.state.settings
    expected = settings.postmark_webhook_secret.get_secret_value() if settings.postmark_webhook_secret else ""
    if not expected or not hmac.compare_digest(secret.encode(), expected.encode()):
        raise LoginRequired("The webhook's secret is wrong")
    raw = await request.body()
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadHook
    seen = text("INSERT INTO webhooks (digest) VALUES (:digest) ON CONFLICT DO NOTHING RETURNING 1")
    if (await session.execute(seen, {"digest": hashlib.sha256(raw).digest()})).first() is None:
        return {}
    kind = told.get("RecordType")
    suppresses = (
        kind == "SpamComplaint"
        or (kind == "Bounce" and told.get("Inactive"))
        or (kind == "SubscriptionChange" and told.get("SuppressSending"))
    )
    address = told.get("Email") or told.get("Recipient")
    if suppresses and isinstance(address, str):
        added = text("INSERT INTO suppressions (address_hash, reason) VALUES (:hash, :reason) ON CONFLICT DO NOTHING")
        await session.execute(added, {"hash": address_hash(address), "reason": str(kind)})
    elif kind == "SubscriptionChange" and isinstance(address, str):
        await session.execute(text("DELETE FROM suppressions WHERE address_hash = :hash"), {"hash": address_hash(address)})
    return {}
