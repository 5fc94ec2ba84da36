"""Lists of people that are read apart, and hashtags that are followed."""

from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are those of 3.2

from gateway.services import Answer
from gateway.web import forms
from gateway.web.pages.feeds import feed, side
from gateway.web.visitor import Visitor, parsed_id

_VERBS = ("follow", "unfollow")


async def lists(visitor: Visitor) -> Response:
    """One's lists, a form to make another, and the hashtags that one follows."""
    visitor.require_login()
    form, problem, status = _form(visitor), None, 200
    if visitor.request.method == "POST":
        form = _form(visitor, await visitor.form())
        made = await visitor.call("social", "POST", "/api/v1/lists", json=_said(form))
        if made.ok:
            told = visitor._("The list is made. Add people on their profiles.")
            return visitor.redirect(f"/lists/{made.json()['id']}", told)
        problem, status = _problem(visitor, form, made), 422
    found = await visitor.fetch("social", "/api/v1/lists")
    tags = await visitor.fetch("social", "/api/v1/followed_tags", params={"limit": "200"})
    return visitor.page("lists.html", status, lists=found, tags=tags, form=form, problem=problem, **await side(visitor))


async def one(visitor: Visitor) -> Response:
    """What the people in a list say."""
    visitor.require_login()
    known = await _list(visitor)
    posts, older = await feed(visitor, f"/api/v1/timelines/list/{known['id']}")
    shown = {"posts": posts, "older": older, "older_path": f"/lists/{known['id']}", "filter_context": "home"}
    return visitor.page("list.html", list=known, **shown, **await side(visitor))


async def edit(visitor: Visitor) -> Response:
    """Rename a list, change what it shows, see who is in it."""
    visitor.require_login()
    sent = await visitor.form() if visitor.request.method == "POST" else None
    known, problem, status = await _list(visitor), None, 200
    form = _form(visitor, sent, title=known["title"], replies_policy=known["replies_policy"], exclusive=known["exclusive"])
    if sent is not None:
        changed = await visitor.call("social", "PUT", f"/api/v1/lists/{known['id']}", json=_said(form))
        if changed.ok:
            return visitor.redirect(f"/lists/{known['id']}", visitor._("The list is changed."))
        problem, status = _problem(visitor, form, changed), 422
    people = await visitor.fetch("social", f"/api/v1/lists/{known['id']}/accounts", params={"limit": "0"})
    return visitor.page("edit_list.html", status, list=known, form=form, people=people, problem=problem, **await side(visitor))


async def delete(visitor: Visitor) -> Response:
    """Delete a list, after asking once."""
    visitor.require_login()
    if visitor.request.method == "GET":
        return visitor.page("delete_list.html", list=await _list(visitor), **await side(visitor))
    await visitor.form()
    visitor.demand(await visitor.call("social", "DELETE", f"/api/v1/lists/{_id(visitor)}"))
    return visitor.redirect("/lists", visitor._("The list is gone."))


async def change_members(visitor: Visitor) -> Response:
    """Put somebody into a list, or take them out."""
    visitor.require_login()
    sent = await visitor.form()
    method = "DELETE" if sent.get("decision") == "remove" else "POST"
    answer = await visitor.call(
        "social", method, f"/api/v1/lists/{_id(visitor)}/accounts", json={"account_ids": [parsed_id(str(sent.get("account_id")))]}
    )
    visitor.demand(answer)
    return visitor.redirect(visitor.back(sent, f"/lists/{_id(visitor)}/edit"))


async def of_person(visitor: Visitor) -> Response:
    """Which of one's lists somebody is in, with buttons to change that."""
    visitor.require_login()
    account = await visitor.fetch("social", "/api/v1/accounts/lookup", params={"acct": visitor.request.path_params["username"]})
    found = await visitor.fetch("social", "/api/v1/lists")
    containing = {entry["id"] for entry in await visitor.fetch("social", f"/api/v1/accounts/{account['id']}/lists")}
    return visitor.page("person_lists.html", account=account, lists=found, containing=containing, **await side(visitor))


async def relate_to_tag(visitor: Visitor) -> Response:
    """Follow a hashtag, or no longer."""
    visitor.require_login()
    sent, verb = await visitor.form(), visitor.request.path_params["verb"]
    if verb not in _VERBS:
        raise HTTPException(404)
    name = quote(visitor.request.path_params["name"], safe="")
    visitor.demand(await visitor.call("social", "POST", f"/api/v1/tags/{name}/{verb}"))
    return visitor.redirect(visitor.back(sent, f"/tags/{name}"))


def _form(visitor: Visitor, sent: Any = None, **known: Any) -> Any:
    form = forms.filled(forms.EditList, visitor.token, sent, **known)
    form.replies_policy.choices = [SelectChoice(choice.value, visitor._(choice.label)) for choice in form.replies_policy.choices]
    return form


def _said(form: Any) -> dict[str, Any]:
    return {"title": form.title.data or "", "replies_policy": form.replies_policy.data, "exclusive": bool(form.exclusive.data)}


def _problem(visitor: Visitor, form: Any, answer: Answer) -> str | None:
    """What is wrong with what was typed, None where it is told beside a field; anything else becomes the page for it."""
    if answer.status != 422:
        visitor.demand(answer)
    return visitor.blamed(form, answer)


def _id(visitor: Visitor) -> int:
    return parsed_id(visitor.request.path_params["id"])


async def _list(visitor: Visitor) -> Any:
    return await visitor.fetch("social", f"/api/v1/lists/{_id(visitor)}")
