"""Endpoints of `search`, for the gateway: ids only, which `social` makes whole for each viewer."""

from typing import Annotated, Any, Literal

from common.api import HIDDEN, Caller
from fastapi import APIRouter, Depends, Query, Request

from search import domain, queries
from search.facets import Chosen
from search.index import Index
from search.queries import Page

router = APIRouter(prefix="/internal", **HIDDEN)

_MOST_DEEP = 1000


async def _index(request: Request) -> Index:
    index: Index = request.app.state.index
    return index


TheIndex = Annotated[Index, Depends(_index)]
Text = Annotated[str, Query(max_length=500)]
Limit = Annotated[int, Query(ge=1, le=200)]
PostId = Annotated[int, Query(ge=0, lt=2**63)]
Offset = Annotated[int, Query(ge=0, le=_MOST_DEEP)]


async def _page(
    limit: Limit = 20, offset: Offset = 0, order: Literal["best", "newest"] = "best", *, exactly: bool = False, facets: bool = False
) -> Page:
    return Page(limit, offset, newest=order == "newest", exactly=exactly, facets=facets)


async def _chosen(
    within: Annotated[Literal["day", "week", "month", "year"] | None, Query()] = None,
    language: Annotated[str | None, Query(max_length=20)] = None,
    has: Annotated[list[Literal["media", "poll", "link"]] | None, Query()] = None,
) -> Chosen:
    return Chosen(within, language, frozenset(has or ()))


@router.get("/posts")
async def posts(
    index: TheIndex,
    caller: Caller,
    q: Text,
    page: Annotated[Page, Depends(_page)],
    chosen: Annotated[Chosen, Depends(_chosen)],
    account_id: str = "",
    max_id: PostId | None = None,
    min_id: PostId | None = None,
) -> dict[str, Any]:
    """Posts by words, phrases and operators; 503 without Elasticsearch."""
    query = domain.read(q)
    if query.empty:
        return {"hits": [], "total": 0, "alike": []}
    bounds: list[dict[str, Any]] = [{"term": {"author_id": account_id}}] if account_id else []
    ids = {name: value for name, value in (("lt", max_id), ("gt", min_id)) if value is not None}
    return await queries.posts(index, query, chosen, page, [*bounds, {"range": {"post_id": ids}}] if ids else bounds)


@router.get("/accounts")
async def accounts(index: TheIndex, caller: Caller, q: Text, limit: Limit = 20, offset: Offset = 0) -> dict[str, Any]:
    """People by name or bio; 503 without Elasticsearch."""
    return await queries.accounts(index, q, limit, offset) if q.strip("@ ") else {"hits": []}


@router.get("/hashtags")
async def hashtags(index: TheIndex, caller: Caller, q: Text, limit: Limit = 20, offset: Offset = 0) -> dict[str, Any]:
    """Hashtags; 503 without Elasticsearch."""
    return await queries.hashtags(index, q, limit, offset) if q.strip("# ") else {"hits": []}


@router.get("/instance")
async def instance() -> dict[str, Any]:
    """Nothing to add to the description of the server."""
    return {}
