"""One-click unsubscribe, and what Postmark tells of mails and addresses."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Annotated, Any

from common.api import HIDDEN, Transaction
from common.errors import DomainError, LoginRequired
from common.ids import MAX_ID
from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field
from sqlalchemy import text

from notify.mail import ledger
from notify.mail.providers import token_of
from notify.mail.suppressions import EVERY_STREAM, MANUAL, allow, suppress
from notify.mail.unsubscribing import Unsubscribing
from notify.settings import Settings

router = APIRouter(tags=["announcements"])


class BadLink(DomainError):
    """This link isn't one of ours"""

    code = "bad_link"


class BadHook(DomainError):
    """Validation failed: a webhook is a JSON object"""

    code = "bad_hook"


class Unsubscribe(BaseModel):
    token: str = Field(max_length=300)


@router.post("/internal/unsubscribe", **HIDDEN)
async def unsubscribe(asked: Unsubscribe, request: Request, session: Transaction) -> dict[str, Any]:
    """End one kind of mail by the link of one; no log-in, since the link was mailed to its owner."""
    settings: Settings = request.app.state.settings
    found = Unsubscribing(settings.unsubscribe_secret.get_secret_value()).read(asked.token)
    if found is None:
        raise BadLink
    account_id, kind = found
    return {"kind": kind, "username": await _end(session, account_id, kind)}


@router.post("/webhooks/postmark", **HIDDEN)
async def postmark(request: Request, session: Transaction, secret: Annotated[str, Header(alias="x-webhook-secret")] = "") -> dict[str, Any]:
    """Bounces, complaints and deliveries; applied once. 401 for a wrong secret, as 403 would end Postmark's tries for ever."""
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
    kind = told.get("RecordType")
    account_id = await _settle(session, told)
    if kind not in ("Bounce", "SpamComplaint", "SubscriptionChange"):
        return {}
    seen = text("INSERT INTO webhooks (digest) VALUES (:digest) ON CONFLICT DO NOTHING RETURNING 1")
    if (await session.execute(seen, {"digest": hashlib.sha256(raw).digest()})).first() is not None:
        await _apply(session, told, account_id, settings)
    return {}


async def _settle(session: Transaction, told: dict[str, Any]) -> int | None:
    """Note that Postmark took the mail that a webhook speaks of; return whose it is, None when it isn't one of the ledger's."""
    metadata = told.get("Metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    mail_id = _text(metadata.get("mail"))
    if not (mail_id.isascii() and mail_id.isdigit()) or int(mail_id) > MAX_ID:
        return None
    row = (await session.execute(text("SELECT dedupe_key, account_id FROM mails WHERE id = :id"), {"id": int(mail_id)})).first()
    if row is None or metadata.get("dedupe-key") != token_of(row.dedupe_key):
        return None
    await ledger.note_sent(session, int(mail_id), _text(told.get("MessageID")) or None)
    return int(row.account_id)


async def _apply(session: Transaction, told: dict[str, Any], account_id: int | None, settings: Settings) -> None:
    """Suppress an address in the stream that the webhook names, and only there, or have it back."""
    address, stream = _text(told.get("Email") or told.get("Recipient")), _text(told.get("MessageStream")) or EVERY_STREAM
    reason = _text(told.get("SuppressionReason") or told.get("Type") or told.get("RecordType"))
    if not address:
        return
    if told["RecordType"] == "SubscriptionChange" and not told.get("SuppressSending"):
        await allow(session, address, stream)
    elif told["RecordType"] != "Bounce" or told.get("Inactive"):
        await suppress(session, address, stream, reason, _moment(told.get("ChangedAt") or told.get("BouncedAt")))
        if reason == MANUAL and account_id is not None and stream == settings.postmark_broadcast_stream:
            await _end(session, account_id, ledger.BROADCAST)  # whoever clicked Postmark's link sees it among their own settings


async def _end(session: Transaction, account_id: int, kind: str) -> str:
    """Send somebody no more mails of a kind; their name."""
    ended = text(f"""
        INSERT INTO people (account_id, version, username, state, mail_{kind}) VALUES (:owner, 0, '', 'active', false)
        ON CONFLICT (account_id) DO UPDATE SET mail_{kind} = false RETURNING username
    """)
    return str(await session.scalar(ended, {"owner": account_id}))


def _text(value: Any) -> str:
    return value[:300] if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
