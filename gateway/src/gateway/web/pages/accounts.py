"""Sign up, log in and out, confirm, reset; what apps are allowed to do."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import RedirectResponse, Response

from gateway.backend import forwarded
from gateway.identity import GATEWAY
from gateway.services import Answer
from gateway.web import forms, i18n
from gateway.web.visitor import Visitor, error_of, local_path

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


async def register(visitor: Visitor) -> Response:
    """Sign up."""
    if visitor.request.method == "GET":
        return visitor.page("register.html", form=forms.filled(forms.Register, visitor.token))
    form = forms.filled(forms.Register, visitor.token, await visitor.form())
    if not form.validate():
        return visitor.page("register.html", 422, form=form)
    sent = {
        "username": form.username.data,
        "email": form.email.data,
        "password": form.password.data,
        "agreement": form.agreement.data,
        "locale": visitor.locale,
        "user_agent": visitor.request.headers.get("user-agent"),
    }
    answer = await _ask_auth(visitor, "POST", "/internal/registrations", sent)
    if not answer.ok:
        return visitor.page("register.html", answer.status, form=form, problem=visitor.blamed(form, answer))
    made = answer.json()
    await visitor.backend.carry_account(made["event"])
    response = visitor.redirect("/", visitor._("Welcome! Say hello, and find people to follow."))
    visitor.log_in(response, made["session"], remember=False)
    return response


async def log_in(visitor: Visitor) -> Response:
    """Log in, and go on to where one wanted to be."""
    after = local_path(visitor.request.query_params.get("next", "/"))
    if visitor.request.method == "GET":
        return visitor.page("login.html", form=forms.filled(forms.LogIn, visitor.token), next=after)
    sent = await visitor.form()
    form, after = forms.filled(forms.LogIn, visitor.token, sent), visitor.back(sent)
    if not form.validate():
        return visitor.page("login.html", 422, form=form, next=after)
    asked = {
        "identifier": form.identifier.data,
        "password": form.password.data,
        "remember": form.remember.data,
        "user_agent": visitor.request.headers.get("user-agent"),
    }
    answer = await _ask_auth(visitor, "POST", "/internal/sessions", asked)
    if not answer.ok:
        problem = {401: visitor._("The name, address or password is wrong."), 429: visitor._("Too many tries: wait some minutes.")}
        return visitor.page("login.html", answer.status, form=form, next=after, problem=problem.get(answer.status, visitor.told(answer)))
    response = visitor.redirect(after)
    visitor.log_in(response, answer.json()["session"], remember=bool(form.remember.data))
    return response


async def log_out(visitor: Visitor) -> Response:
    """Log out here."""
    await visitor.form()
    if visitor.session:
        await _ask_auth(visitor, "DELETE", "/internal/sessions", {"session": visitor.session})
        visitor.backend.identities.forget_token(visitor.session)
    response = visitor.redirect("/", visitor._("You are logged out."))
    response.delete_cookie(visitor.cookie_name, path="/", secure=visitor.secure, httponly=True, samesite="lax")
    return response


async def delete_account(visitor: Visitor) -> Response:
    """Delete one's own account for good, after asking for the password."""
    visitor.require_login()
    if visitor.request.method == "GET":
        return visitor.page("delete_account.html", form=forms.filled(forms.DeleteAccount, visitor.token))
    form = forms.filled(forms.DeleteAccount, visitor.token, await visitor.form())
    if not form.validate():
        return visitor.page("delete_account.html", 422, form=form)
    answer = await visitor.call("auth", "POST", "/internal/deletions", json={"password": form.current.data})
    if not answer.ok:
        return visitor.page(
            "delete_account.html", 422 if answer.status == 401 else answer.status, form=form, problem=visitor.blamed(form, answer)
        )
    visitor.backend.identities.forget(visitor.identity.account_id, None)
    await visitor.backend.carry_account(answer.json()["event"])
    response = visitor.redirect("/", visitor._("Your account is deleted."))
    response.delete_cookie(visitor.cookie_name, path="/", secure=visitor.secure, httponly=True, samesite="lax")
    return response


async def reset(visitor: Visitor) -> Response:
    """Ask for a link to choose a new password; the answer is the same for every address."""
    form = forms.filled(forms.AskReset, visitor.token)
    if visitor.request.method == "GET":
        return visitor.page("reset.html", form=form)
    form = forms.filled(forms.AskReset, visitor.token, await visitor.form())
    if not form.validate():
        return visitor.page("reset.html", 422, form=form)
    answer = await _ask_auth(visitor, "POST", "/internal/resets", {"email": form.email.data})
    if answer.status == 429:
        return visitor.page("reset.html", 429, form=form, problem=visitor._("Too many tries: wait some minutes."))
    visitor.demand(answer)
    return visitor.page(
        "message.html",
        heading=visitor._("Look into your mail"),
        text=visitor._("If this address has an account, a link is on its way. It is good for 30 minutes."),
    )


async def use_reset(visitor: Visitor) -> Response:
    """Choose a new password with the mailed link."""
    token = visitor.request.query_params.get("token", "")
    if visitor.request.method == "GET":
        return visitor.page("use_reset.html", form=forms.filled(forms.UseReset, visitor.token), link=token)
    sent = await visitor.form()
    form, token = forms.filled(forms.UseReset, visitor.token, sent), str(sent.get("link", ""))
    if not form.validate():
        return visitor.page("use_reset.html", 422, form=form, link=token)
    answer = await _ask_auth(visitor, "POST", "/internal/resets/use", {"token": token, "password": form.password.data})
    if not answer.ok:
        return visitor.page("use_reset.html", answer.status, form=form, link=token, problem=visitor.blamed(form, answer))
    return visitor.redirect("/login", visitor._("Your new password is set. Log in with it."))


async def confirm(visitor: Visitor) -> Response:
    """Confirm one's address: a button, since mail programs open links by themselves."""
    token = visitor.request.query_params.get("token", "")
    if visitor.request.method == "GET":
        return visitor.page("confirm.html", link=token)
    sent = await visitor.form()
    answer = await _ask_auth(visitor, "POST", "/internal/confirmations/use", {"token": str(sent.get("link", ""))})
    if not answer.ok:
        return visitor.page("message.html", answer.status, heading=visitor._("That didn't work"), text=visitor.told(answer))
    event = answer.json()["event"]
    await visitor.backend.carry_account(event)
    visitor.backend.identities.forget(int(event["account_id"]), None)
    return visitor.redirect("/", visitor._("Your address is confirmed."))


async def resend(visitor: Visitor) -> Response:
    """Have the confirmation mailed again."""
    visitor.require_login()
    await visitor.form()
    answer = await visitor.call("auth", "POST", "/api/v1/emails/confirmations")
    told = visitor._("The mail is on its way.") if answer.ok else visitor._("Too many tries: wait some minutes.")
    return visitor.redirect("/", told)


async def authorize(visitor: Visitor) -> Response:
    """Let an app act for one, or not. An unknown app or address gets a page of ours, never a redirect."""
    visitor.require_login()
    query = visitor.request.query_params
    sent = await visitor.form() if visitor.request.method == "POST" else query
    asked = {
        name: str(sent.get(name, "")) for name in ("client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
    }
    params = {"redirect_uri": asked["redirect_uri"], "scope": asked["scope"], "response_type": str(sent.get("response_type", "code"))}
    answer = await visitor.backend.services.call(
        "auth", "GET", f"/internal/apps/{asked['client_id'] or '-'}", identity=GATEWAY, params=params
    )
    if not answer.ok:
        told = i18n.told(answer.json().get("error_description") or error_of(answer), visitor.locale)
        return visitor.page("message.html", answer.status, heading=visitor._("This app asked in a way that can't be answered"), text=told)
    if visitor.request.method == "GET":
        response = visitor.page("authorize.html", app=answer.json(), asked=asked)
        response.headers["x-consent"] = "1"
        return response
    if sent.get("decision") != "approve":
        return _denied(visitor, asked)
    granted = await visitor.call(
        "auth", "POST", "/internal/authorizations", json={k: v or None for k, v in asked.items()} | {"scope": asked["scope"] or "read"}
    )
    visitor.demand(granted)
    if granted.json()["redirect_to"] is None:
        return visitor.page("code.html", app=answer.json(), code=granted.json()["code"])
    return RedirectResponse(granted.json()["redirect_to"], 302)


def _denied(visitor: Visitor, asked: dict[str, str]) -> Response:
    if asked["redirect_uri"] == OUT_OF_BAND:
        return visitor.redirect("/")
    parts = urlsplit(asked["redirect_uri"])
    added = urlencode({"error": "access_denied"} | ({"state": asked["state"]} if asked["state"] else {}))
    return RedirectResponse(urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added)), 302)


async def _ask_auth(visitor: Visitor, method: str, path: str, json: dict[str, object]) -> Answer:
    """Ask `auth` as the gateway itself, with the visitor's address for its throttles."""
    return await visitor.backend.services.call("auth", method, path, identity=GATEWAY, json=json, headers=forwarded(visitor.ip))
