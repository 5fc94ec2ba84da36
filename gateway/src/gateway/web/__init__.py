"""The web pages: made on the server, working without scripts, in three languages."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.backend import Backend
from gateway.compose.discovery import merged_document
from gateway.settings import Settings
from gateway.web.assets import serve
from gateway.web.pages import accounts, feeds, filters, lists, messages, notifications, posts, profiles, searching
from gateway.web.visitor import Redirect, Visitor

log = logging.getLogger(__name__)

Page = Callable[[Visitor], Awaitable[Response]]

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
        "form-action {form_action}; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_BOTH: Final = ["GET", "POST"]


async def _about(visitor: Visitor) -> Response:
    return visitor.page("about.html")


async def _docs(visitor: Visitor) -> Response:
    """The API, one line for each way in."""
    return visitor.page("docs.html", document=orjson.loads(merged_document()))


async def _person_or_post(visitor: Visitor) -> Response:
    """`/@name/…` is a post by its number, a list of people, one's own lists that somebody may be in, or a part of the profile."""
    values = visitor.request.path_params
    part = values["part"]
    if part in ("followers", "following"):
        values["which"] = part
        return await profiles.people(visitor)
    if part == "lists":
        return await lists.of_person(visitor)
    if part.isascii() and part.isdigit():
        values["id"] = part
        return await posts.thread(visitor)
    values["tab"] = part
    return await profiles.profile(visitor)


_PAGES: Final[list[tuple[str, Page, list[str]]]] = [
    ("/", feeds.home, ["GET"]),
    ("/public", feeds.public, ["GET"]),
    ("/tags/{name}", feeds.tag, ["GET"]),
    ("/tags/{name}/{verb}", lists.relate_to_tag, ["POST"]),
    ("/lists", lists.lists, _BOTH),
    ("/lists/{id}", lists.one, ["GET"]),
    ("/lists/{id}/edit", lists.edit, _BOTH),
    ("/lists/{id}/delete", lists.delete, _BOTH),
    ("/lists/{id}/members", lists.change_members, ["POST"]),
    ("/bookmarks", feeds.kept, ["GET"]),
    ("/favourites", feeds.kept, ["GET"]),
    ("/search", searching.search, ["GET"]),
    ("/notifications", notifications.notifications, ["GET"]),
    ("/notifications/dismiss", notifications.dismiss, ["POST"]),
    ("/notifications/clear", notifications.clear, ["POST"]),
    ("/messages", messages.messages, ["GET"]),
    ("/messages/{id}", messages.conversation, ["GET"]),
    ("/messages/{id}/{verb}", messages.change, ["POST"]),
    ("/announcements", notifications.announcements, _BOTH),
    ("/announcements/{id}/{verb}", notifications.change_announcement, ["POST"]),
    ("/register", accounts.register, _BOTH),
    ("/login", accounts.log_in, _BOTH),
    ("/logout", accounts.log_out, ["POST"]),
    ("/reset", accounts.reset, _BOTH),
    ("/reset/use", accounts.use_reset, _BOTH),
    ("/confirm", accounts.confirm, _BOTH),
    ("/confirm/resend", accounts.resend, ["POST"]),
    ("/oauth/authorize", accounts.authorize, _BOTH),
    ("/oauth/authorize/", accounts.authorize, _BOTH),
    ("/write", posts.write, ["GET"]),
    ("/posts", posts.publish, ["POST"]),
    ("/posts/{id}/edit", posts.edit, _BOTH),
    ("/posts/{id}/delete", posts.delete, _BOTH),
    ("/posts/{id}/vote", posts.vote, ["POST"]),
    ("/posts/{id}/{verb}", posts.react, ["POST"]),
    ("/settings", profiles.settings, ["GET"]),
    ("/settings/profile", profiles.edit_profile, _BOTH),
    ("/settings/hashtags", profiles.featured_tags, _BOTH),
    ("/settings/look", profiles.change_look, ["POST"]),
    ("/settings/mail", profiles.change_mail, ["POST"]),
    ("/settings/filters", filters.filters, _BOTH),
    ("/settings/filters/{id}", filters.edit, _BOTH),
    ("/settings/filters/{id}/delete", filters.remove, ["POST"]),
    ("/settings/password", profiles.change_password, ["POST"]),
    ("/settings/devices", profiles.end_session, ["POST"]),
    ("/settings/delete", accounts.delete_account, _BOTH),
    ("/people", profiles.directory, ["GET"]),
    ("/suggestions/{id}/dismiss", profiles.dismiss, ["POST"]),
    ("/follow_requests", profiles.requests, _BOTH),
    ("/language", profiles.language, ["POST"]),
    ("/unsubscribe", profiles.unsubscribe, _BOTH),
    ("/about", _about, ["GET"]),
    ("/api/docs", _docs, ["GET"]),
    ("/@{username}", profiles.profile, ["GET"]),
    ("/@{username}/{part}", _person_or_post, ["GET"]),
    ("/@{username}/tagged/{tag}", profiles.profile, ["GET"]),
    ("/@{username}/{id}/history", posts.history, ["GET"]),
    ("/@{username}/{id}/translate", posts.translate, ["POST"]),
    ("/@{username}/{verb}", profiles.relate, ["POST"]),
]


def create_pages(settings: Settings, backend: Backend) -> Starlette:
    """The pages as an ASGI application of their own."""

    def page(function: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return _secured(await function(await Visitor.of(request, backend)), backend)

        return answer

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 500:
            log.error("a page failed", extra={"path": request.url.path}, exc_info=error)
        told = error.detail if isinstance(error, HTTPException) and status in (403, 422) else ""
        visitor = await _recognised(request, backend)
        page = visitor.page("error.html", status, status=status, told=told)
        if status == 503:
            page.headers["Retry-After"] = "1"
        return _secured(page, backend)

    async def elsewhere(request: Request, error: Exception) -> Response:
        assert isinstance(error, Redirect)  # noqa: S101 - registered for this class only
        return _secured(Visitor(request, backend).redirect(error.target), backend)

    routes = [Route(path, page(function), methods=methods) for path, function, methods in _PAGES]
    routes.append(Route("/static/{hash}/{name}", serve))
    handlers: dict[Any, Any] = {HTTPException: failed, Exception: failed, Redirect: elsewhere}
    packing = Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    return Starlette(routes=routes, exception_handlers=handlers, middleware=[packing])


async def _recognised(request: Request, backend: Backend) -> Visitor:
    """Whoever asks, since the page of an error is theirs too; a stranger if that can't be found out."""
    try:
        return await Visitor.of(request, backend)
    except HTTPException:
        return Visitor(request, backend)


def _secured(response: Response, backend: Backend) -> Response:
    secure = backend.public_url.startswith("https://")
    consent = "x-consent" in response.headers
    if consent:
        del response.headers["x-consent"]
    for name, value in _HEADERS.items():
        # After consent the browser goes on to the app's own address, which a form's policy would forbid.
        action = "'self' http: https:" if consent else "'self'"
        response.headers.setdefault(name, value.replace("{form_action}", action))
    if secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
