"""`/api/v2/filters`: filters with their keywords and posts."""

from datetime import timedelta
from typing import Annotated, Any, Final

from common.api import ADatabase, PathId
from common.bodies import as_list, body, described
from common.ids import MAX_ID
from fastapi import APIRouter, Depends
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from social.deps import FilterReader, FilterWriter
from social.filters import commands, queries
from social.filters.domain import FilterChange, KeywordChange

router = APIRouter(prefix="/api/v2/filters", tags=["filters"])

_FOR_EVER: Final = 10**10


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


Optional = BeforeValidator(_none_if_empty)
Id = Annotated[Annotated[int, Field(ge=0, le=MAX_ID)] | None, Optional]
Flag = Annotated[bool | None, Optional]
Contexts = Annotated[Annotated[list[str], Field(max_length=20)] | None, BeforeValidator(as_list)]
Seconds = Annotated[Annotated[int, Field(ge=-_FOR_EVER, le=_FOR_EVER)] | None, Optional]
Words = Annotated[str, Field(max_length=10_000)] | None


class KeywordAttributes(BaseModel):
    """A keyword of a filter that is set up or changed: new without an id, taken away with `_destroy`."""

    model_config = ConfigDict(extra="ignore")

    id: Id = None
    keyword: Words = None
    whole_word: Flag = None
    destroy: Annotated[Flag, Field(alias="_destroy")] = None

    def change(self) -> KeywordChange:
        return KeywordChange(self.id, self.keyword, self.whole_word, removed=bool(self.destroy))

    def says_something(self) -> bool:
        return bool(self.id or (self.keyword or "").strip() or self.whole_word is not None)


class FilterBody(BaseModel):
    """`POST /api/v2/filters` and `PUT /api/v2/filters/:id`; `expires_in` in seconds, empty for never."""

    model_config = ConfigDict(extra="ignore")

    title: Words = None
    context: Contexts = None
    filter_action: Annotated[Words, Optional] = None
    expires_in: Seconds = None
    keywords_attributes: Annotated[list[KeywordAttributes], BeforeValidator(as_list), Field(max_length=1_000)] = []

    def change(self) -> FilterChange:
        ends = "expires_in" in self.model_fields_set
        return FilterChange(self.title, self.context, self.filter_action, ends, term(self.expires_in))

    def keywords(self) -> list[KeywordChange]:
        return [attributes.change() for attributes in self.keywords_attributes if attributes.says_something()]


class KeywordBody(BaseModel):
    """`POST /api/v2/filters/:filter_id/keywords` and `PUT /api/v2/filters/keywords/:id`."""

    model_config = ConfigDict(extra="ignore")

    keyword: Words = None
    whole_word: Flag = None


class StatusBody(BaseModel):
    """`POST /api/v2/filters/:filter_id/statuses`."""

    model_config = ConfigDict(extra="ignore")

    status_id: Annotated[int, Field(ge=0, le=MAX_ID)]


def term(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


@router.get("")
async def filters(caller: FilterReader, database: ADatabase) -> list[dict[str, Any]]:
    """One's filters, those that ended too: an array of Filter."""
    async with database.reading() as connection:
        return await queries.filters(connection, caller.account_id)


@router.post("", openapi_extra=described(FilterBody))
async def create(new: Annotated[FilterBody, Depends(body(FilterBody))], caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Set up a filter: `context[]` of home, notifications, public, thread, account; `filter_action` warn, hide or blur. 422 names what is wrong."""
    async with database.transaction() as session:
        filter_id = await commands.create_filter(session, caller.account_id, new.change(), new.keywords())
    async with database.reading() as connection:
        return await queries.one(connection, caller.account_id, filter_id)


@router.get("/{filter_id}")
async def one(filter_id: PathId, caller: FilterReader, database: ADatabase) -> dict[str, Any]:
    """A Filter; 404 for anybody else's."""
    async with database.reading() as connection:
        return await queries.one(connection, caller.account_id, filter_id)


@router.put("/{filter_id}", openapi_extra=described(FilterBody))
async def change(
    filter_id: PathId, new: Annotated[FilterBody, Depends(body(FilterBody))], caller: FilterWriter, database: ADatabase
) -> dict[str, Any]:
    """Change what is named of a filter and its keywords; answers the Filter."""
    async with database.transaction() as session:
        await commands.change_filter(session, caller.account_id, filter_id, new.change(), new.keywords())
    async with database.reading() as connection:
        return await queries.one(connection, caller.account_id, filter_id)


@router.delete("/{filter_id}")
async def remove(filter_id: PathId, caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Take a filter away with its keywords and posts."""
    async with database.transaction() as session:
        await commands.remove_filter(session, caller.account_id, filter_id)
    return {}


@router.get("/{filter_id}/keywords")
async def keywords(filter_id: PathId, caller: FilterReader, database: ADatabase) -> list[dict[str, Any]]:
    """What a filter looks for: an array of FilterKeyword."""
    async with database.reading() as connection:
        return await queries.keywords(connection, caller.account_id, filter_id)


@router.post("/{filter_id}/keywords", openapi_extra=described(KeywordBody))
async def add_keyword(
    filter_id: PathId, new: Annotated[KeywordBody, Depends(body(KeywordBody))], caller: FilterWriter, database: ADatabase
) -> dict[str, Any]:
    """Add a keyword, a whole word unless told otherwise; answers the FilterKeyword."""
    async with database.transaction() as session:
        added = KeywordChange(keyword=new.keyword, whole_word=new.whole_word)
        keyword_id = await commands.add_keyword(session, caller.account_id, filter_id, added)
    async with database.reading() as connection:
        return await queries.keyword(connection, caller.account_id, keyword_id)


@router.get("/keywords/{keyword_id}")
async def keyword(keyword_id: PathId, caller: FilterReader, database: ADatabase) -> dict[str, Any]:
    """A FilterKeyword; 404 for anybody else's."""
    async with database.reading() as connection:
        return await queries.keyword(connection, caller.account_id, keyword_id)


@router.put("/keywords/{keyword_id}", openapi_extra=described(KeywordBody))
async def change_keyword(
    keyword_id: PathId, new: Annotated[KeywordBody, Depends(body(KeywordBody))], caller: FilterWriter, database: ADatabase
) -> dict[str, Any]:
    """Change a keyword; answers the FilterKeyword."""
    async with database.transaction() as session:
        await commands.change_keyword(session, caller.account_id, KeywordChange(keyword_id, new.keyword, new.whole_word))
    async with database.reading() as connection:
        return await queries.keyword(connection, caller.account_id, keyword_id)


@router.delete("/keywords/{keyword_id}")
async def remove_keyword(keyword_id: PathId, caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Take a keyword away."""
    async with database.transaction() as session:
        await commands.remove_keyword(session, caller.account_id, keyword_id)
    return {}


@router.get("/{filter_id}/statuses")
async def statuses(filter_id: PathId, caller: FilterReader, database: ADatabase) -> list[dict[str, Any]]:
    """Which posts a filter matches, whatever they say: an array of FilterStatus."""
    async with database.reading() as connection:
        return await queries.statuses(connection, caller.account_id, filter_id)


@router.post("/{filter_id}/statuses", openapi_extra=described(StatusBody))
async def add_status(
    filter_id: PathId, new: Annotated[StatusBody, Depends(body(StatusBody))], caller: FilterWriter, database: ADatabase
) -> dict[str, Any]:
    """Have a filter match a post; answers the FilterStatus."""
    async with database.transaction() as session:
        added = await commands.add_post(session, caller.account_id, filter_id, new.status_id)
    async with database.reading() as connection:
        return await queries.status(connection, caller.account_id, added)


@router.get("/statuses/{filter_status_id}")
async def status(filter_status_id: PathId, caller: FilterReader, database: ADatabase) -> dict[str, Any]:
    """A FilterStatus; 404 for anybody else's."""
    async with database.reading() as connection:
        return await queries.status(connection, caller.account_id, filter_status_id)


@router.delete("/statuses/{filter_status_id}")
async def remove_status(filter_status_id: PathId, caller: FilterWriter, database: ADatabase) -> dict[str, Any]:
    """Have a filter match a post no longer."""
    async with database.transaction() as session:
        await commands.remove_post(session, caller.account_id, filter_status_id)
    return {}
