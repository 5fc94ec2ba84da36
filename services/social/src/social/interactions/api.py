"""Like, boost, keep, mute the thread; each answers the Status as the caller sees it afterwards."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from common.api import ADatabase, PathId
from common.bodies import body, described
from common.db import Database
from common.errors import NotFound
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from social.deps import Bookmarker, Booster, Favouriter, ProfileWriter, TheStored, ThreadMuter, json_answer
from social.interactions import commands
from social.rendering import statuses
from social.rendering.stored import Stored

router = APIRouter(prefix="/api/v1/statuses/{status_id}", tags=["interactions"])


class BoostOptions(BaseModel):
    """`POST /api/v1/statuses/:id/reblog`."""

    model_config = ConfigDict(extra="ignore")

    visibility: str | None = Field(default=None, max_length=20)


@router.post("/favourite")
async def favourite(status_id: PathId, caller: Favouriter, database: ADatabase, stored: TheStored) -> Response:
    """Like a post."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.favourite(s, caller.account_id, status_id))


@router.post("/unfavourite")
async def unfavourite(status_id: PathId, caller: Favouriter, database: ADatabase, stored: TheStored) -> Response:
    """Take a like back."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.unfavourite(s, caller.account_id, status_id))


@router.post("/bookmark")
async def bookmark(status_id: PathId, caller: Bookmarker, database: ADatabase, stored: TheStored) -> Response:
    """Keep a post for oneself."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.bookmark(s, caller.account_id, status_id))


@router.post("/unbookmark")
async def unbookmark(status_id: PathId, caller: Bookmarker, database: ADatabase, stored: TheStored) -> Response:
    """Keep a post no longer."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.unbookmark(s, caller.account_id, status_id))


@router.post("/pin")
async def pin(status_id: PathId, caller: ProfileWriter, database: ADatabase, stored: TheStored) -> Response:
    """Show a post of one's own at the top of one's profile."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.pin(s, caller.account_id, status_id))


@router.post("/unpin")
async def unpin(status_id: PathId, caller: ProfileWriter, database: ADatabase, stored: TheStored) -> Response:
    """Show it there no longer."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.unpin(s, caller.account_id, status_id))


@router.post("/mute")
async def mute(status_id: PathId, caller: ThreadMuter, database: ADatabase, stored: TheStored) -> Response:
    """Be told no more of what happens in the thread that a post is in."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.mute_thread(s, caller.account_id, status_id))


@router.post("/unmute")
async def unmute(status_id: PathId, caller: ThreadMuter, database: ADatabase, stored: TheStored) -> Response:
    """Be told of it again."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.unmute_thread(s, caller.account_id, status_id))


@router.post("/reblog", openapi_extra=described(BoostOptions))
async def reblog(
    status_id: PathId,
    options: Annotated[BoostOptions, Depends(body(BoostOptions))],
    caller: Booster,
    database: ADatabase,
    stored: TheStored,
) -> Response:
    """Show a post to one's followers; answers the wrapper, whose `reblog` is the post."""
    return await _then_status(
        database, caller.account_id, stored, lambda s: commands.boost(s, caller.account_id, status_id, options.visibility)
    )


@router.post("/unreblog")
async def unreblog(status_id: PathId, caller: Booster, database: ADatabase, stored: TheStored) -> Response:
    """Take a boost back; answers the post itself."""
    return await _then_status(database, caller.account_id, stored, lambda s: commands.unboost(s, caller.account_id, status_id))


async def _then_status(database: Database, caller: int, stored: Stored, work: Callable[[AsyncSession], Awaitable[int]]) -> Response:
    """Do it, commit it, and answer the status that it gives the id of."""
    async with database.transaction() as session:
        status_id = await work(session)
    async with database.reading() as connection:
        found = await statuses.by_ids(connection, stored, [status_id], caller)
    if status_id not in found:
        raise NotFound
    return json_answer(found[status_id][0])
