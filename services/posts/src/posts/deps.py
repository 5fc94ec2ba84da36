"""What endpoints are given."""

from typing import Annotated, Any, Final

from common.api import needs
from common.identity import Identity
from common.media import MediaStore
from common.settings import SharedSettings
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from posts.commands import Site
from posts.settings import Settings


async def site_of(request: Request) -> Site:
    shared: SharedSettings = request.app.state.shared
    settings: Settings = request.app.state.settings
    return Site(shared.public_url, settings.max_characters)


async def _store(request: Request) -> MediaStore:
    store: MediaStore = request.app.state.media
    return store


ASite = Annotated[Site, Depends(site_of)]
Store = Annotated[MediaStore, Depends(_store)]
Writer = Annotated[Identity, Depends(needs("write:statuses"))]
Reader = Annotated[Identity, Depends(needs("read:statuses"))]
Uploader = Annotated[Identity, Depends(needs("write:media"))]

PUBLISHING_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255},
    "x-microblog-reply-author": {"type": "integer", "description": "whose post is answered; set by the gateway alone"},
}


def publishing_headers(request: Request) -> tuple[str | None, int | None]:
    """The key of a post that may be sent again, and whose post it answers; raises `RequestValidationError`."""
    key, author = request.headers.get("idempotency-key"), request.headers.get("x-microblog-reply-author")
    if key is not None and not 1 <= len(key) <= 255:
        raise _wrong("Idempotency-Key", "should have 1 to 255 characters")
    if author is not None and not (author.isascii() and author.isdigit()):
        raise _wrong("x-microblog-reply-author", "should be an id")
    return key, int(author) if author is not None else None


def _wrong(name: str, why: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("header", name), "msg": why, "input": None}])
