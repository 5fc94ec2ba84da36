"""Write, read, edit and delete posts; like, boost, keep, pin, vote, translate."""

import secrets
from typing import Any

import aiohttp
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from gateway.services import Answer
from gateway.web import forms, i18n
from gateway.web.pages.feeds import composer, side
from gateway.web.threads import branches
from gateway.web.visitor import Visitor, error_of, parsed_id

_MOST_PICTURES = 4
_KEY_REUSED = "This Idempotency-Key was sent with another post"
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


async def write(visitor: Visitor) -> Response:
    """The box to write in, on a page of its own."""
    visitor.require_login()
    shown = {
        "form": composer(visitor),
        "problem": None,
        "reply_to": "",
        "place": "",
        "next": "/",
        "media": [],
        "once": secrets.token_hex(8),
    }
    return visitor.page("write.html", **shown, **await side(visitor))


async def publish(visitor: Visitor) -> Response:
    """Publish a post with up to four pictures; sending the form twice makes one post. Its other button only uploads, to describe pictures."""
    visitor.require_login()
    sent = await visitor.form()
    media, problem = await _pictures(visitor, sent)
    if "add" in sent:
        return await _added(visitor, sent, media, problem)
    if problem is not None:
        return await _again(visitor, sent, 422, media, pictures=problem)
    fields = _fields(sent, media)
    answer = await visitor.backend.create_status(visitor.identity, fields, f"page-{str(sent.get('once') or secrets.token_hex(8))[:64]}")
    status = answer.json() if answer.ok else None
    if error_of(answer) == _KEY_REUSED:
        status = await _sent_before(visitor, fields)
        if status is None:
            told = visitor._("This form was sent already, with something else. If this is another post, send it again.")
            return await _again(visitor, sent, 422, media, told)
    if status is None:
        return await _again(visitor, sent, answer.status, media, refused=answer)
    back = visitor.back(sent)
    if fields.get("in_reply_to_id") and not back.startswith("/messages/"):
        back = f"/@{visitor.identity.name}/{status['id']}"
    response = visitor.redirect(back)
    visitor.say_sent(response, str(sent.get("place", "")))
    return response


async def thread(visitor: Visitor) -> Response:
    """A post with what it answers and the answers to it."""
    status = await _shown(visitor)
    if status["account"]["username"].lower() != visitor.request.path_params["username"].lower():
        return visitor.redirect(f"/@{status['account']['username']}/{status['id']}")
    return await _thread(visitor, status)


async def translate(visitor: Visitor) -> Response:
    """The post in the reader's language, or the reason why not: by itself for scripts, else on the same page, where the original stays."""
    visitor.require_login()
    await visitor.form()
    status = await _shown(visitor)
    answer = await visitor.backend.translate(visitor.identity, status["id"], visitor.locale)
    if visitor.request.headers.get("x-inline") != "1":
        return await _thread(visitor, status, answer)
    if not answer.ok:
        return JSONResponse({"error": visitor.told(answer), "again": "retry-after" in answer.headers}, answer.status)
    made = answer.json()
    described = {media["id"]: media["description"] for media in made["media_attachments"]}
    return JSONResponse(
        {
            "language": made["language"],
            "content": made["content"],
            "spoiler_text": made["spoiler_text"],
            "options": [option["title"] for option in (made["poll"] or {"options": []})["options"]],
            "descriptions": [described.get(media["id"]) for media in status["media_attachments"]],
            "told": _translated_from(visitor, made),
        }
    )


def _translated_from(visitor: Visitor, made: Any) -> str:
    language = i18n.language_name(made["detected_source_language"], visitor.locale)
    return visitor._("Translated from %(language)s by %(provider)s", language=language, provider=made["provider"])


async def _thread(visitor: Visitor, status: Any, translated: Answer | None = None) -> Response:
    context = await visitor.fetch("social", f"/api/v1/statuses/{status['id']}/context")
    form = reply_composer(visitor, status) if visitor.identity.is_user else None
    made = translated.json() if translated and translated.ok else None
    return visitor.page(
        "thread.html",
        status=status,
        form=form,
        translation=made,
        translated_from=_translated_from(visitor, made) if made else "",
        trouble=visitor.told(translated) if translated and not translated.ok else None,
        once=secrets.token_hex(8),
        filter_context="thread",
        ancestors=context["ancestors"],
        answers=branches(status, context["descendants"]),
        **await side(visitor),
    )


def reply_composer(visitor: Visitor, status: Any) -> Any:
    """The box for an answer, which names whoever takes part and is seen by no more people than what it answers."""
    names = dict.fromkeys([status["account"]["username"], *(mention["username"] for mention in status["mentions"])])
    mentioned = "".join(f"@{name} " for name in names if name != visitor.identity.name)
    return composer(visitor, status=mentioned, visibility=status["visibility"])


async def history(visitor: Visitor) -> Response:
    """What a post said over time, the newest first."""
    status = await _shown(visitor)
    entries = await visitor.backend.history(visitor.identity, status["id"])
    visitor.demand(entries)
    return visitor.page("history.html", status=status, entries=entries.json(), **await side(visitor))


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
        problem = visitor.blamed(form, answer)
        return visitor.page("edit.html", answer.status, status=status, form=form, problem=problem, **await side(visitor))
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
        return visitor.redirect(f"{visitor.back(sent).split('#', 1)[0]}#post-{status_id}")
    status = answer.json()
    status = status["reblog"] or status
    on = status[flag]
    undone = action.removeprefix("un")
    return JSONResponse(
        {
            "on": on,
            "count": i18n.number(status[count], visitor.locale) if count and status[count] else "",
            "next": f"/posts/{status['id']}/{'un' + undone if on else undone}",
        }
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


def _fields(sent: FormData, media: list[Any]) -> dict[str, Any]:
    """What the form says, with pictures that were uploaded."""
    return {
        "status": str(sent.get("status", "")),
        "spoiler_text": str(sent.get("spoiler_text", "")),
        "visibility": str(sent.get("visibility", "")) or None,
        "language": str(sent.get("language", "")) or None,
        "in_reply_to_id": str(sent.get("in_reply_to_id", "")) or None,
        "media_ids": [one["id"] for one in media],
        "poll": _poll(sent),
    }


async def _pictures(visitor: Visitor, sent: FormData) -> tuple[list[Any], str | None]:
    """The form's pictures: those that it brought before, described as it says now, and new ones; and what is wrong with one."""
    media: list[Any] = []
    for media_id in sent.getlist("media"):
        described = {"description": str(sent.get(f"description-{media_id}", ""))}
        answer = await visitor.call("posts", "PUT", f"/api/v1/media/{parsed_id(str(media_id))}", json=described)
        # A picture that a post has taken keeps its words; `_sent_before` finds out which post that is.
        media.append(answer.json() if answer.ok else {"id": str(media_id), "preview_url": "", "description": described["description"]})
    files = [file for file in sent.getlist("pictures") if isinstance(file, UploadFile) and file.filename]
    if len(media) + len(files) > _MOST_PICTURES:
        return media, visitor._("Four pictures at most.")
    for file in files:
        answer = await _upload(visitor, file)
        if not answer.ok:
            return media, visitor.told(answer)
        media.append(answer.json())
    return media, None


async def _added(visitor: Visitor, sent: FormData, media: list[Any], problem: str | None) -> Response:
    """The box with its new pictures and a field beside each; for scripts only these fields, or what is wrong."""
    if visitor.request.headers.get("x-inline") == "1":
        return visitor.page("described.html", 422 if problem else 200, media=media, problem=problem)
    return await _again(visitor, sent, 422 if problem else 200, media, pictures=problem)


async def _sent_before(visitor: Visitor, fields: dict[str, Any]) -> Any:
    """The post that the same form made a moment ago, None if it said something else.

    Pictures that a browser sends along are uploaded again with each sending: to `posts` that is another post under the same key.
    """
    params = {"limit": "5", "exclude_reblogs": "true"}
    lately = await visitor.fetch("social", f"/api/v1/accounts/{visitor.identity.account_id}/statuses", params=params)
    for status in lately:
        if len(status["media_attachments"]) == len(fields["media_ids"]) > 0:
            source = await visitor.fetch("posts", f"/api/v1/statuses/{status['id']}/source")
            if (source["text"], source["spoiler_text"]) == (fields["status"], fields["spoiler_text"]):
                return status
    return None


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


async def _upload(visitor: Visitor, file: UploadFile) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", await file.read(), filename="picture", content_type="application/octet-stream")
    return await visitor.call("posts", "POST", "/api/v2/media", data=form)


async def _again(
    visitor: Visitor,
    sent: FormData,
    status: int,
    media: list[Any],
    problem: str | None = None,
    *,
    pictures: str | None = None,
    refused: Answer | None = None,
) -> Response:
    """The box once more with what was typed and what is wrong; nothing is lost but files that could not be taken."""
    typed = {name: str(sent.get(name, "")) for name in ("status", "spoiler_text", "visibility", "language", "poll_expires_in")}
    form, reply_to = composer(visitor, **_poll_fields(_poll(sent)) | typed), str(sent.get("in_reply_to_id", ""))
    if pictures is not None:
        form.blame("bad_image", pictures)
    if refused is not None:
        problem = visitor.blamed(form, refused)
    shown = {
        "form": form,
        "problem": problem,
        "reply_to": reply_to,
        "place": str(sent.get("place", "")),
        "next": visitor.back(sent),
        "once": secrets.token_hex(8),
    }
    return visitor.page("write.html", status, media=[one for one in media if one["preview_url"]], **shown, **await side(visitor))
