"""Pages by id, never by offset: `max_id`, `since_id`, `min_id`, and the `Link` header that leads on (RFC 8288)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from starlette.datastructures import QueryParams

from common.errors import DomainError
from common.ids import MAX_ID


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: ids below `max_id` and above `since_id` newest first, or, with `min_id`, the ones just above it."""

    limit: int
    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None

    @property
    def upwards(self) -> bool:
        """Whether the entries nearest above the lower bound are wanted, not the newest."""
        return self.min_id is not None

    @property
    def above(self) -> int:
        """Exclusive lower bound."""
        return self.min_id if self.min_id is not None else (self.since_id or 0)

    @property
    def below(self) -> int:
        """Exclusive upper bound."""
        return MAX_ID if self.max_id is None else self.max_id


def read_page(request: Request, default: int = 20, most: int = 40) -> Page:
    """Read the page parameters of a request; a `limit` above `most` is cut, as clients expect. Raises `BadPage`.

    By hand, since it stands on the hottest paths: FastAPI's own way costs more than the page's query.
    """
    query = request.query_params
    limit = _number(query, "limit")
    return Page(
        min(limit, most) if limit else default,
        _number(query, "max_id"),
        _number(query, "since_id"),
        _number(query, "min_id"),
    )


def _number(query: QueryParams, name: str) -> int | None:
    value = query.get(name)
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        raise BadPage(f"Validation failed: {name} is not a number")
    return min(int(value[:20]), MAX_ID)


class BadPage(DomainError):
    """Validation failed: a page parameter is not a number"""

    code = "bad_page"


PAGE_PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": {"type": kind}, "description": told}
        for name, kind, told in (
            ("limit", "integer", "how many at most"),
            ("max_id", "string", "only what is older than this id"),
            ("since_id", "string", "only what is newer than this id, the newest first"),
            ("min_id", "string", "what follows directly upon this id"),
        )
    ]
}
"""What OpenAPI says of a route that calls `read_page`; pass as `openapi_extra`."""


def link_header(request: Request, public_url: str, ids: Sequence[int], *, full: bool) -> dict[str, str]:
    """The `Link` header for a page with these cursor ids, newest first: `next` only when the page was full, `prev` always; none for an empty page.

    `rel="next"` stands first and directly behind its address: clients look for it with a regular expression.
    """
    if not ids:
        return {}
    kept = urlencode([(name, value) for name, value in request.query_params.multi_items() if name not in ("max_id", "since_id", "min_id")])
    base = f"{public_url}{quote(request.scope['path'])}?{kept}{'&' if kept else ''}"
    links = [f'<{base}min_id={max(ids)}>; rel="prev"']
    if full:
        links.insert(0, f'<{base}max_id={min(ids)}>; rel="next"')
    return {"Link": ", ".join(links)}
