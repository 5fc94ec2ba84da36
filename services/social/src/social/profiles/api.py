"""Accounts: one's own, others', found by name; pictures for those who chose none."""

import secrets
from typing import Annotated, Any, Literal

import orjson
from common.api import ADatabase, PathId, User
from common.bodies import as_list, body, described
from common.errors import NotFound
from common.hot import hot
from common.images import MAX_BYTES, ImageTooLarge, Picture, prepare_cover
from common.media import HEADERS
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from social.deps import ProfileWriter, PublicUrl, Store, Viewer, database_of, json_answer, public_url_of, stored_of, viewer_of
from social.feeds import queries as feeds
from social.feeds.api import answer, flag
from social.graph.granting import grant
from social.posts.api import numbers
from social.profiles import commands, pictures, queries
from social.profiles.commands import ProfileChange
from social.rendering import accounts

router = APIRouter(tags=["accounts"])

_SIZES = {"avatar": (400, 400), "header": (1500, 500)}


class FieldAttributes(BaseModel):
    name: str = Field(default="", max_length=1000)
    value: str = Field(default="", max_length=1000)


class SourceChange(BaseModel):
    """Posting defaults."""

    privacy: str | None = Field(default=None, max_length=20)
    sensitive: bool | None = None
    language: str | None = Field(default=None, max_length=10)


class CredentialsChange(BaseModel):
    """`PATCH /api/v1/accounts/update_credentials`; pictures as files of a multipart form."""

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True)

    display_name: str | None = Field(default=None, max_length=1000)
    note: str | None = Field(default=None, max_length=10_000)
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    indexable: bool | None = None
    hide_collections: bool | None = None
    fields_attributes: Annotated[Annotated[list[FieldAttributes], Field(max_length=20)] | None, BeforeValidator(as_list)] = None
    source: SourceChange = SourceChange()
    avatar: Any = None
    avatar_description: str | None = Field(default=None, max_length=10_000)
    header: Any = None
    header_description: str | None = Field(default=None, max_length=10_000)


@router.get("/api/v1/accounts/verify_credentials")
async def verify_credentials(caller: User, database: ADatabase) -> Response:
    """One's own account with its source: a CredentialAccount."""
    return await _own(caller.account_id, database)


@router.patch("/api/v1/accounts/update_credentials", openapi_extra=described(CredentialsChange), max_body_size=2 * MAX_BYTES + 100_000)
async def update_credentials(
    change: Annotated[CredentialsChange, Depends(body(CredentialsChange))],
    caller: ProfileWriter,
    database: ADatabase,
    store: Store,
    public_url: PublicUrl,
) -> Response:
    """Change one's own profile; 422 names what is wrong, and then nothing changes. Unlocking it grants what was asked of it."""
    given = {"avatar": change.avatar, "header": change.header}
    kept = {kind: await _picture(file, kind) for kind, file in given.items() if isinstance(file, UploadFile)}
    wanted = ProfileChange(
        display_name=change.display_name,
        note=change.note,
        fields=None if change.fields_attributes is None else [(f.name, f.value) for f in change.fields_attributes],
        avatar=kept["avatar"][0] if "avatar" in kept else None,
        avatar_description=change.avatar_description,
        header=kept["header"][0] if "header" in kept else None,
        header_description=change.header_description,
        locked=change.locked,
        bot=change.bot,
        discoverable=change.discoverable,
        indexable=change.indexable,
        hide_collections=change.hide_collections,
        default_visibility=change.source.privacy,
        default_sensitive=change.source.sensitive,
        default_language=change.source.language,
    )
    commands.check(wanted, public_url)  # no picture is kept of a change that is refused
    for name, picture in kept.values():
        await store.put(name, picture.data)
    async with database.transaction() as session:
        await commands.change_profile(session, caller.account_id, wanted, public_url)
    if change.locked is False:
        await grant(database, caller.account_id)
    return await _own(caller.account_id, database)


@router.delete("/api/v1/profile/{kind}")
async def remove_picture(kind: str, caller: ProfileWriter, database: ADatabase, public_url: PublicUrl) -> Response:
    """Take one's own avatar or header away."""
    if kind not in _SIZES:
        raise NotFound
    change = ProfileChange(avatar="") if kind == "avatar" else ProfileChange(header="")
    async with database.transaction() as session:
        await commands.change_profile(session, caller.account_id, change, public_url)
    return await _own(caller.account_id, database)


@router.get("/api/v1/preferences")
async def preferences(caller: User, database: ADatabase) -> dict[str, Any]:
    """Posting defaults, under the names that clients know."""
    async with database.reading() as connection:
        source = (await queries.own_details(connection, caller.account_id))["source"]
    return {
        "posting:default:visibility": source["privacy"],
        "posting:default:sensitive": source["sensitive"],
        "posting:default:language": source["language"],
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
    }


@router.get("/api/v1/accounts/lookup")
async def lookup(database: ADatabase, public_url: PublicUrl, viewer: Viewer, acct: str = "") -> Response:
    """An Account by its exact name; 404 when there is none."""
    name, at, host = acct.strip().removeprefix("@").partition("@")
    if at and host.lower() != public_url.split("://", 1)[1].lower():
        raise NotFound
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, await queries.by_name(connection, name), viewer))


@router.get("/api/v1/accounts/search")
async def search(request: Request, database: ADatabase, viewer: Viewer, q: str = "", limit: int = 40, offset: int = 0) -> Response:
    """People by the beginning of a name, the exact one first; with `following`, those whom one follows. There is nobody elsewhere to `resolve`."""
    host = public_url_of(request).split("://", 1)[1].lower()
    async with database.reading() as connection:
        ids = await queries.search(
            connection,
            q,
            viewer,
            host=host,
            limit=max(1, min(limit, 80)),
            offset=max(0, min(offset, 10_000)),
            following=flag(request, "following"),
        )
        return json_answer(await accounts.in_order(connection, ids, viewer, opened=True))


@router.get("/api/v1/directory")
async def directory(
    database: ADatabase, viewer: Viewer, order: Literal["active", "new"] = "active", local: bool = True, limit: int = 40, offset: int = 0
) -> Response:
    """People who wish to be found; all of them are `local`."""
    async with database.reading() as connection:
        ids = await queries.directory(connection, order, viewer, max(1, min(limit, 80)), max(0, min(offset, 10_000)))
        return json_answer(await accounts.in_order(connection, ids, viewer))


@router.get("/api/v1/accounts")
async def several(request: Request, database: ADatabase, viewer: Viewer) -> Response:
    """Accounts by `id[]`, at most 40."""
    async with database.reading() as connection:
        return json_answer(await accounts.in_order(connection, numbers(request, "id", 40), viewer, opened=True))


@router.get("/api/v1/accounts/{account_id}/statuses", openapi_extra=PAGE_PARAMETERS)
@hot
async def statuses(account_id: PathId, request: Request) -> Response:
    """What somebody wrote and boosted. Switches: exclude_replies, exclude_reblogs, only_media, tagged, pinned."""
    viewer, page = await viewer_of(request), read_page(request)
    async with database_of(request).reading() as connection:
        if flag(request, "pinned"):
            await queries.one(connection, account_id, viewer)
            return answer(request, await feeds.pinned(connection, stored_of(request), account_id, viewer, page))
        found = await feeds.account(
            connection,
            stored_of(request),
            account_id,
            viewer,
            page,
            exclude_replies=flag(request, "exclude_replies"),
            exclude_reblogs=flag(request, "exclude_reblogs"),
            only_media=flag(request, "only_media"),
            tagged=(request.query_params.get("tagged") or "").lower() or None,
        )
        if not found.ids:
            await queries.one(connection, account_id, viewer)
    return answer(request, found)


@router.get("/media/profiles/default/{kind}-{number}.png", include_in_schema=False)
async def default_picture(kind: str, number: PathId) -> Response:
    """A picture for those who chose none."""
    if kind not in _SIZES or number >= pictures.COUNT:
        raise NotFound
    return Response(await run_in_threadpool(pictures.draw, kind, number), media_type="image/png", headers=HEADERS)


@router.get("/api/v1/accounts/{account_id}")
async def one(account_id: PathId, database: ADatabase, viewer: Viewer) -> Response:
    """An Account; nobody finds one that blocks them."""
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, account_id, viewer))


async def _own(account_id: int, database: ADatabase) -> Response:
    async with database.reading() as connection:
        account = await queries.one(connection, account_id, account_id)
        details = await queries.own_details(connection, account_id)
    return json_answer(account[:-1] + b"," + orjson.dumps(details)[1:])


async def _picture(given: UploadFile, kind: str) -> tuple[str, Picture]:
    """An uploaded picture, checked and made anew, and a name for it that nobody guesses. Raises `BadImage`, `ImageTooLarge`."""
    data = await given.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageTooLarge
    picture = await prepare_cover(data, *_SIZES[kind])
    return f"{kind}/{secrets.token_urlsafe(16)}.{picture.suffix}", picture
