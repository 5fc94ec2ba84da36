"""Announcements, and which mails one gets."""

from typing import Annotated, Any

from common.api import Caller, PathId, Transaction, needs
from common.bodies import body, described
from common.errors import Forbidden
from common.identity import Identity
from common.settings import SharedSettings
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from notify import announcements

router = APIRouter(tags=["announcements"])

Writer = Annotated[Identity, Depends(needs("write:accounts"))]
Reader = Annotated[Identity, Depends(needs("read:accounts"))]


async def _admin(caller: Annotated[Identity, Depends(needs("admin:write"))]) -> Identity:
    if caller.role != "admin":
        raise Forbidden
    return caller


Admin = Annotated[Identity, Depends(_admin)]


class NewAnnouncement(BaseModel):
    """`POST /api/v1/admin/announcements`; the text in Markdown."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(default="", max_length=20_000)


class MailPreferences(BaseModel):
    """Which mails somebody gets."""

    follow: bool = True
    comment: bool = True
    announcement: bool = True


class NewMailPreferences(BaseModel):
    """`PUT /api/v1/microblog/mail_preferences`; what isn't named stays as it is."""

    follow: bool | None = None
    comment: bool | None = None
    announcement: bool | None = None


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


@router.put("/api/v1/microblog/mail_preferences", openapi_extra=described(NewMailPreferences))
async def change_preferences(
    wanted: Annotated[NewMailPreferences, Depends(body(NewMailPreferences))], caller: Writer, session: Transaction
) -> MailPreferences:
    """Choose which mails one gets; what isn't named stays as it is."""
    statement = text("""
        INSERT INTO people AS p (account_id, version, username, state, mail_follow, mail_comment, mail_announcement)
        VALUES (:owner, 0, :name, 'active', coalesce(:follow, true), coalesce(:comment, true), coalesce(:announcement, true))
        ON CONFLICT (account_id) DO UPDATE SET mail_follow = coalesce(:follow, p.mail_follow),
            mail_comment = coalesce(:comment, p.mail_comment), mail_announcement = coalesce(:announcement, p.mail_announcement),
            preferred_at = CASE WHEN :announcement AND NOT p.mail_announcement THEN now() ELSE p.preferred_at END
        RETURNING mail_follow, mail_comment, mail_announcement
    """)
    row = (await session.execute(statement, {"owner": caller.account_id, "name": caller.name, **wanted.model_dump()})).one()
    return MailPreferences(follow=row[0], comment=row[1], announcement=row[2])
