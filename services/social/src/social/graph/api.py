"""Follow, block, mute, and the lists of whom."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from common.api import ADatabase, PathId, User, needs
from common.bodies import body, described, read_fields
from common.db import Database
from common.errors import OutsideScopes
from common.identity import Identity
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from social.deps import ProfileWriter, database_of, json_answer, page_answer, viewer_of
from social.feeds.api import owner
from social.graph import commands, queries
from social.graph.commands import Options
from social.posts.api import as_ids, numbers
from social.profiles import queries as profiles
from social.rendering import accounts
from social.rendering.fragments import join

router = APIRouter(tags=["relations"])

Work = Callable[[AsyncSession], Awaitable[None]]


def _several(value: Any) -> Any:
    """A single language is as good as an array of one; null and empty ones stand for none, which are all."""
    given = value if isinstance(value, list) else [value]
    return [language for language in given if language]


class FollowOptions(BaseModel):
    """`POST /api/v1/accounts/:id/follow`; what isn't given stays. Posts in other `languages` aren't shown at home; null or none: all are."""

    model_config = ConfigDict(extra="ignore")

    reblogs: bool | None = None
    notify: bool | None = None
    languages: Annotated[list[str] | None, BeforeValidator(_several)] = None


class MuteOptions(BaseModel):
    """`POST /api/v1/accounts/:id/mute`; `duration` in seconds, 0 for as long as one likes."""

    model_config = ConfigDict(extra="ignore")

    notifications: bool = True
    duration: int = 0


class Note(BaseModel):
    """`POST /api/v1/accounts/:id/note`; an empty comment takes the note away."""

    model_config = ConfigDict(extra="ignore")

    comment: str = Field(default="", max_length=2000)


async def _may_follow(identity: User) -> Identity:
    if not (identity.may("write:follows") or identity.may("follow")):
        raise OutsideScopes
    return identity


async def _may_block(identity: User) -> Identity:
    if not (identity.may("write:blocks") or identity.may("follow")):
        raise OutsideScopes
    return identity


async def _may_mute(identity: User) -> Identity:
    if not (identity.may("write:mutes") or identity.may("follow")):
        raise OutsideScopes
    return identity


Follower = Annotated[Identity, Depends(_may_follow)]
Blocker = Annotated[Identity, Depends(_may_block)]
Muter = Annotated[Identity, Depends(_may_mute)]


@router.get("/api/v1/accounts/relationships")
async def relationships(
    request: Request, caller: Annotated[Identity, Depends(needs("read:follows"))], database: ADatabase
) -> list[dict[str, Any]]:
    """How one stands to people, by `id[]`, at most 200."""
    async with database.reading() as connection:
        return await queries.relationships(connection, caller.account_id, numbers(request, "id", 200))


@router.post("/api/v1/accounts/{account_id}/follow", openapi_extra=described(FollowOptions))
async def follow(
    account_id: PathId, options: Annotated[FollowOptions, Depends(body(FollowOptions))], caller: Follower, database: ADatabase
) -> dict[str, Any]:
    """Follow, or ask to; answers the Relationship."""
    wanted = Options(options.reblogs, options.notify, options.languages)
    return await _then_relationship(database, caller, account_id, lambda s: commands.follow(s, caller.account_id, account_id, wanted))


@router.post("/api/v1/accounts/{account_id}/unfollow")
async def unfollow(account_id: PathId, caller: Follower, database: ADatabase) -> dict[str, Any]:
    """Follow no longer; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.unfollow(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/remove_from_followers")
async def remove_from_followers(account_id: PathId, caller: Follower, database: ADatabase) -> dict[str, Any]:
    """Make somebody follow one no longer; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.remove_follower(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/block")
async def block(account_id: PathId, caller: Blocker, database: ADatabase) -> dict[str, Any]:
    """Block; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.block(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/unblock")
async def unblock(account_id: PathId, caller: Blocker, database: ADatabase) -> dict[str, Any]:
    """Unblock; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.unblock(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/mute", openapi_extra=described(MuteOptions))
async def mute(
    account_id: PathId, options: Annotated[MuteOptions, Depends(body(MuteOptions))], caller: Muter, database: ADatabase
) -> dict[str, Any]:
    """Mute; answers the Relationship."""
    return await _then_relationship(
        database,
        caller,
        account_id,
        lambda s: commands.mute(s, caller.account_id, account_id, notifications=options.notifications, duration=options.duration),
    )


@router.post("/api/v1/accounts/{account_id}/unmute")
async def unmute(account_id: PathId, caller: Muter, database: ADatabase) -> dict[str, Any]:
    """Unmute; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.unmute(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/note", openapi_extra=described(Note))
async def note(
    account_id: PathId, given: Annotated[Note, Depends(body(Note))], caller: ProfileWriter, database: ADatabase
) -> dict[str, Any]:
    """Keep a note about somebody that nobody else sees; answers the Relationship."""
    return await _then_relationship(
        database, caller, account_id, lambda s: commands.note(s, caller.account_id, account_id, given.comment.strip())
    )


@router.post("/api/v1/follow_requests/{account_id}/authorize")
async def authorize(account_id: PathId, caller: Follower, database: ADatabase) -> dict[str, Any]:
    """Let somebody follow; answers the Relationship."""
    return await _then_relationship(
        database, caller, account_id, lambda s: commands.answer_request(s, caller.account_id, account_id, accept=True)
    )


@router.post("/api/v1/follow_requests/{account_id}/reject")
async def reject(account_id: PathId, caller: Follower, database: ADatabase) -> dict[str, Any]:
    """Let somebody not follow; answers the Relationship."""
    return await _then_relationship(
        database, caller, account_id, lambda s: commands.answer_request(s, caller.account_id, account_id, accept=False)
    )


@router.post("/api/v1/accounts/{account_id}/endorse")
@router.post("/api/v1/accounts/{account_id}/pin", deprecated=True)
async def endorse(account_id: PathId, caller: ProfileWriter, database: ADatabase) -> dict[str, Any]:
    """Show somebody whom one follows on one's own profile; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.endorse(s, caller.account_id, account_id))


@router.post("/api/v1/accounts/{account_id}/unendorse")
@router.post("/api/v1/accounts/{account_id}/unpin", deprecated=True)
async def unendorse(account_id: PathId, caller: ProfileWriter, database: ADatabase) -> dict[str, Any]:
    """Show somebody there no longer; answers the Relationship."""
    return await _then_relationship(database, caller, account_id, lambda s: commands.unendorse(s, caller.account_id, account_id))


@router.get("/api/v1/accounts/familiar_followers")
async def familiar_followers(
    request: Request, caller: Annotated[Identity, Depends(needs("read:follows"))], database: ADatabase
) -> Response:
    """Whom one follows of the followers of people, by `id[]`, at most 40: an array of FamiliarFollowers. Mastodon.py asks with a body."""
    given = (await read_fields(request)).get("id", [])
    async with database.reading() as connection:
        found = await queries.familiar_followers(connection, caller.account_id, as_ids(given if isinstance(given, list) else [given], 40))
        everybody = list({account for followers in found.values() for account in followers})
        known = await accounts.by_ids(connection, everybody, caller.account_id)
    entries = [
        b'{"id":"%d","accounts":%b}' % (account_id, join([known[one] for one in followers if one in known]))
        for account_id, followers in found.items()
    ]
    return json_answer(join(entries))


@router.get("/api/v1/accounts/{account_id}/followers", openapi_extra=PAGE_PARAMETERS)
async def followers(account_id: PathId, request: Request) -> Response:
    """Who follows somebody, unless they keep that to themselves: an array of Account."""
    return await _public_list(request, "followers", account_id)


@router.get("/api/v1/accounts/{account_id}/following", openapi_extra=PAGE_PARAMETERS)
async def following(account_id: PathId, request: Request) -> Response:
    """Whom somebody follows, unless they keep that to themselves: an array of Account."""
    return await _public_list(request, "following", account_id)


@router.get("/api/v1/accounts/{account_id}/endorsements", openapi_extra=PAGE_PARAMETERS)
async def endorsements(account_id: PathId, request: Request) -> Response:
    """Whom somebody shows on their profile: an array of Account."""
    return await _public_list(request, "endorsements", account_id)


@router.get("/api/v1/endorsements", openapi_extra=PAGE_PARAMETERS)
async def own_endorsements(request: Request) -> Response:
    """Whom one shows on one's profile."""
    return await _own_list(request, "own endorsements", "read:accounts")


@router.get("/api/v1/follow_requests", openapi_extra=PAGE_PARAMETERS)
async def follow_requests(request: Request) -> Response:
    """Who asked to follow one."""
    return await _own_list(request, "requests", "read:follows")


@router.get("/api/v1/blocks", openapi_extra=PAGE_PARAMETERS)
async def blocks(request: Request) -> Response:
    """Whom one blocks."""
    return await _own_list(request, "blocks", "read:blocks")


@router.get("/api/v1/mutes", openapi_extra=PAGE_PARAMETERS)
async def mutes(request: Request) -> Response:
    """Whom one mutes, each with `mute_expires_at`."""
    return await _own_list(request, "mutes", "read:mutes")


async def _public_list(request: Request, which: str, account_id: int) -> Response:
    viewer = await viewer_of(request)
    async with database_of(request).reading() as connection:
        await profiles.one(connection, account_id, viewer)
        own = viewer == account_id
        if not own and await queries.is_kept_from(connection, account_id, viewer, hidden=which != "endorsements"):
            return page_answer(request, b"[]", [], full=False)
    return await _list(request, f"own {which}" if own else which, account_id, viewer)


async def _own_list(request: Request, which: str, scope: str) -> Response:
    caller = await owner(request, scope)
    return await _list(request, which, caller, caller)


async def _list(request: Request, which: str, account_id: int, viewer: int) -> Response:
    page = read_page(request, 40, 80)
    async with database_of(request).reading() as connection:
        listed = await queries.people(connection, which, account_id, viewer, page)
        known = await accounts.by_ids(connection, listed.accounts, viewer, opened=True)
    if which == "mutes":
        made = [accounts.muted(known[one], until) for one, until in zip(listed.accounts, listed.until, strict=True) if one in known]
    else:
        made = [known[one] for one in listed.accounts if one in known]
    return page_answer(request, join(made), listed.ids, full=len(listed.ids) == page.limit)


async def _then_relationship(database: Database, caller: Identity, target: int, work: Work) -> dict[str, Any]:
    """Do it, commit it, and answer how one stands to the other now."""
    async with database.transaction() as session:
        await work(session)
    async with database.reading() as connection:
        return (await queries.relationships(connection, caller.account_id, [target]))[0]
