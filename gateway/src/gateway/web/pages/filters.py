"""Filters: what one doesn't want to see, or not at once."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are those of 3.2

from gateway.web import forms
from gateway.web.pages.feeds import side
from gateway.web.visitor import Visitor, parsed_id

CONTEXTS = ("home", "notifications", "public", "thread", "account")


async def filters(visitor: Visitor) -> Response:
    """One's filters, and a form for another."""
    visitor.require_login()
    form, status, problem = _form(visitor, home=True, public=True, account=True, thread=True), 200, None
    if visitor.request.method == "POST":
        form, status = _form(visitor, await visitor.form()), 422
        if form.validate():
            answer = await visitor.call("social", "POST", "/api/v2/filters", json=_wanted(form, []))
            if answer.ok:
                return visitor.redirect("/settings/filters", visitor._("Your filter is set up."))
            status, problem = answer.status, visitor.blamed(form, answer)
    known = await visitor.fetch("social", "/api/v2/filters")
    return visitor.page("filters.html", status, filters=known, form=form, problem=problem, **await side(visitor))


async def edit(visitor: Visitor) -> Response:
    """Change a filter."""
    visitor.require_login()
    sent = await visitor.form() if visitor.request.method == "POST" else None
    path = f"/api/v2/filters/{parsed_id(visitor.request.path_params['id'])}"
    known = await visitor.fetch("social", path)
    words = {whole: "\n".join(word["keyword"] for word in known["keywords"] if word["whole_word"] is whole) for whole in (True, False)}
    contexts = {context: context in known["context"] for context in CONTEXTS}
    form = _form(
        visitor, known=known, title=known["title"], filter_action=known["filter_action"], words=words[True], parts=words[False], **contexts
    )
    status, problem = 200, None
    if sent is not None:
        form, status = _form(visitor, sent, known), 422
        if form.validate():
            answer = await visitor.call("social", "PUT", path, json=_wanted(form, known["keywords"]))
            if answer.ok:
                return visitor.redirect("/settings/filters", visitor._("Your filter is changed."))
            status, problem = answer.status, visitor.blamed(form, answer)
    return visitor.page("edit_filter.html", status, known=known, form=form, problem=problem, **await side(visitor))


async def remove(visitor: Visitor) -> Response:
    """Take a filter away."""
    visitor.require_login()
    await visitor.form()
    visitor.demand(await visitor.call("social", "DELETE", f"/api/v2/filters/{parsed_id(visitor.request.path_params['id'])}"))
    return visitor.redirect("/settings/filters", visitor._("The filter is gone."))


def _form(visitor: Visitor, sent: Any = None, known: Mapping[str, Any] | None = None, **defaults: Any) -> Any:
    form = forms.filled(forms.EditFilter, visitor.token, sent, **defaults)
    for field in (form.filter_action, form.ends):
        field.choices = [SelectChoice(choice.value, visitor._(choice.label)) for choice in field.choices]
    if known is None or known["expires_at"] is None:
        form.ends.choices = [choice for choice in form.ends.choices if choice.value != forms.AS_IT_IS]
    return form


def _wanted(form: Any, keywords: list[Any]) -> dict[str, Any]:
    """What the form says, with what is to become of the keywords that were there."""
    wanted = dict.fromkeys((line, whole) for field, whole in ((form.words, True), (form.parts, False)) for line in forms.lines(field.data))
    known = {(word["keyword"], word["whole_word"]): word["id"] for word in keywords}
    gone = [{"id": an_id, "_destroy": True} for word, an_id in known.items() if word not in wanted]
    new = [{"keyword": keyword, "whole_word": whole} for keyword, whole in wanted if (keyword, whole) not in known]
    fields = {
        "title": form.title.data,
        "context": [context for context in CONTEXTS if form[context].data],
        "filter_action": form.filter_action.data,
        "keywords_attributes": [*gone, *new],
    }
    return fields if form.ends.data == forms.AS_IT_IS else fields | {"expires_in": form.ends.data}
