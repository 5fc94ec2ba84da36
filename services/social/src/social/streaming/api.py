"""`/internal/streams`: what gateways ask for their clients that stream."""

from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from common.api import HIDDEN, ADatabase, ServiceCaller
from common.ids import MAX_ID
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from social.deps import TheStored, json_answer
from social.streaming import queries
from social.streaming.queries import Seen

router = APIRouter(prefix="/internal/streams", **HIDDEN)

_MOST = 1_000
_NOT_YET = b'{"error":"This version of the post is not here yet","code":"not_yet"}'
_Id = Annotated[int, Field(ge=1, le=MAX_ID)]
_Ids = Annotated[list[_Id], Field(max_length=_MOST)]


class Audience(BaseModel):
    """An entry of feeds, and who looks on: ids of accounts (of lists for `lists`)."""

    entry_id: _Id
    """A post's id, or a boost's."""
    version: int = Field(default=0, ge=0, le=MAX_ID)
    """Of the post; 0 for a boost."""
    home: _Ids = []
    public: _Ids = []
    lists: _Ids = []
    conversations: _Ids = []


class Leaving(BaseModel):
    """Something of an account's that is gone, and who looks on."""

    account_id: _Id
    visibility: str
    home: _Ids = []


@router.post("/entries")
async def entries(audience: Audience, caller: ServiceCaller, database: ADatabase, stored: TheStored) -> Response:
    """For each of the four feeds who gets the entry: `{"home": {"7": 0}, "shown": ["…"]}`, indices of JSON texts. 409 while this version of the post isn't here.

    The texts are Statuses, for `conversations` Conversations; many viewers see the same.
    """
    async with database.reading() as connection:
        if audience.version and not await queries.is_known(connection, audience.entry_id, audience.version):
            return Response(_NOT_YET, 409, media_type="application/json")
        entry = audience.entry_id
        found = {
            "home": await queries.at_home(connection, stored, entry, audience.home),
            "public": await queries.in_public(connection, stored, entry, audience.public),
            "lists": await queries.in_lists(connection, stored, entry, audience.lists),
            "conversations": await queries.in_conversations(connection, stored, entry, audience.conversations),
        }
    return json_answer(orjson.dumps(_numbered(found)))


@router.post("/gone")
async def gone(leaving: Leaving, caller: ServiceCaller, database: ADatabase) -> dict[str, Any]:
    """Who may have had it in their home feeds."""
    async with database.reading() as connection:
        alone = leaving.visibility == "direct"
        return {"home": await queries.followers(connection, leaving.account_id, leaving.home, alone=alone)}


def _numbered(found: dict[str, Seen]) -> dict[str, Any]:
    """The same, with each text once."""
    texts: Iterable[bytes] = (text for seen in found.values() for text in seen.values())
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    told: dict[str, Any] = {name: {str(an_id): places[text] for an_id, text in seen.items()} for name, seen in found.items()}
    return told | {"shown": [text.decode() for text in places]}
