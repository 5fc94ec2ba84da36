"""Suggestions of people to follow, each with its reasons."""

from typing import Annotated, Any, Final

import orjson
from common.api import ADatabase, PathId
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from social.deps import ProfileWriter, Reader, json_answer
from social.rendering import accounts
from social.rendering.fragments import join
from social.settings import Settings
from social.suggestions import commands, queries
from social.suggestions.queries import Suggestion

router = APIRouter(tags=["suggestions"])

_EARLIER_WORD: Final = {
    "featured": "staff",
    "most_followed": "global",
    "most_interactions": "global",
    "similar_to_recently_followed": "past_interactions",
    "friends_of_friends": "past_interactions",
}
"""`source`, which had fewer values before Mastodon 4.3, by the first of today's `sources`."""


async def _featured(request: Request) -> list[str]:
    settings: Settings = request.app.state.settings
    return [name.strip().lower() for name in settings.featured_accounts.split(",") if name.strip()]


Featured = Annotated[list[str], Depends(_featured)]


@router.get("/api/v2/suggestions")
async def suggestions(caller: Reader, featured: Featured, database: ADatabase, limit: int = 40) -> Response:
    """Whom one may want to follow, and why: an array of Suggestion."""
    found, people = await _suggested(database, caller.account_id, featured, limit)
    entries = [
        b'{"source":"%b","sources":%b,"account":%b}'
        % (_EARLIER_WORD[one.reasons[0]].encode(), orjson.dumps(one.reasons), people[one.account_id])
        for one in found
    ]
    return json_answer(join(entries))


@router.get("/api/v1/suggestions", deprecated=True)
async def suggested_accounts(caller: Reader, featured: Featured, database: ADatabase, limit: int = 40) -> Response:
    """Whom one may want to follow: an array of Account."""
    found, people = await _suggested(database, caller.account_id, featured, limit)
    return json_answer(join([people[one.account_id] for one in found]))


@router.delete("/api/v1/suggestions/{account_id}")
async def dismiss(account_id: PathId, caller: ProfileWriter, database: ADatabase) -> dict[str, Any]:
    """Never be suggested somebody again."""
    async with database.transaction() as session:
        await commands.dismiss(session, caller.account_id, account_id)
    return {}


async def _suggested(database: ADatabase, viewer: int, featured: list[str], limit: int) -> tuple[list[Suggestion], dict[int, bytes]]:
    async with database.reading() as connection:
        found = await queries.suggestions(connection, viewer, featured, max(1, min(limit, 80)))
        people = await accounts.by_ids(connection, [one.account_id for one in found], viewer)
    return [one for one in found if one.account_id in people], people
