"""The search page: people, posts and hashtags, and what posts can be narrowed by."""

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from gateway.backend import Found
from gateway.web.pages.feeds import side
from gateway.web.visitor import Visitor

_PAGE: Final = 20
_DEEPEST: Final = 1000
_KINDS: Final = ("accounts", "statuses", "hashtags")
_WITHIN: Final = ("day", "week", "month", "year")
_HAS: Final = ("media", "poll", "link")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what makes no sense in it is left out."""

    q: str
    kind: str = ""
    within: str = ""
    language: str = ""
    has: tuple[str, ...] = ()
    newest: bool = False
    exactly: bool = False
    offset: int = 0

    @classmethod
    def of(cls, params: QueryParams) -> "Asked":
        """Read an address."""
        kind, within, language, offset = (params.get(name, "") for name in ("type", "within", "language", "offset"))
        return cls(
            q=params.get("q", "").strip()[:500],
            kind=kind if kind in _KINDS else "",
            within=within if within in _WITHIN else "",
            language=language if language.isascii() and language.replace("-", "").isalpha() and len(language) <= 10 else "",
            has=tuple(what for what in _HAS if what in params.getlist("has")),
            newest=params.get("order") == "newest",
            exactly=params.get("exactly") == "true",
            offset=min(int(offset), _DEEPEST) if offset.isascii() and offset.isdigit() and len(offset) < 5 else 0,
        )

    @property
    def narrowed(self) -> list[tuple[str, str]]:
        """How posts are bounded and ordered, as parameters."""
        chosen = [("within", self.within), ("language", self.language), *(("has", what) for what in self.has)]
        chosen += [("order", "newest" if self.newest else ""), ("exactly", "true" if self.exactly else "")]
        return [(name, value) for name, value in chosen if value]

    def address(self, **changes: Any) -> str:
        """The page with something else asked; it begins anew unless the change says where."""
        other = replace(self, **{"offset": 0, **changes})
        params = [("q", other.q), ("type", other.kind), *other.narrowed, ("offset", str(other.offset or ""))]
        return f"/search?{urlencode([(name, value) for name, value in params if value])}"

    @property
    def chosen(self) -> list[tuple[str, str, str]]:
        """What posts are narrowed by: the group, the choice, and the page without it."""
        single = [("within", self.within), ("language", self.language)]
        left = [(group, value, self.address(**{group: ""})) for group, value in single if value]
        return left + [("has", value, self.address(has=tuple(other for other in self.has if other != value))) for value in self.has]


async def search(visitor: Visitor) -> Response:
    """People, posts and hashtags; typos are forgiven."""
    asked = Asked.of(visitor.request.query_params)
    found: Found | None = None
    problem, status = None, 200
    if asked.q:
        narrowed = [*asked.narrowed, ("facets", "true")]
        result = await visitor.backend.search(visitor.identity, asked.q, asked.kind, _PAGE, asked.offset, [], narrowed)
        if isinstance(result, Found):
            found = result
            problem = (
                None if result.complete else visitor._("Full-text search is away at the moment; names and hashtags are found all the same.")
            )
        else:
            status = result.status
            problem = visitor._("Search is away at the moment. Everything else works.") if status == 503 else visitor.told(result)
    shown = {"asked": asked, "found": found, "problem": problem, "next": _next(asked, found), "filter_context": "public"}
    return visitor.page("search.html", status, **shown, **await side(visitor))


def _next(asked: Asked, found: Found | None) -> str:
    """Where the results go on."""
    if found is None or asked.offset + _PAGE > _DEEPEST:
        return ""
    if asked.kind in ("", "statuses"):
        return asked.address(kind="statuses", offset=asked.offset + _PAGE) if found.more else ""
    filled = len(found.accounts if asked.kind == "accounts" else found.hashtags) == _PAGE
    return asked.address(offset=asked.offset + _PAGE) if filled else ""
