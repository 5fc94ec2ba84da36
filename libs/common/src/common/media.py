"""Files of a service in an object store: a local folder, S3, GCS or Azure, by address."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import obstore
from fastapi import APIRouter, Request
from obstore.exceptions import NotFoundError
from obstore.store import from_url
from starlette.responses import Response

from common.errors import NotFound

_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "svg": "image/svg+xml"}

_NAME: Final = re.compile(r"[\w-]{1,100}(/[\w-]{1,100}){0,4}\.\w{1,5}", re.ASCII)
"""Names of files that this product makes look like this; no other is asked of the store."""

HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""How files from strangers are served: never as anything but a picture. Names are never reused, so they may be kept for ever."""


class MediaStore:
    """Named bytes; `url` is `file:///folder`, `s3://bucket/prefix`, `gs://…` or `az://…`."""

    def __init__(self, url: str) -> None:
        if url.startswith("file://"):
            Path(url.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        self._store = from_url(url)

    async def put(self, name: str, data: bytes) -> None:
        await obstore.put_async(self._store, name, data)

    async def get(self, name: str) -> bytes:
        """Return the bytes; raises `NotFound`."""
        try:
            result = await obstore.get_async(self._store, name)
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound from error
        return bytes(await result.bytes_async())

    async def names(self) -> AsyncIterator[list[str]]:
        """What is kept of ours, some dozens at a time, in no order."""
        async for found in obstore.list(self._store, chunk_size=50):
            yield [entry["path"] for entry in found if _NAME.fullmatch(entry["path"])]

    async def delete(self, *names: str) -> None:
        """Forget files; names that are gone already don't matter."""
        for name in names:
            try:
                await obstore.delete_async(self._store, name)
            except (NotFoundError, FileNotFoundError):
                continue


def media_router(prefix: str, store_of: str = "media") -> APIRouter:
    """Serves `prefix/…` from the `MediaStore` in `app.state.<store_of>`."""
    router = APIRouter(include_in_schema=False)

    @router.get(prefix + "/{name:path}")
    async def media(name: str, request: Request) -> Response:
        suffix = name.rsplit(".", 1)[-1]
        if suffix not in _TYPES or _NAME.fullmatch(name) is None:
            raise NotFound
        store: MediaStore = getattr(request.app.state, store_of)
        return Response(await store.get(name), media_type=_TYPES[suffix], headers=HEADERS)

    return router
