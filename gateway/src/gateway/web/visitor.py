"""Who looks at a page: session, language, token against forgery; and how pages are rendered for them."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from common.identity import ANONYMOUS, Identity
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.backend import Backend
from gateway.identity import AuthAway
from gateway.services import Answer
from gateway.web import csrf, i18n
from gateway.web.assets import asset
from gateway.web.filtering import filtered
from gateway.web.forms import PageForm
from gateway.web.marking import marked

_AS_IT_IS: Final[Mapping[str, str]] = MappingProxyType({})
_MONTH: Final = 30 * 24 * 3600
_MOST_FILES: Final = 50
"""Far more than a post takes: whoever chooses too many is told so beside what they wrote."""
_ID: Final = re.compile(r"[0-9]{1,18}")
_PLACE: Final = re.compile(r"[a-z]{0,10}[0-9]{0,18}")
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[^\s\\]*")

_environment = Environment(
    loader=PackageLoader("gateway.web"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals |= {"asset": asset, "filtered": filtered, "marked": marked}


def session_cookie(public_url: str) -> str:
    """The name of the cookie that holds a web session: where there is HTTPS, one that no other host can set."""
    return "__Host-session" if public_url.startswith("https://") else "session"


@dataclass
class Visitor:
    """One request for a page."""

    request: Request
    backend: Backend
    identity: Identity = ANONYMOUS
    state: str = ""
    session: str | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, request: Request, backend: Backend) -> "Visitor":
        """Recognise who asks by the session cookie; a session that is over counts as none."""
        visitor = cls(request, backend)
        session = request.cookies.get(visitor.cookie_name)
        if session:
            try:
                known = await backend.identities.resolve(session)
            except AuthAway as error:
                raise HTTPException(503) from error
            if known is not None and known.session and known.state not in ("suspended", "disabled"):
                visitor.identity, visitor.state, visitor.session = known.identity, known.state, session
        return visitor

    @property
    def secure(self) -> bool:
        return self.backend.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        return session_cookie(self.backend.public_url)

    @cached_property
    def anonymous_id(self) -> str:
        """What binds forms of people who aren't logged in."""
        return self.request.cookies.get("visitor") or secrets.token_urlsafe(16)

    @cached_property
    def token(self) -> str:
        """The token that this visitor's forms carry."""
        return csrf.token_for(self.backend.settings.cookie_secret.get_secret_value(), self.session or self.anonymous_id)

    @cached_property
    def locale(self) -> str:
        chosen = self.request.cookies.get("language") or (self.identity.locale if self.identity.is_user else None)
        return i18n.choose(chosen, self.request.headers.get("accept-language", ""))

    @property
    def look(self) -> str:
        """Light or dark if somebody chose one; empty to do as the device does."""
        chosen = self.request.cookies.get("look", "")
        return chosen if chosen in ("light", "dark") else ""

    @property
    def density(self) -> str:
        """`compact` for those who want more posts on a page; empty otherwise."""
        return "compact" if self.request.cookies.get("density") == "compact" else ""

    @property
    def keys(self) -> bool:
        """Whether single keys do things on this device."""
        return self.request.cookies.get("keys") != "off"

    def _(self, message: str, **values: Any) -> str:
        return i18n.translator(self.locale)(message, **values)

    @property
    def ip(self) -> str:
        return self.request.client.host if self.request.client else ""

    def require_login(self) -> None:
        """Send people who aren't logged in to the log-in page, and back afterwards."""
        if not self.identity.is_user:
            back = self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else "")
            raise Redirect(f"/login?next={quote(back if self.request.method == 'GET' else '/')}")

    async def form(self) -> FormData:
        """The form that was sent, if it comes from our own pages with the right token. Raises 403."""
        sent = await self.request.form(max_files=_MOST_FILES, max_fields=100, max_part_size=1_000_000)
        if not csrf.same(str(sent.get(csrf.FIELD, "")), self.token) or not csrf.same_origin(self.request, self.backend.public_url):
            raise HTTPException(403, self._("This form is too old: go back, reload the page and send it once more."))
        return sent

    async def call(self, service: str, method: str, path: str, **more: Any) -> Answer:
        """Ask a service as this visitor."""
        return await self.backend.services.call(service, method, path, identity=self.identity, **more)

    async def fetch(self, service: str, path: str, **more: Any) -> Any:
        """Read something as this visitor; an error becomes the page for it."""
        answer = await self.call(service, "GET", path, **more)
        self.demand(answer)
        return answer.json()

    def demand(self, answer: Answer) -> None:
        """Turn an error of a service into the page for it."""
        if not answer.ok:
            raise HTTPException(answer.status if answer.status in (401, 403, 404, 422, 429, 503) else 503, self.told(answer))

    def told(self, answer: Answer) -> str:
        """What a service said was wrong, in the reader's language."""
        return i18n.told(error_of(answer), self.locale)

    def blamed(self, form: PageForm, answer: Answer, renamed: Mapping[str, str] = _AS_IT_IS) -> str | None:
        """Put what a service refused beside the fields that it is about; the sentence, in the reader's language, if it is about none of them.

        `renamed` has the form's names of fields that the service calls otherwise.
        """
        try:
            said = answer.json()
        except ValueError:
            said = {}
        details = said.get("details")
        if details:
            form.place({renamed.get(name, name): faults for name, faults in details.items()})
            return None
        sentence = self.told(answer)
        return None if form.blame(str(said.get("code", "")), sentence) else sentence

    def page(self, template: str, code: int = 200, /, **context: Any) -> Response:
        """Render a page for this visitor."""
        known: dict[str, Any] = {
            "_": self._,
            "locale": self.locale,
            "locales": i18n.LOCALES,
            "me": self.identity if self.identity.is_user else None,
            "unconfirmed": self.state == "unconfirmed",
            "token": self.token,
            "title": self.backend.settings.title,
            "description": self._(self.backend.settings.description),
            "public_url": self.backend.public_url,
            "path": self.request.url.path,
            "query": self.request.url.query,
            "ago": lambda moment: i18n.ago(moment, self.locale),
            "full": lambda moment: i18n.full(moment, self.locale),
            "number": lambda count: i18n.number(count, self.locale),
            "look": self.look,
            "density": self.density,
            "keys": self.keys,
            "language_name": lambda code: i18n.language_name(code, self.locale),
            "note": self._take_note(),
            "sent": self.request.cookies.get("sent", "") if _PLACE.fullmatch(self.request.cookies.get("sent", "")) else "",
        }
        response = HTMLResponse(_environment.get_template(template).render({**known, **context}), code)
        if "visitor" not in self.request.cookies and self.session is None:
            self.set_cookie(response, "visitor", self.anonymous_id, None)
        if self.request.cookies.get("note"):
            response.delete_cookie("note", path="/")
        if "sent" in self.request.cookies:
            response.delete_cookie("sent", path="/")
        return response

    def redirect(self, target: str, note: str | None = None) -> Response:
        """Go on to another page of ours, with a sentence to show there."""
        response = RedirectResponse(target if _LOCAL_PATH.fullmatch(target) else "/", 303)
        if note:
            self.set_cookie(response, "note", quote(note[:300]), 60)
        return response

    def say_sent(self, response: Response, place: str) -> None:
        """Tell the next page that what was written in a place (a post's id, or a word) is sent: its draft may go."""
        if place and _PLACE.fullmatch(place):
            self.set_cookie(response, "sent", place, 60)

    def log_in(self, response: Response, session: str, *, remember: bool) -> None:
        """Give the browser its session."""
        self.set_cookie(response, self.cookie_name, session, _MONTH if remember else None)

    def set_cookie(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def back(self, sent: FormData, default: str = "/") -> str:
        """Where a form says that it came from, if that is a page of ours."""
        return local_path(str(sent.get("next", "")), default)

    def _take_note(self) -> str:
        return unquote(self.request.cookies.get("note", ""))


def parsed_id(text: str) -> int:
    """An id from a form or an address. Raises 404 if it can't be one."""
    if not _ID.fullmatch(text):
        raise HTTPException(404)
    return int(text)


class Redirect(Exception):
    """Go elsewhere instead."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target


def local_path(wanted: str, default: str = "/") -> str:
    """A path of this server; anything that could lead elsewhere becomes the default."""
    return wanted if _LOCAL_PATH.fullmatch(wanted) and not urlsplit(wanted).netloc else default


def error_of(answer: Answer) -> str:
    """What a service said was wrong, for people."""
    try:
        return str(answer.json()["error"]).removeprefix("Validation failed: ")
    except (ValueError, KeyError, TypeError, json.JSONDecodeError):
        return ""
