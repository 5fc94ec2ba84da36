"""Files that pages need: Bootstrap's from its package, and our own few; addresses carry a hash, so that browsers keep them for ever."""

import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.encoding import takes_gzip

_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FROM_BOOTSTRAP: Final = {"bootstrap.css": "css/bootstrap.min.css"}
_OWN: Final = ("site.css", "logo.svg", "icons.svg")
_SCRIPTS: Final = ("page.js", "keys.js", "composer.js", "live.js")
"""What `site.js` is made of: none needs another, and each keeps its names to itself."""
_ALONE: Final = ("translate.js",)
"""Scripts of their own, for pages that need them."""

_BETWEEN: Final = re.compile(rb"(?m)^ *(?://.*)?\n|^ +")
"""What of a script is for its readers: lines of comment or of nothing, and how far others stand in."""


@cache
def content(name: str) -> bytes | None:
    """The bytes of a file by its name, None for any other name."""
    if name in _FROM_BOOTSTRAP:
        spec = find_spec("bootstrap")
        assert spec is not None, "the package bootstrap-wrapper is missing"  # noqa: S101
        folder = Path(next(iter(spec.submodule_search_locations or [])))
        return (folder / _FROM_BOOTSTRAP[name]).read_bytes()
    static = files("gateway.web") / "static"
    parts = _SCRIPTS if name == "site.js" else (name,) if name in _ALONE else ()
    if parts:
        return b"".join(b"{\n%b}\n" % _BETWEEN.sub(b"", (static / part).read_bytes()) for part in parts)
    return (static / name).read_bytes() if name in _OWN else None


@cache
def packed(name: str) -> bytes:
    """The same, compressed once and as far as it goes."""
    return gzip.compress(content(name) or b"", 9, mtime=0)


@cache
def asset(name: str) -> str:
    """The address of a file."""
    data = content(name)
    assert data is not None, name  # noqa: S101 - templates name what there is
    return f"/static/{hashlib.sha256(data).hexdigest()[:12]}/{name}"


async def serve(request: Request) -> Response:
    """A file; the hash in the path is for browsers only."""
    name = request.path_params["name"]
    data = content(name)
    if data is None:
        return Response("Not found\n", 404, media_type="text/plain")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        data, headers["Content-Encoding"] = packed(name), "gzip"
    return Response(data, media_type=_TYPES[name.rsplit(".", 1)[-1]], headers=headers)
