"""Write, read, edit and delete posts; like, boost, keep, pin, vote, translate."""

import secrets
from typing import Any

import aiohttp
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from gateway.services import Answer
from gateway.web import forms
from gateway.web.pages.feeds import composer, side
from gateway.web.visitor import Visitor, parsed_id

_VERBS = {
    "favourite": ("favourite", "favourited", "favourites_count"),
    "unfavourite": ("unfavourite", "favourited", "favourites_count"),
    "reblog": ("reblog", "reblogged", "reblogs_count"),
    "unreblog": ("unreblog", "reblogged", "reblogs_count"),
    "bookmark": ("bookmark", "bookmarked", None),
    "unbookmark": ("unbookmark", "bookmarked", None),
    "pin": ("pin", "pinned", None),
    "unpin": ("unpin", "pinned", None),
    "mute": ("mute", "muted", None),
    "unmute": ("unmute", "muted", None),
}


async def publish(visitor: Visitor) -> Response:
    """Publish a post with up to four pictures; sending the form twice makes one post."""
    visitor.require_login()
    sent = await visitor.form()
    fields, problem = await _fields(visitor, sent)
    answer = None
    if problem is None:
        answer = await visitor.backend.create_status(visitor.identity, fields, f"page-{str(sent.get('once') or secrets.token_hex(8))[:64]}")
        problem = None if answer.ok else visitor.told(answer)
    if answer is None or not answer.ok:
        return await _again(visitor, sent, problem or "", answer.status if answer else 422)
    status = answer.json()
    back = visitor.back(sent)
    if fields.get("in_reply_to_id") and not back.startswith("/messages/"):
        back = f"/@{visitor.identity.name}/{status['id']}"
    return visitor.redirect(back)


async def thread(visitor: Visitor) -> Response:
    """A post with what it answers and the answers to it."""
    status = await _shown(visitor)
    if status["account"]["username"].lower() != visitor.request.path_params["username"].lower():
        return visitor.redirect(f"/@{status['account']['username']}/{status['id']}")
    return await _thread(visitor, status)


async def translate(visitor: Visitor) -> Response:
    """The same page with the post in the reader's language, or with the reason why not; the original stays."""
    visitor.require_login()
    await visitor.form()
    status = await _shown(visitor)
    answer = await visitor.backend.translate(visitor.identity, status["id"], visitor.locale)
    return await _thread(visitor, status, answer)


async def _thread(visitor: Visitor, status: Any, translated: Answer | None = None) -> Response:
    context = await visitor.fetch("social", f"/api/v1/statuses/{status['id']}/context")
    form = reply_composer(visitor, status) if visitor.identity.is_user else None
    return visitor.page(
        "thread.html",
        status=status,
        form=form,
        translation=translated.json() if translated and translated.ok else None,
        trouble=visitor.told(translated) if translated and not translated.ok else None,
        once=secrets.token_hex(8),
        filter_context="thread",
        **context,
        **await side(visitor),
    )


def reply_composer(visitor: Visitor, status: Any) -> Any:
    """The box for an answer, which names whoever takes part and is seen by no more people than what it answers."""
    names = dict.fromkeys([status["account"]["username"], *(mention["username"] for mention in status["mentions"])])
    mentioned = "".join(f"@{name} " for name in names if name != visitor.identity.name)
    return composer(visitor, status=mentioned, visibility=status["visibility"])


async def edit(visitor: Visitor) -> Response:
    """Change what one's own post says."""
    visitor.require_login()
    status = await _own(visitor)
    if visitor.request.method == "GET":
        source = await visitor.fetch("posts", f"/api/v1/statuses/{status['id']}/source")
        form = composer(
            visitor,
            status=source["text"],
            spoiler_text=source["spoiler_text"],
            visibility=status["visibility"],
            language=status["language"] or "",
            **_poll_fields(source["poll"]),
        )
        return visitor.page("edit.html", status=status, form=form, problem=None, **await side(visitor))
    sent = await visitor.form()
    poll = _poll(sent)
    fields = {
        "status": str(sent.get("status", "")),
        "spoiler_text": str(sent.get("spoiler_text", "")),
        "language": str(sent.get("language", "")) or None,
        "media_ids": [media["id"] for media in status["media_attachments"] if f"remove-{media['id']}" not in sent],
        "media_attributes": [
            {"id": media["id"], "description": str(sent.get(f"description-{media['id']}", ""))} for media in status["media_attachments"]
        ],
        "poll": poll,
    }
    answer = await visitor.backend.edit_status(visitor.identity, status["id"], fields)
    if not answer.ok:
        typed = {name: str(sent.get(name, "")) for name in ("status", "spoiler_text", "language", "poll_expires_in")}
        form = composer(visitor, visibility=status["visibility"], **_poll_fields(poll) | typed)
        return visitor.page("edit.html", answer.status, status=status, form=form, problem=visitor.told(answer), **await side(visitor))
    return visitor.redirect(f"/@{visitor.identity.name}/{status['id']}", visitor._("Changed. Earlier versions stay in the post's history."))


async def delete(visitor: Visitor) -> Response:
    """Delete one's own post, after asking once."""
    visitor.require_login()
    status = await _own(visitor)
    if visitor.request.method == "GET":
        return visitor.page("delete.html", status=status, **await side(visitor))
    await visitor.form()
    visitor.demand(await visitor.backend.delete_status(visitor.identity, status["id"]))
    return visitor.redirect(f"/@{visitor.identity.name}", visitor._("The post is gone."))


async def react(visitor: Visitor) -> Response:
    """Like, boost, keep or pin, or no longer; scripts get the new state, others the page again."""
    visitor.require_login()
    sent = await visitor.form()
    verb, status_id = visitor.request.path_params["verb"], parsed_id(visitor.request.path_params["id"])
    if verb not in _VERBS:
        raise HTTPException(404)
    action, flag, count = _VERBS[verb]
    answer = await visitor.call("social", "POST", f"/api/v1/statuses/{status_id}/{action}")
    visitor.demand(answer)
    if visitor.request.headers.get("x-inline") != "1":
        return visitor.redirect(visitor.back(sent))
    status = answer.json()
    status = status["reblog"] or status
    on = status[flag]
    undone = action.removeprefix("un")
    return JSONResponse(
        {"on": on, "count": status[count] if count else None, "next": f"/posts/{status['id']}/{'un' + undone if on else undone}"}
    )


async def vote(visitor: Visitor) -> Response:
    """Vote in the poll of a post, and see it again."""
    visitor.require_login()
    sent, status_id = await visitor.form(), parsed_id(visitor.request.path_params["id"])
    answer = await visitor.call("social", "POST", f"/api/v1/polls/{status_id}/votes", json={"choices": sent.getlist("choices")})
    if answer.status == 422:
        return visitor.redirect(visitor.back(sent), visitor.told(answer))
    visitor.demand(answer)
    return visitor.redirect(visitor.back(sent))


async def _shown(visitor: Visitor) -> Any:
    status_id = parsed_id(visitor.request.path_params["id"])
    status = await visitor.fetch("social", f"/api/v1/statuses/{status_id}")
    return status["reblog"] or status


async def _own(visitor: Visitor) -> Any:
    status = await _shown(visitor)
    if status["account"]["id"] != str(visitor.identity.account_id):
        raise HTTPException(404)
    return status


async def _fields(visitor: Visitor, sent: FormData) -> tuple[dict[str, Any], str | None]:
    """What the form says, pictures uploaded; or what is wrong with a picture."""
    media: list[str] = []
    files = [file for file in sent.getlist("pictures") if isinstance(file, UploadFile) and file.filename]
    if len(files) > 4:
        return {}, visitor._("Four pictures at most.")
    for file in files:
        answer = await _upload(visitor, file, str(sent.get("description", "")))
        if not answer.ok:
            return {}, visitor.told(answer)
        media.append(answer.json()["id"])
    return {
        "status": str(sent.get("status", "")),
        "spoiler_text": str(sent.get("spoiler_text", "")),
        "visibility": str(sent.get("visibility", "")) or None,
        "language": str(sent.get("language", "")) or None,
        "in_reply_to_id": str(sent.get("in_reply_to_id", "")) or None,
        "media_ids": media,
        "poll": _poll(sent),
    }, None


def _poll(sent: FormData) -> dict[str, Any] | None:
    """What the form asks; a poll without any answer is none."""
    options = [str(sent.get(f"poll_options-{place}", "")) for place in range(forms.MOST_OPTIONS)]
    if not any(option.strip() for option in options):
        return None
    return {
        "options": options,
        "expires_in": str(sent.get("poll_expires_in", "")),
        "multiple": "poll_multiple" in sent,
        "hide_totals": "poll_hide_totals" in sent,
    }


def _poll_fields(poll: dict[str, Any] | None) -> dict[str, Any]:
    """A poll as fields of the form; the deadline is left where it is."""
    if poll is None:
        return {}
    return {
        "poll_options": poll["options"],
        "poll_expires_in": "",
        "poll_multiple": poll["multiple"],
        "poll_hide_totals": poll["hide_totals"],
    }


async def _upload(visitor: Visitor, file: UploadFile, description: str) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", await file.read(), filename="picture", content_type="application/octet-stream")
    form.add_field("description", description)
    return await visitor.call("posts", "POST", "/api/v2/media", data=form)


async def _again(visitor: Visitor, sent: FormData, problem: str, status: int) -> Response:
    """The box once more with what was typed and what is wrong; nothing is lost but the chosen files."""
    typed = {name: str(sent.get(name, "")) for name in ("status", "spoiler_text", "visibility", "language", "poll_expires_in")}
    form, reply_to = composer(visitor, **_poll_fields(_poll(sent)) | typed), str(sent.get("in_reply_to_id", ""))
    return visitor.page("write.html", status, form=form, problem=problem, reply_to=reply_to, **await side(visitor))
