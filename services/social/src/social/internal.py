"""What the gateway asks for by itself: carried events, guards, pages of ids made whole, look-ups."""

import re
from typing import Any, Final

import orjson
from common.api import HIDDEN, ADatabase, PathId, ServiceCaller, caller, service_only
from common.bodies import invalid
from common.errors import DomainError
from common.events import AccountState, PostState
from common.hot import hot
from common.ids import MAX_ID
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import IntegrityError
from starlette.responses import Response

from social.deps import PublicUrl, TheStored, Viewer, database_of, json_answer, stored_of
from social.featured_tags.domain import MOST as MOST_FEATURED
from social.interactions.commands import MOST_PINS
from social.posts import queries as posts
from social.posts.plain import apply_plain_post, is_plain
from social.posts.projections import apply_post
from social.profiles import queries as profiles
from social.profiles.commands import apply_account
from social.rendering import accounts, statuses
from social.rendering.fragments import join
from social.rendering.stored import Stored
from social.tags import queries as hashtags

router = APIRouter(prefix="/internal", **HIDDEN)

_STATUS_URL: Final = re.compile(r"/@[A-Za-z0-9_]+/([0-9]{1,19})/?$")
_ACCOUNT_URL: Final = re.compile(r"/@([A-Za-z0-9_]+)/?$")


class Wanted(BaseModel):
    """Ids to make whole."""

    statuses: list[int] = Field(default=[], max_length=200)
    accounts: list[int] = Field(default=[], max_length=200)
    found: bool = False
    """The statuses were found by what they say, which their authors may have allowed to few."""


class NameTaken(DomainError):
    """Another account has this name"""

    code = "name_taken"
    status = 409


@router.post("/carried/accounts")
async def carried_account(event: AccountState, caller: ServiceCaller, database: ADatabase, public_url: PublicUrl) -> Response:
    """Apply an account's state ahead of Kafka; answers the Account, or `{}` while it isn't shown."""
    try:
        async with database.transaction() as session:
            await apply_account(session, event, public_url)
    except IntegrityError as error:  # `auth` gives a name once, so this is no account of its
        raise NameTaken from error
    async with database.reading() as connection:
        return json_answer((await accounts.by_ids(connection, [event.account_id], 0)).get(event.account_id, b"{}"))


@router.post("/carried/posts")
@hot
async def carried_post(request: Request) -> Response:
    """Apply a post's state ahead of Kafka; answers the Status as its author sees it, `{}` for a deleted one."""
    await service_only(await caller(request))
    try:
        event = PostState.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid(error) from error
    database, stored = database_of(request), stored_of(request)
    if is_plain(event):
        async with database.brief() as connection:
            status = await apply_plain_post(connection, event, stored)
        if status is not None:
            return json_answer(status)
    async with database.transaction() as session:
        await apply_post(session, event, stored.public_url)
    async with database.reading() as connection:
        found = await statuses.by_ids(connection, stored, [event.post_id], event.author_id)
    return json_answer(found[event.post_id][0] if event.post_id in found else b"{}")


@router.get("/guard/{status_id}")
async def guard(status_id: PathId, viewer: Viewer, database: ADatabase) -> dict[str, Any]:
    """Which post an id means, if the viewer may see it; 404 otherwise."""
    async with database.reading() as connection:
        return await posts.guard(connection, status_id, viewer)


@router.post("/render")
async def render(wanted: Wanted, viewer: Viewer, database: ADatabase, stored: TheStored) -> Response:
    """Statuses (with the version of their posts) and accounts by id; what the viewer may not see is absent."""
    async with database.reading() as connection:
        found = await statuses.by_ids(connection, stored, wanted.statuses, viewer, statuses.FOUND if wanted.found else statuses.OPEN)
        people = await accounts.by_ids(connection, wanted.accounts, viewer)
    return json_answer(
        b'{"statuses":{%b},"accounts":{%b}}'
        % (
            b",".join(b'"%d":{"status":%b,"version":%d}' % (an_id, made, version) for an_id, (made, version) in found.items()),
            b",".join(b'"%d":%b' % (an_id, made) for an_id, made in people.items()),
        )
    )


@router.get("/find")
async def find(
    request: Request, viewer: Viewer, database: ADatabase, stored: TheStored, q: str = "", type: str = "", limit: int = 20, offset: int = 0
) -> Response:
    """Exact and prefix matches: people, hashtags, and what an address of this server means; all at once, or of one `type`."""
    public_url, query = stored.public_url, q.strip()
    limit, offset = max(1, min(limit, 80)), max(0, min(offset, 1000))
    host = public_url.split("://", 1)[1].lower()
    people, found_statuses, tags = b"[]", b"[]", list[dict[str, Any]]()
    async with database.reading() as connection:
        if query.startswith(f"{public_url}/"):
            people, found_statuses = await _resolve(connection, stored, query.removeprefix(public_url), viewer)
        else:
            if type in ("", "accounts") and not query.startswith("#"):
                following = request.query_params.get("following") in ("true", "1")
                ids = await profiles.search(connection, query, viewer, host=host, limit=limit, offset=offset, following=following)
                people = await accounts.in_order(connection, ids, viewer, opened=True)
            if type in ("", "hashtags") and not query.startswith("@"):
                names = await hashtags.beginning(connection, query, limit, offset)
                tags = await hashtags.as_json(connection, public_url, viewer, names)
    return json_answer(b'{"accounts":%b,"statuses":%b,"hashtags":%b}' % (people, found_statuses, orjson.dumps(tags)))


async def _resolve(connection: Any, stored: Stored, path: str, viewer: int) -> tuple[bytes, bytes]:
    """What an address of this server means: an account or a status."""
    status = _STATUS_URL.match(path)
    if status and int(status[1]) <= MAX_ID:
        return b"[]", await statuses.in_order(connection, stored, [int(status[1])], viewer)
    account = _ACCOUNT_URL.match(path)
    if account:
        host = stored.public_url.split("://", 1)[1].lower()
        ids = await profiles.search(
            connection,
            f"@{account[1]}@{host}".lower(),
            viewer,
            host=host,
            limit=1,
        )
        return await accounts.in_order(connection, ids, viewer, opened=True), b"[]"
    return b"[]", join([])


@router.get("/instance")
async def instance(database: ADatabase) -> dict[str, Any]:
    """What this service adds to the description of the server: how much there is of everything."""
    async with database.reading() as connection:
        row = await (
            await connection.execute(
                "SELECT (SELECT count(*) FROM profiles WHERE shown), (SELECT coalesce(sum(statuses), 0)::bigint FROM profile_counts), "
                "(SELECT count(*) FROM profile_counts WHERE last_status_on > now() - interval '30 days')"
            )
        ).fetchone()
    users, posts_written, active = row or (0, 0, 0)
    return {
        "usage": {"users": {"active_month": active}},
        "stats": {"user_count": users, "status_count": posts_written, "domain_count": 1},
        "configuration": {"accounts": {"max_featured_tags": MOST_FEATURED, "max_pinned_statuses": MOST_PINS, "max_profile_fields": 4}},
    }
