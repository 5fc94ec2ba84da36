"""`/api/v1/conversations`: direct posts by whom one talks with."""

from typing import Any

from common.api import HIDDEN, ADatabase, PathId
from common.paging import PAGE_PARAMETERS, read_page
from fastapi import APIRouter, Request
from starlette.responses import Response

from social.conversations import commands, queries
from social.deps import ConversationWriter, StatusReader, TheStored, database_of, json_answer, page_answer, stored_of
from social.feeds.api import owner
from social.rendering.fragments import join

router = APIRouter(tags=["conversations"])


@router.get("/api/v1/conversations", openapi_extra=PAGE_PARAMETERS)
async def conversations(request: Request) -> Response:
    """One's conversations, the one with the latest post first: an array of Conversation. Pages lead on by `Link`."""
    viewer, page = await owner(request, "read:statuses"), read_page(request)
    async with database_of(request).reading() as connection:
        found = await queries.page(connection, stored_of(request), viewer, page)
    return page_answer(request, join(found.conversations), found.ids, full=found.full)


@router.post("/api/v1/conversations/{conversation_id}/read")
async def read(conversation_id: PathId, caller: ConversationWriter, database: ADatabase, stored: TheStored) -> Response:
    """Count a conversation as read; answers the Conversation."""
    async with database.transaction() as session:
        await commands.read(session, caller.account_id, conversation_id)
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, stored, caller.account_id, conversation_id))


@router.post("/api/v1/conversations/{conversation_id}/unread")
async def unread(conversation_id: PathId, caller: ConversationWriter, database: ADatabase, stored: TheStored) -> Response:
    """Count a conversation as unread; answers the Conversation."""
    async with database.transaction() as session:
        await commands.unread(session, caller.account_id, conversation_id)
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, stored, caller.account_id, conversation_id))


@router.delete("/api/v1/conversations/{conversation_id}")
async def remove(conversation_id: PathId, caller: ConversationWriter, database: ADatabase) -> dict[str, Any]:
    """Take a conversation from the list until something new is said in it."""
    async with database.transaction() as session:
        await commands.remove(session, caller.account_id, conversation_id)
    return {}


@router.get("/internal/conversations/{conversation_id}", **HIDDEN)
async def one(conversation_id: PathId, caller: StatusReader, database: ADatabase, stored: TheStored) -> Response:
    """One of one's conversations, for its page."""
    async with database.reading() as connection:
        return json_answer(await queries.one(connection, stored, caller.account_id, conversation_id))


@router.get("/internal/unread_conversations", **HIDDEN)
async def count(caller: StatusReader, database: ADatabase) -> dict[str, int]:
    """How many conversations have something unread, for the badge."""
    async with database.reading() as connection:
        return {"count": await queries.unread(connection, caller.account_id)}
