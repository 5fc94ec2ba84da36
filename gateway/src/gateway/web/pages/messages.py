"""Conversations by direct posts: the list, and each on a page of its own."""

import secrets
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.web.pages.feeds import composer, feed, side
from gateway.web.pages.posts import reply_composer
from gateway.web.visitor import Visitor, parsed_id


async def messages(visitor: Visitor) -> Response:
    """One's conversations, the one with the latest post first, and a box to begin another."""
    visitor.require_login()
    talks, older = await feed(visitor, "/api/v1/conversations")
    wanted = visitor.request.query_params.get("to", "")[:30]
    form = composer(visitor, status=f"@{wanted} " if wanted.replace("_", "").isalnum() else "", visibility="direct")
    return visitor.page("messages.html", talks=talks, older=older, form=form, once=secrets.token_hex(8), **await side(visitor))


async def conversation(visitor: Visitor) -> Response:
    """One conversation with a box to answer in; opening it makes it read."""
    visitor.require_login()
    conversation_id = parsed_id(visitor.request.path_params["id"])
    talk = await visitor.fetch("social", f"/internal/conversations/{conversation_id}")
    status: dict[str, Any] = talk["last_status"]
    context = await visitor.fetch("social", f"/api/v1/statuses/{status['id']}/context")
    if talk["unread"]:
        visitor.demand(await visitor.call("social", "POST", f"/api/v1/conversations/{conversation_id}/read"))
    posts = [*context["ancestors"], status, *context["descendants"]]
    shown = {
        "talk": talk,
        "posts": posts,
        "form": reply_composer(visitor, status),
        "once": secrets.token_hex(8),
        "filter_context": "thread",
    }
    return visitor.page("conversation.html", **shown, **await side(visitor))


async def change(visitor: Visitor) -> Response:
    """Count a conversation as unread again, or take it from the list."""
    visitor.require_login()
    await visitor.form()
    path, verb = f"/api/v1/conversations/{parsed_id(visitor.request.path_params['id'])}", visitor.request.path_params["verb"]
    if verb == "unread":
        visitor.demand(await visitor.call("social", "POST", f"{path}/unread"))
        return visitor.redirect("/messages")
    if verb != "remove":
        raise HTTPException(404)
    visitor.demand(await visitor.call("social", "DELETE", path))
    return visitor.redirect("/messages", visitor._("Gone from the list; it comes back when somebody writes."))
