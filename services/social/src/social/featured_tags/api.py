"""Featured hashtags, one's own and others'."""

from typing import Annotated, Any
from urllib.parse import quote

from common.addresses import profile_url
from common.api import ADatabase, PathId, needs
from common.bodies import body, described
from common.db import Database
from common.identity import Identity
from common.statements import Connection
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from social.deps import ProfileWriter, PublicUrl, Viewer
from social.featured_tags import commands, queries
from social.feeds.api import hashtag
from social.profiles import queries as profiles
from social.tags import queries as tags

router = APIRouter(tags=["featured tags"])

Reader = Annotated[Identity, Depends(needs("read:accounts"))]


class NewFeaturedTag(BaseModel):
    """`POST /api/v1/featured_tags`."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(default="", max_length=1000)


@router.get("/api/v1/featured_tags")
async def featured_tags(caller: Reader, database: ADatabase, public_url: PublicUrl) -> list[dict[str, Any]]:
    """Which hashtags one features: an array of FeaturedTag."""
    async with database.reading() as connection:
        return await _featured(connection, caller.account_id, caller.account_id, public_url)


@router.post("/api/v1/featured_tags", openapi_extra=described(NewFeaturedTag))
async def feature(
    new: Annotated[NewFeaturedTag, Depends(body(NewFeaturedTag))], caller: ProfileWriter, database: ADatabase, public_url: PublicUrl
) -> dict[str, Any]:
    """Feature a hashtag, at most ten; answers the FeaturedTag, the same for one that is featured already."""
    async with database.transaction() as session:
        featured_id = await commands.feature(session, caller.account_id, new.name)
    async with database.reading() as connection:
        found = await _featured(connection, caller.account_id, caller.account_id, public_url)
    return next(tag for tag in found if tag["id"] == str(featured_id))


@router.delete("/api/v1/featured_tags/{featured_id}")
async def unfeature(featured_id: PathId, caller: ProfileWriter, database: ADatabase) -> dict[str, Any]:
    """Feature it no longer."""
    async with database.transaction() as session:
        await commands.unfeature(session, caller.account_id, featured_id)
    return {}


@router.get("/api/v1/featured_tags/suggestions")
async def suggestions(caller: Reader, database: ADatabase, public_url: PublicUrl) -> list[dict[str, Any]]:
    """The ten hashtags that one uses most and doesn't feature: an array of Tag."""
    async with database.reading() as connection:
        return await tags.as_json(connection, public_url, caller.account_id, await queries.used(connection, caller.account_id))


@router.post("/api/v1/tags/{name}/feature")
async def feature_tag(name: str, caller: ProfileWriter, database: ADatabase, public_url: PublicUrl) -> dict[str, Any]:
    """Feature a hashtag by its name; answers the Tag."""
    async with database.transaction() as session:
        await commands.feature(session, caller.account_id, name)
    return await _tag(name, caller.account_id, database, public_url)


@router.post("/api/v1/tags/{name}/unfeature")
async def unfeature_tag(name: str, caller: ProfileWriter, database: ADatabase, public_url: PublicUrl) -> dict[str, Any]:
    """Feature it no longer; answers the Tag."""
    async with database.transaction() as session:
        await commands.unfeature_name(session, caller.account_id, hashtag(name))
    return await _tag(name, caller.account_id, database, public_url)


@router.get("/api/v1/accounts/{account_id}/featured_tags")
async def of_account(account_id: PathId, viewer: Viewer, database: ADatabase, public_url: PublicUrl) -> list[dict[str, Any]]:
    """Which hashtags somebody features: an array of FeaturedTag."""
    async with database.reading() as connection:
        await profiles.one(connection, account_id, viewer)
        return await _featured(connection, account_id, viewer, public_url)


async def _tag(name: str, viewer: int, database: Database, public_url: str) -> dict[str, Any]:
    async with database.reading() as connection:
        return (await tags.as_json(connection, public_url, viewer, [hashtag(name)]))[0]


async def _featured(connection: Connection, owner: int, viewer: int, public_url: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(featured_id),
            "name": display,
            "url": f"{profile_url(public_url, username)}/tagged/{quote(name, safe='')}",
            "statuses_count": str(posts),
            "last_status_at": latest,
        }
        for featured_id, name, display, username, posts, latest in await queries.featured(connection, owner, viewer)
    ]
