"""Lists: make, change, delete, who is in them, and what those say."""

from typing import Annotated, Any

from common.api import ADatabase, PathId, needs
from common.bodies import body, described
from common.identity import Identity
from common.ids import MAX_ID
from common.paging import PAGE_PARAMETERS, Page, read_page
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from social.deps import database_of, page_answer, stored_of
from social.feeds import queries as feeds
from social.feeds.api import answer, owner
from social.lists import commands, domain, queries
from social.profiles import queries as profiles
from social.rendering import accounts

router = APIRouter(tags=["lists"])

Reader = Annotated[Identity, Depends(needs("read:lists"))]
Writer = Annotated[Identity, Depends(needs("write:lists"))]


class NewList(BaseModel):
    """`POST /api/v1/lists`."""

    model_config = ConfigDict(extra="ignore")

    title: str = Field(default="", max_length=1000)
    replies_policy: str = Field(default="list", max_length=20)
    exclusive: bool = False


class ListChange(BaseModel):
    """`PUT /api/v1/lists/:id`; what isn't given stays."""

    model_config = ConfigDict(extra="ignore")

    title: str | None = Field(default=None, max_length=1000)
    replies_policy: str | None = Field(default=None, max_length=20)
    exclusive: bool | None = None


def _several(value: Any) -> Any:
    """A single id is as good as an array of one."""
    return value if isinstance(value, list) else [value]


class Members(BaseModel):
    """`POST` and `DELETE /api/v1/lists/:id/accounts`."""

    model_config = ConfigDict(extra="ignore")

    account_ids: Annotated[list[Annotated[int, Field(ge=0, le=MAX_ID)]], BeforeValidator(_several)] = []


@router.get("/api/v1/lists")
async def lists(caller: Reader, database: ADatabase) -> list[dict[str, Any]]:
    """All of one's lists: an array of List."""
    async with database.reading() as connection:
        return await queries.owned(connection, caller.account_id)


@router.post("/api/v1/lists", openapi_extra=described(NewList))
async def create(given: Annotated[NewList, Depends(body(NewList))], caller: Writer, database: ADatabase) -> dict[str, Any]:
    """Make a list, 50 at most."""
    async with database.transaction() as session:
        made = await commands.create(session, caller.account_id, given.title, given.replies_policy, exclusive=given.exclusive)
    return queries.list_json(made)


@router.get("/api/v1/lists/{list_id}")
async def one(list_id: PathId, caller: Reader, database: ADatabase) -> dict[str, Any]:
    """A list of one's own."""
    async with database.reading() as connection:
        return await queries.one(connection, caller.account_id, list_id)


@router.put("/api/v1/lists/{list_id}", openapi_extra=described(ListChange))
async def change(
    list_id: PathId, given: Annotated[ListChange, Depends(body(ListChange))], caller: Writer, database: ADatabase
) -> dict[str, Any]:
    """Rename a list, or change whose answers it shows and whether its members are read there only."""
    async with database.transaction() as session:
        changed = await commands.change(session, caller.account_id, list_id, given.title, given.replies_policy, given.exclusive)
    return queries.list_json(changed)


@router.delete("/api/v1/lists/{list_id}")
async def delete(list_id: PathId, caller: Writer, database: ADatabase) -> dict[str, Any]:
    """Delete a list."""
    async with database.transaction() as session:
        await commands.delete(session, caller.account_id, list_id)
    return {}


@router.get("/api/v1/lists/{list_id}/accounts", openapi_extra=PAGE_PARAMETERS)
async def members(list_id: PathId, request: Request) -> Response:
    """Who is in a list, who came last first: an array of Account; all at once with `limit=0`."""
    whole = request.query_params.get("limit") == "0"
    caller, page = await owner(request, "read:lists"), Page(domain.MOST_MEMBERS) if whole else read_page(request, 40, 80)
    async with database_of(request).reading() as connection:
        await queries.one(connection, caller, list_id)
        people, ids = await queries.members(connection, list_id, page)
        return page_answer(request, await accounts.in_order(connection, people, caller), [] if whole else ids, full=len(ids) == page.limit)


@router.post("/api/v1/lists/{list_id}/accounts", openapi_extra=described(Members))
async def add(list_id: PathId, given: Annotated[Members, Depends(body(Members))], caller: Writer, database: ADatabase) -> dict[str, Any]:
    """Put people into a list, 500 at most, followed or not. Nobody is told."""
    async with database.transaction() as session:
        await commands.add(session, caller.account_id, list_id, given.account_ids)
    return {}


@router.delete("/api/v1/lists/{list_id}/accounts", openapi_extra=described(Members))
async def remove(list_id: PathId, given: Annotated[Members, Depends(body(Members))], caller: Writer, database: ADatabase) -> dict[str, Any]:
    """Take people out of a list."""
    async with database.transaction() as session:
        await commands.remove(session, caller.account_id, list_id, given.account_ids)
    return {}


@router.get("/api/v1/accounts/{account_id}/lists")
async def containing(account_id: PathId, caller: Reader, database: ADatabase) -> list[dict[str, Any]]:
    """Those of one's lists that somebody is in."""
    async with database.reading() as connection:
        await profiles.one(connection, account_id, caller.account_id)
        return await queries.containing(connection, caller.account_id, account_id)


@router.get("/api/v1/timelines/list/{list_id}", openapi_extra=PAGE_PARAMETERS)
async def timeline(list_id: PathId, request: Request) -> Response:
    """What the people in a list said and boosted, as far as one may see it: an array of Status."""
    viewer, page = await owner(request, "read:lists"), read_page(request)
    async with database_of(request).reading() as connection:
        policy = (await queries.one(connection, viewer, list_id))["replies_policy"]
        return answer(request, await feeds.listed(connection, stored_of(request), list_id, policy, viewer, page))
