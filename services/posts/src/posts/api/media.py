"""Pictures: upload, alt text, removal."""

import secrets
from typing import Annotated, Any

from common.api import PathId, Transaction
from common.attachments import attachment
from common.bodies import body, described, read_fields
from common.images import MAX_BYTES, BadImage, ImageTooLarge, prepare
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse

from posts import commands, domain, queries
from posts.api.bodies import MediaUpdate
from posts.commands import MediaChange
from posts.deps import ASite, Store, Uploader
from posts.states import media_state

router = APIRouter(tags=["media"])

_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "description": {"type": "string", "maxLength": domain.MAX_DESCRIPTION},
                        "focus": {"type": "string"},
                    },
                }
            }
        }
    }
}


@router.post("/api/v1/media", openapi_extra=_UPLOAD, max_body_size=2 * MAX_BYTES + 100_000)
@router.post("/api/v2/media", openapi_extra=_UPLOAD, max_body_size=2 * MAX_BYTES + 100_000)
async def upload(request: Request, caller: Uploader, site: ASite, store: Store, session: Transaction) -> dict[str, Any]:
    """Take a picture: PNG, JPEG, WebP or GIF up to 16 MB and 40 million pixels.

    It is written anew, so that nothing but the picture remains: no metadata, no place. 422 says what is wrong with it.
    """
    fields = await read_fields(request)
    file = fields.get("file")
    if not isinstance(file, UploadFile):
        raise BadImage("Validation failed: File can't be blank")
    data = await file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageTooLarge
    description = domain.check_description(_text(fields.get("description")))
    prepared = await prepare(data)
    name = f"{secrets.token_hex(2)}/{secrets.token_urlsafe(16)}"
    await store.put(f"{name}.{prepared.original.suffix}", prepared.original.data)
    await store.put(f"{name}-small.{prepared.preview.suffix}", prepared.preview.data)
    row = await commands.add_media(session, caller.account_id, name, prepared, description, _text(fields.get("focus")))
    return attachment(media_state(row, site.public_url))


@router.get("/api/v1/media/{media_id}")
async def media(media_id: PathId, caller: Uploader, site: ASite, session: Transaction) -> dict[str, Any]:
    """One's own picture; it is ready as soon as the upload answered."""
    return attachment(media_state(await queries.own_media(session, media_id, caller.account_id), site.public_url))


@router.put("/api/v1/media/{media_id}", openapi_extra=described(MediaUpdate))
async def change(
    media_id: PathId, new: Annotated[MediaUpdate, Depends(body(MediaUpdate))], caller: Uploader, site: ASite, session: Transaction
) -> dict[str, Any]:
    """Set alt text and focal point of a picture that no post has yet. 422 when one has: edit the post instead."""
    wanted = MediaChange(media_id, new.description, domain.clamp_focus(new.focus))
    return attachment(media_state(await commands.change_media(session, caller.account_id, wanted), site.public_url))


@router.delete("/api/v1/media/{media_id}")
async def remove(media_id: PathId, caller: Uploader, store: Store, session: Transaction) -> JSONResponse:
    """Delete a picture that no post has."""
    names = await commands.remove_media(session, caller.account_id, media_id)
    await store.delete(*names)
    return JSONResponse({})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
