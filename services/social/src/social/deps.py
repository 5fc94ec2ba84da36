"""What endpoints are given, and how they answer with JSON that is ready already."""

from collections.abc import Sequence
from typing import Annotated

from common.api import caller, needs
from common.db import Database
from common.identity import Identity
from common.media import MediaStore
from common.paging import link_header
from common.settings import SharedSettings
from fastapi import Depends, Request
from starlette.responses import Response

from social.rendering.stored import Stored


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def public_url_of(request: Request) -> str:
    shared: SharedSettings = request.app.state.shared
    return shared.public_url


async def _store(request: Request) -> MediaStore:
    store: MediaStore = request.app.state.media
    return store


def stored_of(request: Request) -> Stored:
    stored: Stored = request.app.state.stored
    return stored


async def _stored(request: Request) -> Stored:
    return stored_of(request)


async def _public_url(request: Request) -> str:
    return public_url_of(request)


def json_answer(body: bytes, headers: dict[str, str] | None = None) -> Response:
    """Bytes of JSON as an answer."""
    return Response(body, media_type="application/json", headers=headers)


def page_answer(request: Request, body: bytes, ids: Sequence[int], *, full: bool) -> Response:
    """A page of a list, with the `Link` header that leads on."""
    return json_answer(body, link_header(request, public_url_of(request), ids, full=full))


async def viewer_of(request: Request) -> int:
    """The account that looks, 0 for nobody."""
    identity = await caller(request)
    return identity.account_id if identity.is_user else 0


TheStored = Annotated[Stored, Depends(_stored)]
PublicUrl = Annotated[str, Depends(_public_url)]
Store = Annotated[MediaStore, Depends(_store)]
Viewer = Annotated[int, Depends(viewer_of)]
Reader = Annotated[Identity, Depends(needs("read:accounts"))]
StatusReader = Annotated[Identity, Depends(needs("read:statuses"))]
ProfileWriter = Annotated[Identity, Depends(needs("write:accounts"))]
Favouriter = Annotated[Identity, Depends(needs("write:favourites"))]
Bookmarker = Annotated[Identity, Depends(needs("write:bookmarks"))]
Booster = Annotated[Identity, Depends(needs("write:statuses"))]
Voter = Annotated[Identity, Depends(needs("write:statuses"))]
ThreadMuter = Annotated[Identity, Depends(needs("write:mutes"))]
FilterReader = Annotated[Identity, Depends(needs("read:filters"))]
FilterWriter = Annotated[Identity, Depends(needs("write:filters"))]
ConversationWriter = Annotated[Identity, Depends(needs("write:conversations"))]
