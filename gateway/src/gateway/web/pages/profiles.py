"""People: their pages, following them; one's own profile and settings."""

from typing import Any
from urllib.parse import quote

import aiohttp
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are those of 3.2

from gateway.web import forms, i18n
from gateway.web.pages.feeds import feed, side
from gateway.web.visitor import Visitor, parsed_id

_VERBS = ("follow", "unfollow", "remove_from_followers", "block", "unblock", "mute", "unmute", "endorse", "unendorse")
_DESCRIPTIONS = ("avatar_description", "header_description")
_SWITCHES = ("locked", "hide_collections", "discoverable", "indexable", "bot")
_YEAR = 365 * 24 * 3600
_PEOPLE = 40


async def profile(visitor: Visitor) -> Response:
    """Somebody's page: posts, posts with replies, pictures, or what they wrote under a hashtag."""
    account = await _account(visitor)
    tab, tag = visitor.request.path_params.get("tab", ""), visitor.request.path_params.get("tag", "")
    params = {"": {"exclude_replies": "true"}, "with_replies": {}, "media": {"only_media": "true"}}.get(tab)
    if params is None:
        raise HTTPException(404)
    if tag:
        tab, params = f"tagged/{quote(tag, safe='')}", {"tagged": tag}
    listed = f"/api/v1/accounts/{account['id']}/statuses"
    posts, older = await feed(visitor, listed, **params)
    pinned: list[Any] = []
    if not tab and "max_id" not in visitor.request.query_params:
        pinned = await visitor.fetch("social", listed, params={"pinned": "true"})
        above = {status["id"] for status in pinned}
        posts = [status for status in posts if status["id"] not in above]
    relation = None
    if visitor.identity.is_user and account["id"] != str(visitor.identity.account_id):
        relation = (await visitor.fetch("social", "/api/v1/accounts/relationships", params=[("id[]", account["id"])]))[0]
    tags = await visitor.fetch("social", f"/api/v1/accounts/{account['id']}/featured_tags")
    endorsed = await visitor.fetch("social", f"/api/v1/accounts/{account['id']}/endorsements", params={"limit": "12"})
    path = f"/@{account['username']}{'/' + tab if tab else ''}"
    shown = {"account": account, "relation": relation, "pinned": pinned, "posts": posts, "older": older, "older_path": path, "tab": tab}
    shown |= {"tag": tag, "tags": tags, "endorsed": endorsed, "filter_context": "account"}
    return visitor.page("profile.html", **shown, **await side(visitor))


async def people(visitor: Visitor) -> Response:
    """Who follows somebody, or whom they follow."""
    account, which = await _account(visitor), visitor.request.path_params["which"]
    found, older = await feed(visitor, f"/api/v1/accounts/{account['id']}/{which}", limit="40")
    kept = account["hide_collections"] and account["id"] != str(visitor.identity.account_id)
    heading = (
        visitor._("Followers of %(name)s", name=account["display_name"])
        if which == "followers"
        else visitor._("%(name)s follows", name=account["display_name"])
    )
    path = f"/@{account['username']}/{which}"
    return visitor.page("people.html", heading=heading, people=found, older=older, older_path=path, kept=kept, **await side(visitor))


async def directory(visitor: Visitor) -> Response:
    """People who wish to be found."""
    order = "new" if visitor.request.query_params.get("order") == "new" else "active"
    place = visitor.request.query_params.get("offset", "")
    offset = int(place) if place.isascii() and place.isdigit() and len(place) < 6 else 0
    asked = {"order": order, "limit": str(_PEOPLE), "offset": str(offset)}
    found = await visitor.fetch("social", "/api/v1/directory", params=asked)
    more = offset + _PEOPLE if len(found) == _PEOPLE else None
    return visitor.page("directory.html", people=found, order=order, more=more, **await side(visitor))


async def dismiss(visitor: Visitor) -> Response:
    """Never be suggested somebody again."""
    visitor.require_login()
    sent = await visitor.form()
    visitor.demand(await visitor.call("social", "DELETE", f"/api/v1/suggestions/{parsed_id(visitor.request.path_params['id'])}"))
    return visitor.redirect(visitor.back(sent))


async def requests(visitor: Visitor) -> Response:
    """Who asks to follow one; let them, or not."""
    visitor.require_login()
    if visitor.request.method == "POST":
        sent = await visitor.form()
        verb = "authorize" if sent.get("decision") == "authorize" else "reject"
        visitor.demand(await visitor.call("social", "POST", f"/api/v1/follow_requests/{parsed_id(str(sent.get('id')))}/{verb}"))
        return visitor.redirect("/follow_requests")
    found = await visitor.fetch("social", "/api/v1/follow_requests")
    return visitor.page("requests.html", people=found, **await side(visitor))


async def relate(visitor: Visitor) -> Response:
    """Follow, block, mute, or no longer."""
    visitor.require_login()
    sent, verb = await visitor.form(), visitor.request.path_params["verb"]
    if verb not in _VERBS:
        raise HTTPException(404)
    account = await _account(visitor)
    visitor.demand(await visitor.call("social", "POST", f"/api/v1/accounts/{account['id']}/{verb}"))
    return visitor.redirect(visitor.back(sent, f"/@{account['username']}"))


async def edit_profile(visitor: Visitor) -> Response:
    """Change one's own profile."""
    visitor.require_login()
    mine = await visitor.fetch("social", "/api/v1/accounts/verify_credentials")
    if visitor.request.method == "GET":
        known = {name: mine[name] for name in (*_DESCRIPTIONS, *_SWITCHES)}
        form = forms.filled(forms.EditProfile, visitor.token, display_name=mine["display_name"], note=mine["source"]["note"], **known)
        return visitor.page("edit_profile.html", form=form, account=mine, problem=None, **await side(visitor))
    sent = await visitor.form()
    form = forms.filled(forms.EditProfile, visitor.token, sent)
    data = aiohttp.FormData()
    for name in ("display_name", "note", *_DESCRIPTIONS):
        data.add_field(name, str(sent.get(name, "")))
    for name in _SWITCHES:
        data.add_field(name, "true" if sent.get(name) else "false")
    for number in range(4):
        data.add_field(f"fields_attributes[{number}][name]", str(sent.get(f"field-name-{number}", "")))
        data.add_field(f"fields_attributes[{number}][value]", str(sent.get(f"field-value-{number}", "")))
    for name in ("avatar", "header"):
        file = sent.get(name)
        if isinstance(file, UploadFile) and file.filename:
            data.add_field(name, await file.read(), filename="picture", content_type="application/octet-stream")
    answer = await visitor.call("social", "PATCH", "/api/v1/accounts/update_credentials", data=data)
    if not answer.ok:
        problem = visitor.blamed(form, answer)
        return visitor.page("edit_profile.html", answer.status, form=form, account=mine, problem=problem, **await side(visitor))
    return visitor.redirect(f"/@{visitor.identity.name}", visitor._("Your profile is changed."))


async def featured_tags(visitor: Visitor) -> Response:
    """Choose which hashtags stand on one's profile."""
    visitor.require_login()
    if visitor.request.method == "GET":
        return await _featured_tags(visitor)
    sent = await visitor.form()
    if "remove" in sent:
        visitor.demand(await visitor.call("social", "DELETE", f"/api/v1/featured_tags/{parsed_id(str(sent['remove']))}"))
        return visitor.redirect("/settings/hashtags")
    form = forms.filled(forms.FeatureTag, visitor.token, sent)
    problem = None
    if form.validate():
        answer = await visitor.call("social", "POST", "/api/v1/featured_tags", json={"name": form.name.data})
        if answer.ok:
            return visitor.redirect("/settings/hashtags")
        problem = visitor.blamed(form, answer)
    return await _featured_tags(visitor, 422, form=form, problem=problem)


async def settings(visitor: Visitor) -> Response:
    """Mail, password, devices."""
    visitor.require_login()
    return await _settings(visitor)


async def change_look(visitor: Visitor) -> Response:
    """Choose the language and the look of the pages on this device; the language follows to other devices and into mails."""
    visitor.require_login()
    form = forms.filled(forms.Look, visitor.token, await visitor.form())
    if not form.validate():
        return await _settings(visitor, 422, looks=form)
    response = visitor.redirect("/settings", i18n.translator(form.language.data)("Your choice is kept."))
    for name in ("language", "look", "density"):
        visitor.set_cookie(response, name, form[name].data, _YEAR)
    visitor.set_cookie(response, "keys", "on" if form.keys.data else "off", _YEAR)
    await visitor.call("auth", "POST", "/internal/locale", json={"locale": form.language.data})
    return response


async def change_mail(visitor: Visitor) -> Response:
    """Choose which mails one gets."""
    visitor.require_login()
    form = forms.filled(forms.MailChoice, visitor.token, await visitor.form())
    wanted = {name: bool(form[name].data) for name in ("follow", "comment", "announcement")}
    visitor.demand(await visitor.call("notify", "PUT", "/api/v1/microblog/mail_preferences", json=wanted))
    return visitor.redirect("/settings", visitor._("Your choice is kept."))


async def change_password(visitor: Visitor) -> Response:
    """Choose a new password; other devices are logged out."""
    visitor.require_login()
    form = forms.filled(forms.ChangePassword, visitor.token, await visitor.form())
    problem = None
    if form.validate():
        answer = await visitor.call("auth", "POST", "/internal/passwords", json={"current": form.current.data, "new": form.new.data})
        if answer.ok:
            return visitor.redirect("/settings", visitor._("Your new password is set; other devices were logged out."))
        problem = visitor.blamed(form, answer, {"password": "new"})
    return await _settings(visitor, 422, password=form, problem=problem)


async def end_session(visitor: Visitor) -> Response:
    """Log a device or an app out."""
    visitor.require_login()
    token_id = parsed_id(str((await visitor.form()).get("id")))
    visitor.demand(await visitor.call("auth", "POST", "/internal/sessions/revoke", json={"token_id": token_id}))
    visitor.backend.identities.forget(visitor.identity.account_id, [token_id])
    return visitor.redirect("/settings", visitor._("Logged out there."))


async def language(visitor: Visitor) -> Response:
    """Choose the language of the pages, and of mails if one is logged in."""
    sent = await visitor.form()
    chosen = str(sent.get("language", ""))
    response = visitor.redirect(visitor.back(sent))
    if chosen in i18n.LOCALES:
        visitor.set_cookie(response, "language", chosen, _YEAR)
        if visitor.identity.is_user:
            await visitor.call("auth", "POST", "/internal/locale", json={"locale": chosen})
    return response


async def unsubscribe(visitor: Visitor) -> Response:
    """End one kind of mail by its link; mail programs post it by themselves (RFC 8058), so the link's token is all that is asked."""
    token = visitor.request.query_params.get("token", "")
    if visitor.request.method == "GET":
        return visitor.page("unsubscribe.html", link=token)
    answer = await visitor.call("notify", "POST", "/internal/unsubscribe", json={"token": token[:300]})
    if not answer.ok:
        return visitor.page("message.html", answer.status, heading=visitor._("That didn't work"), text=visitor.told(answer))
    return visitor.page("message.html", heading=visitor._("Done"), text=visitor._("You won't get these mails any more."))


async def _settings(visitor: Visitor, status: int = 200, password: Any = None, problem: str | None = None, looks: Any = None) -> Response:
    preferences = await visitor.fetch("notify", "/api/v1/microblog/mail_preferences")
    devices = await visitor.fetch("auth", "/internal/sessions")
    chosen = {"language": visitor.locale, "look": visitor.look, "density": visitor.density, "keys": visitor.keys}
    looks = looks or forms.filled(forms.Look, visitor.token, **chosen)
    for field in (looks.look, looks.density):
        field.choices = [SelectChoice(choice.value, visitor._(choice.label)) for choice in field.choices]
    return visitor.page(
        "settings.html",
        status,
        mail=forms.filled(forms.MailChoice, visitor.token, **preferences),
        password=password or forms.filled(forms.ChangePassword, visitor.token),
        looks=looks,
        problem=problem,
        devices=devices,
        **await side(visitor),
    )


async def _featured_tags(visitor: Visitor, status: int = 200, form: Any = None, problem: str | None = None) -> Response:
    tags = await visitor.fetch("social", "/api/v1/featured_tags")
    used = await visitor.fetch("social", "/api/v1/featured_tags/suggestions")
    form = form or forms.filled(forms.FeatureTag, visitor.token)
    return visitor.page("featured_tags.html", status, form=form, problem=problem, tags=tags, used=used, **await side(visitor))


async def _account(visitor: Visitor) -> Any:
    return await visitor.fetch("social", "/api/v1/accounts/lookup", params={"acct": visitor.request.path_params["username"]})
