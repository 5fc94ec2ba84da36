"""Home, public feed, hashtags."""

import asyncio
import re
import secrets
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are those of 3.2

from gateway.web import forms, i18n
from gateway.web.visitor import Visitor

_TABS = 4
"""Lists beside the feeds at the top of the home page; the others are a page away."""
_NEXT = re.compile(r"max_id=(\d+)[^>]*>; rel=\"next\"")


async def home(visitor: Visitor) -> Response:
    """One's own feed with a box to write in; for strangers, what this is and what is new here."""
    if not visitor.identity.is_user:
        posts, older = await feed(visitor, "/api/v1/timelines/public")
        return visitor.page("welcome.html", posts=posts, older=older, older_path="/public")
    if visitor.state == "unconfirmed":
        return visitor.page("unconfirmed.html")
    posts, older = await feed(visitor, "/api/v1/timelines/home")
    told = await visitor.call("notify", "GET", "/api/v1/announcements")
    news = next((entry for entry in told.json() if not entry["read"]), None) if told.ok else None
    listed = await visitor.call("social", "GET", "/api/v1/lists")
    shown = {
        "posts": posts,
        "older": older,
        "older_path": "/",
        "filter_context": "home",
        "suggested": await _suggested(visitor),
        "read": await _read_until(visitor, posts),
        "lists": listed.json()[:_TABS] if listed.ok else [],
    }
    return visitor.page("home.html", form=composer(visitor), once=secrets.token_hex(8), news=news, **shown, **await side(visitor))


async def public(visitor: Visitor) -> Response:
    """Everybody's public posts."""
    posts, older = await feed(visitor, "/api/v1/timelines/public")
    shown = {"posts": posts, "older": older, "older_path": "/public", "filter_context": "public"}
    return visitor.page("feed.html", heading=visitor._("Everybody"), **shown, **await side(visitor))


async def tag(visitor: Visitor) -> Response:
    """Posts with a hashtag, and a button to follow it."""
    name = quote(visitor.request.path_params["name"], safe="")
    posts, older = await feed(visitor, f"/api/v1/timelines/tag/{name}")
    known = await visitor.fetch("social", f"/api/v1/tags/{name}") if visitor.identity.is_user else {"following": False}
    return visitor.page(
        "tag.html",
        name=visitor.request.path_params["name"],
        following=known["following"],
        posts=posts,
        older=older,
        older_path=f"/tags/{name}",
        filter_context="public",
        **await side(visitor),
    )


async def kept(visitor: Visitor) -> Response:
    """What one kept or liked."""
    visitor.require_login()
    which = visitor.request.url.path.strip("/")
    heading = visitor._("Saved") if which == "bookmarks" else visitor._("Favourites")
    posts, older = await feed(visitor, f"/api/v1/{which}")
    empty = (
        visitor._("Nothing saved yet. Press the bookmark under a post to find it here again. Only you can see this list.")
        if which == "bookmarks" and not posts
        else ""
    )
    return visitor.page("feed.html", heading=heading, posts=posts, empty=empty, older=older, older_path=f"/{which}", **await side(visitor))


async def feed(visitor: Visitor, path: str, **params: str) -> tuple[list[Any], str | None]:
    """A page of statuses and where it goes on."""
    asked = {"limit": "20", **params}
    if before := older_than(visitor):
        asked["max_id"] = before
    answer = await visitor.call("social", "GET", path, params=asked)
    visitor.demand(answer)
    leads_on = _NEXT.search(answer.headers.get("Link", answer.headers.get("link", "")))
    return answer.json(), leads_on[1] if leads_on else None


def older_than(visitor: Visitor) -> str:
    """Where a page goes on; nothing if it begins at the newest, or says what can't be."""
    wanted = visitor.request.query_params.get("max_id", "")
    return wanted if wanted.isascii() and wanted.isdigit() else ""


async def _suggested(visitor: Visitor) -> list[Any]:
    """Some people whom one may know, beside the newest page; nobody if they can't be asked for."""
    if older_than(visitor):
        return []
    answer = await visitor.call("social", "GET", "/api/v2/suggestions", params={"limit": "3"})
    found: list[Any] = answer.json() if answer.ok else []
    return found


async def _read_until(visitor: Visitor, posts: list[Any]) -> Any:
    """The newest post of the page that was seen before and when that was, None if there was none; what is shown now is kept for the next time."""
    answer = await visitor.call("notify", "GET", "/api/v1/markers", params=[("timeline[]", "home")])
    known = answer.json().get("home") if answer.ok else None
    last = int(known["last_read_id"]) if known and str(known["last_read_id"]).isdigit() else 0
    newest = max((int(entry["id"]) for entry in posts), default=0)
    if answer.ok and newest > last:
        await visitor.call("notify", "POST", "/api/v1/markers", json={"home": {"last_read_id": str(newest)}})
    return {"last": last, "at": known["updated_at"]} if known and last else None


async def side(visitor: Visitor, unread: int | None = None) -> dict[str, Any]:
    """What stands beside every page of people who are logged in."""
    if not visitor.identity.is_user:
        return {"mine": None, "unread": 0, "messages": 0}
    mine, counted, messages = await asyncio.gather(
        visitor.call("social", "GET", "/api/v1/accounts/verify_credentials"),
        visitor.call("notify", "GET", "/api/v1/notifications/unread_count"),
        visitor.call("social", "GET", "/internal/unread_conversations"),
    )
    if unread is None:
        unread = counted.json()["count"] if counted.ok else 0
    return {"mine": mine.json() if mine.ok else None, "unread": unread, "messages": messages.json()["count"] if messages.ok else 0}


def composer(visitor: Visitor, **defaults: Any) -> Any:
    """The box to write in, in the visitor's language."""
    form = forms.filled(forms.Compose, visitor.token, **defaults)
    names = [SelectChoice(code, i18n.language_name(code, visitor.locale)) for code in _LANGUAGES]
    form.language.choices = [SelectChoice("", visitor._("Recognise")), *names]
    if defaults.get("poll_expires_in") == "":
        form.poll_expires_in.choices = [SelectChoice("", "as before"), *form.poll_expires_in.choices]
    for field in (form.visibility, form.poll_expires_in):
        field.choices = [SelectChoice(choice.value, visitor._(choice.label)) for choice in field.choices]
    return form


_LANGUAGES = (
    "ar cs da de el en es eu fa fi fr gl he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh"  # what people choose from
).split()
