"""Single posts, threads, and who reacted."""

from collections.abc import Iterable
from typing import Any

from common.api import PathId
from common.errors import NotFound
from common.hot import hot
from common.ids import MAX_ID
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Request
from starlette.responses import Response

from social.deps import database_of, json_answer, page_answer, stored_of, viewer_of
from social.posts import queries
from social.rendering import accounts, statuses

router = APIRouter(tags=["statuses"])


@router.get("/api/v1/statuses")
async def several(request: Request) -> Response:
    """Statuses by `id[]`, at most 40, in that order; what the viewer may not see is left out."""
    ids = numbers(request, "id", 40)
    viewer = await viewer_of(request)
    async with database_of(request).reading() as connection:
        return json_answer(await statuses.in_order(connection, stored_of(request), ids, viewer))


@router.get("/api/v1/statuses/{status_id}")
@hot
async def one(status_id: PathId, request: Request) -> Response:
    """A Status; 404 when the viewer may not see it."""
    viewer = await viewer_of(request)
    async with database_of(request).reading() as connection:
        found = await statuses.by_ids(connection, stored_of(request), [status_id], viewer)
    if status_id not in found:
        raise NotFound
    return json_answer(found[status_id][0])


@router.get("/api/v1/statuses/{status_id}/context")
async def context(status_id: PathId, request: Request) -> Response:
    """What a post answers, and the answers to it: a Context."""
    viewer, stored = await viewer_of(request), stored_of(request)
    async with database_of(request).reading() as connection:
        post_id = int((await queries.guard(connection, status_id, viewer))["post_id"])
        ancestors, descendants = await queries.thread(connection, post_id, anonymous=not viewer)
        before = await statuses.in_order(connection, stored, ancestors, viewer, statuses.LISTED)
        after = await statuses.in_order(connection, stored, descendants, viewer, statuses.LISTED)
    return json_answer(b'{"ancestors":%b,"descendants":%b}' % (before, after))


@router.get("/api/v1/statuses/{status_id}/favourited_by", openapi_extra=PAGE_PARAMETERS)
async def favourited_by(status_id: PathId, request: Request) -> Response:
    """Who liked a post: an array of Account."""
    return await _who(status_id, request, "favourites")


@router.get("/api/v1/statuses/{status_id}/reblogged_by", openapi_extra=PAGE_PARAMETERS)
async def reblogged_by(status_id: PathId, request: Request) -> Response:
    """Who boosted a post: an array of Account."""
    return await _who(status_id, request, "boosts")


async def _who(status_id: int, request: Request, which: str) -> Response:
    viewer, page = await viewer_of(request), read_page(request, 40, 80)
    async with database_of(request).reading() as connection:
        post_id = int((await queries.guard(connection, status_id, viewer))["post_id"])
        people, ids = await queries.who(connection, which, post_id, viewer, page)
        return page_answer(request, await accounts.in_order(connection, people, viewer), ids, full=len(ids) == page.limit)


def numbers(request: Request, name: str, most: int) -> list[int]:
    """Ids given as `name[]=1&name[]=2` or `name=1`; what is no id is left out."""
    return as_ids([*request.query_params.getlist(f"{name}[]"), *request.query_params.getlist(name)], most)


def as_ids(given: Iterable[Any], most: int) -> list[int]:
    """The first ids of what was given, each once; what is no id is left out."""
    ids = [int(value) for value in map(str, given) if value.isascii() and value.isdigit() and len(value) < 20]
    return [an_id for an_id in dict.fromkeys(ids) if an_id <= MAX_ID][:most]
