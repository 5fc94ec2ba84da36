"""Timelines: home, public, hashtag; favourites and bookmarks. The hottest reads: no model, no JSON made."""

from typing import Any, Final

from common.api import person
from common.hot import hot
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Request
from starlette.responses import Response

from social.deps import database_of, page_answer, stored_of, viewer_of
from social.feeds import queries
from social.feeds.pulling import Pulling
from social.feeds.queries import StatusPage
from social.feeds.returning import Readers
from social.rendering.fragments import join

router = APIRouter(tags=["timelines"])

_MOST_TAGS: Final = 4
_TAG_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": f"{name}[]",
        "in": "query",
        "required": False,
        "schema": {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_TAGS},
        "description": told,
    }
    for name, told in (
        ("any", "posts with any of these hashtags, too"),
        ("all", "only posts that have all of these hashtags as well"),
        ("none", "no posts with any of these hashtags"),
    )
]


def answer(request: Request, page: StatusPage) -> Response:
    return page_answer(request, join(page.statuses), page.ids, full=page.full)


def flag(request: Request, name: str) -> bool:
    """A switch in the query, as forms and scripts write it."""
    return request.query_params.get(name, "").lower() in ("1", "true", "t", "on", "yes")


async def owner(request: Request, scope: str) -> int:
    """The account whose own list this is; raises `LoginRequired`, `OutsideScopes`."""
    return (await person(request, scope)).account_id


def _readers_of(request: Request) -> Readers:
    readers: Readers = request.app.state.readers
    return readers


def _pulling_of(request: Request) -> Pulling:
    pulling: Pulling = request.app.state.pulling
    return pulling


@router.get("/api/v1/timelines/home", openapi_extra=PAGE_PARAMETERS)
@hot
async def home(request: Request) -> Response:
    """Posts and boosts of oneself and of whom one follows, newest first: an array of Status."""
    viewer, page = await owner(request, "read:statuses"), read_page(request)
    await _readers_of(request).reads(viewer)
    async with database_of(request).reading() as connection:
        found = await queries.home(connection, stored_of(request), viewer, page, pulled=await _pulling_of(request).some(connection))
    return answer(request, found)


@router.get("/api/v1/timelines/public", openapi_extra=PAGE_PARAMETERS)
@hot
async def public(request: Request) -> Response:
    """Everybody's public posts; `remote` ones there are none, as this server doesn't federate. `only_media`: with pictures only."""
    viewer, page = await viewer_of(request), read_page(request)
    if flag(request, "remote"):
        return answer(request, StatusPage([], [], False))
    async with database_of(request).reading() as connection:
        found = await queries.public(connection, stored_of(request), viewer, page, only_media=flag(request, "only_media"))
    return answer(request, found)


@router.get("/api/v1/timelines/tag/{name}", openapi_extra={"parameters": [*PAGE_PARAMETERS["parameters"], *_TAG_PARAMETERS]})
async def tag(name: str, request: Request) -> Response:
    """Public posts with a hashtag, `remote` ones there are none; `only_media`: with pictures only."""
    viewer, page = await viewer_of(request), read_page(request)
    if flag(request, "remote"):
        return answer(request, StatusPage([], [], False))
    async with database_of(request).reading() as connection:
        found = await queries.tag(
            connection,
            stored_of(request),
            hashtag(name),
            viewer,
            page,
            only_media=flag(request, "only_media"),
            or_any=_tags(request, "any"),
            every=_tags(request, "all"),
            none=_tags(request, "none"),
        )
    return answer(request, found)


def hashtag(name: str) -> str:
    """A hashtag as it is kept: in lower case, without the sign."""
    return name.strip().removeprefix("#").lower()


def _tags(request: Request, name: str) -> list[str]:
    """Hashtags given as `name[]=a&name[]=b`, or as `name=a`."""
    given = [*request.query_params.getlist(f"{name}[]"), *request.query_params.getlist(name)]
    return [tag for tag in dict.fromkeys(map(hashtag, given)) if tag][:_MOST_TAGS]


@router.get("/api/v1/favourites", openapi_extra=PAGE_PARAMETERS)
async def favourites(request: Request) -> Response:
    """What one liked, latest like first."""
    return await _kept(request, "favourites", "read:favourites")


@router.get("/api/v1/bookmarks", openapi_extra=PAGE_PARAMETERS)
async def bookmarks(request: Request) -> Response:
    """What one kept, latest first."""
    return await _kept(request, "bookmarks", "read:bookmarks")


async def _kept(request: Request, table: str, scope: str) -> Response:
    viewer, page = await owner(request, scope), read_page(request)
    async with database_of(request).reading() as connection:
        found = await queries.kept(connection, stored_of(request), table, viewer, page)
    return answer(request, found)
