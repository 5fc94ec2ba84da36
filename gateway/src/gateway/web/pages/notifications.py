"""What happened to one, and what the people who run this server announce."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.web import forms
from gateway.web.pages.feeds import older_than, side
from gateway.web.visitor import Visitor, parsed_id

KINDS: Final = {
    "mentions": ("mention",),
    "favourites": ("favourite",),
    "boosts": ("reblog",),
    "followers": ("follow", "follow_request"),
    "others": ("status", "update", "poll"),
}
"""What one may look at alone: the types of the Mastodon client API by the word in the address."""

_AT_ONCE: Final = 30
_GROUPED: Final = ("favourite", "reblog", "follow")
_FACES: Final = 8


@dataclass
class Group:
    """Notifications of the same about the same, told in one sentence; the newest first."""

    unread: bool
    entries: list[Any] = field(default_factory=list)

    @property
    def first(self) -> Any:
        return self.entries[0]

    @property
    def faces(self) -> list[Any]:
        return [entry["account"] for entry in self.entries[:_FACES]]


async def notifications(visitor: Visitor) -> Response:
    """What happened to one; opening the page marks it read, looking at one kind alone doesn't."""
    visitor.require_login()
    kind = visitor.request.query_params.get("type", "")
    kind = kind if kind in KINDS else ""
    before = older_than(visitor)
    params = [("max_id", before)] if before else []
    answer, entries, ids, more = await visitor.backend.notifications(
        visitor.identity, [*params, *(("types[]", one) for one in KINDS.get(kind, ()))], _AT_ONCE
    )
    visitor.demand(answer)
    marker = await visitor.call("notify", "GET", "/api/v1/markers", params=[("timeline[]", "notifications")])
    known = marker.json().get("notifications") if marker.ok else None
    read = int(known["last_read_id"]) if known else 0
    whole = not params and not kind
    if ids and whole:
        await visitor.call("notify", "POST", "/api/v1/markers", json={"notifications": {"last_read_id": max(int(i) for i in ids)}})
    older = min((int(i) for i in ids), default=None) if more else None
    shown = {"groups": grouped(entries, read), "read_at": known["updated_at"] if known else None, "older": older, "kind": kind}
    return visitor.page("notifications.html", filter_context="notifications", **shown, **await side(visitor, 0 if whole else None))


async def dismiss(visitor: Visitor) -> Response:
    """Take away one notification, or a group of them."""
    visitor.require_login()
    sent = await visitor.form()
    ids = [parsed_id(str(an_id)) for an_id in sent.getlist("id")][:_AT_ONCE]
    for answer in await asyncio.gather(*(visitor.call("notify", "POST", f"/api/v1/notifications/{an_id}/dismiss") for an_id in ids)):
        if answer.status != 404:  # another device was faster
            visitor.demand(answer)
    return visitor.redirect(visitor.back(sent, "/notifications"))


async def clear(visitor: Visitor) -> Response:
    """Take away all of them."""
    visitor.require_login()
    await visitor.form()
    visitor.demand(await visitor.call("notify", "POST", "/api/v1/notifications/clear"))
    return visitor.redirect("/notifications")


async def announcements(visitor: Visitor) -> Response:
    """What is announced; admins write here, too."""
    form, status = forms.filled(forms.Announce, visitor.token), 200
    if visitor.request.method == "POST":
        form = forms.filled(forms.Announce, visitor.token, await visitor.form())
        if not _is_admin(visitor):
            return visitor.page("message.html", 403, heading=visitor._("Not allowed"), text=visitor._("Only admins announce."))
        if form.validate():
            made = await visitor.call("notify", "POST", "/api/v1/admin/announcements", json={"text": form.text.data})
            visitor.demand(made)
            return visitor.redirect("/announcements", visitor._("Published. It is being mailed to everybody who takes such mail."))
        status = 422
    news = await visitor.fetch("notify", "/api/v1/announcements")
    return visitor.page("announcements.html", status, news=news, form=form if _is_admin(visitor) else None, **await side(visitor))


async def change_announcement(visitor: Visitor) -> Response:
    """Put an announcement away, for oneself; or withdraw it, for everybody."""
    visitor.require_login()
    sent, verb = await visitor.form(), visitor.request.path_params["verb"]
    an_id = parsed_id(visitor.request.path_params["id"])
    if verb == "dismiss":
        visitor.demand(await visitor.call("notify", "POST", f"/api/v1/announcements/{an_id}/dismiss"))
        return visitor.redirect(visitor.back(sent, "/announcements"))
    if verb != "withdraw":
        raise HTTPException(404)
    visitor.demand(await visitor.call("notify", "DELETE", f"/api/v1/admin/announcements/{an_id}"))
    return visitor.redirect("/announcements", visitor._("Withdrawn. Mails that hadn't left won't be sent."))


def grouped(entries: list[Any], read: int) -> list[Group]:
    """Put together who liked or boosted the same post, and who follows; what is new apart from what was seen, each where its newest stands."""
    groups: dict[tuple[Any, ...], Group] = {}
    for entry in entries:
        unread = int(entry["id"]) > read
        about = entry.get("status", {}).get("id") if entry["type"] in _GROUPED else entry["id"]
        groups.setdefault((unread, entry["type"], about), Group(unread)).entries.append(entry)
    return list(groups.values())


def _is_admin(visitor: Visitor) -> bool:
    return visitor.identity.is_user and visitor.identity.role == "admin"
