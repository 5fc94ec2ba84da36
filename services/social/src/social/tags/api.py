"""Hashtags: one by its name, following, and which one follows."""

from typing import Annotated, Any

import orjson
from common.api import ADatabase, User
from common.errors import OutsideScopes
from common.identity import Identity
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from social.deps import PublicUrl, Viewer, database_of, page_answer, public_url_of
from social.feeds.api import hashtag, owner
from social.tags import commands, queries

router = APIRouter(tags=["tags"])


async def _may_follow(identity: User) -> Identity:
    if not (identity.may("write:follows") or identity.may("follow")):
        raise OutsideScopes
    return identity


Follower = Annotated[Identity, Depends(_may_follow)]


@router.get("/api/v1/tags/{name}")
async def one(name: str, viewer: Viewer, database: ADatabase, public_url: PublicUrl) -> dict[str, Any]:
    """A hashtag with how it was used in the last seven days, and whether one follows it: a Tag."""
    async with database.reading() as connection:
        return (await queries.as_json(connection, public_url, viewer, [hashtag(name)]))[0]


@router.post("/api/v1/tags/{name}/follow")
async def follow(name: str, caller: Follower, database: ADatabase, public_url: PublicUrl) -> dict[str, Any]:
    """See public posts with a hashtag in one's home feed; answers the Tag."""
    async with database.transaction() as session:
        await commands.follow(session, caller.account_id, hashtag(name))
    return await one(name, caller.account_id, database, public_url)


@router.post("/api/v1/tags/{name}/unfollow")
async def unfollow(name: str, caller: Follower, database: ADatabase, public_url: PublicUrl) -> dict[str, Any]:
    """See them there no longer; answers the Tag."""
    async with database.transaction() as session:
        await commands.unfollow(session, caller.account_id, hashtag(name))
    return await one(name, caller.account_id, database, public_url)


@router.get("/api/v1/followed_tags", openapi_extra=PAGE_PARAMETERS)
async def followed(request: Request) -> Response:
    """Hashtags that one follows, the latest first: an array of Tag."""
    viewer, page = await owner(request, "read:follows"), read_page(request, 100, 200)
    async with database_of(request).reading() as connection:
        names, ids = await queries.followed(connection, viewer, page)
        tags = await queries.as_json(connection, public_url_of(request), viewer, names)
    return page_answer(request, orjson.dumps(tags), ids, full=len(ids) == page.limit)
