"""`/api/v1/filters`, the deprecated view of the same: every keyword is a filter of its own."""

from typing import Annotated, Any

from common.api import ADatabase, PathId
from common.bodies import body, described
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from social.deps import FilterReader, FilterWriter
from social.filters import commands, queries
from social.filters.api import Contexts, Flag, Seconds, Words, term
from social.filters.domain import FilterChange, KeywordChange

router = APIRouter(prefix="/api/v1/filters", tags=["filters"])


class SingleBody(BaseModel):
    """`POST /api/v1/filters` and `PUT /api/v1/filters/:id`; `irreversible` is what `hide` was called."""

    model_config = ConfigDict(extra="ignore")

    phrase: Words = None
    context: Contexts = None
    irreversible: Flag = None
    whole_word: Flag = None
    expires_in: Seconds = None

    def change(self) -> FilterChange:
        action = None if self.irreversible is None else ("hide" if self.irreversible else "warn")
        return FilterChange(None, self.context, action, "expires_in" in self.model_fields_set, term(self.expires_in))


@router.get("", deprecated=True)
async def singles(caller: FilterReader, database: ADatabase) -> list[dict[str, Any]]:
    """One's keywords: an array of V1::Filter."""
    async with database.reading() as connection:
        return await queries.singles(connection, caller.account_id)


@router.post("", deprecated=True, openapi_extra=described(SingleBody))
async def create(new: Annotated[SingleBody, Depends(body(SingleBody))], caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Set up a filter of one keyword; answers the V1::Filter."""
    async with database.transaction() as session:
        keyword = KeywordChange(keyword=new.phrase, whole_word=new.whole_word)
        keyword_id = await commands.create_single(session, caller.account_id, new.change(), keyword)
    async with database.reading() as connection:
        return await queries.single(connection, caller.account_id, keyword_id)


@router.get("/{keyword_id}", deprecated=True)
async def single(keyword_id: PathId, caller: FilterReader, database: ADatabase) -> dict[str, Any]:
    """A V1::Filter; 404 for anybody else's."""
    async with database.reading() as connection:
        return await queries.single(connection, caller.account_id, keyword_id)


@router.put("/{keyword_id}", deprecated=True, openapi_extra=described(SingleBody))
async def change(
    keyword_id: PathId, new: Annotated[SingleBody, Depends(body(SingleBody))], caller: FilterWriter, database: ADatabase
) -> dict[str, Any]:
    """Change a keyword and its filter; 422 where other keywords share what would change. Answers the V1::Filter."""
    async with database.transaction() as session:
        keyword = KeywordChange(keyword_id, new.phrase, new.whole_word)
        await commands.change_single(session, caller.account_id, new.change(), keyword)
    async with database.reading() as connection:
        return await queries.single(connection, caller.account_id, keyword_id)


@router.delete("/{keyword_id}", deprecated=True)
async def remove(keyword_id: PathId, caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Take a keyword away, and its filter if nothing else is in it."""
    async with database.transaction() as session:
        await commands.remove_single(session, caller.account_id, keyword_id)
    return {}
