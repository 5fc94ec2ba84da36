"""Look at a poll, vote. A poll's id is that of its post."""

from typing import Annotated, Any

from common.api import ADatabase, PathId
from common.bodies import body, described
from fastapi import APIRouter, Depends
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from social.deps import Viewer, Voter, json_answer
from social.polls import commands, queries

router = APIRouter(prefix="/api/v1/polls/{poll_id}", tags=["polls"])


def _texts(value: Any) -> Any:
    """Forms send `choices[0]=…` as well as `choices[]=…` and one alone; JSON sends numbers or strings."""
    if value is None:
        return []
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [str(one) for one in values]


class Ballot(BaseModel):
    """`POST /api/v1/polls/:id/votes`: places of options, beginning with 0."""

    model_config = ConfigDict(extra="ignore")

    choices: Annotated[list[str], BeforeValidator(_texts), Field(max_length=40)] = []


@router.get("")
async def poll(poll_id: PathId, viewer: Viewer, database: ADatabase) -> Response:
    """A Poll; 404 when the viewer may not see its post."""
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, poll_id, viewer))


@router.post("/votes", openapi_extra=described(Ballot))
async def vote(poll_id: PathId, ballot: Annotated[Ballot, Depends(body(Ballot))], caller: Voter, database: ADatabase) -> Response:
    """Vote once, for good; answers the Poll. 422 says why one can't."""
    async with database.transaction() as session:
        await commands.vote(session, caller.account_id, poll_id, ballot.choices)
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, poll_id, caller.account_id))
