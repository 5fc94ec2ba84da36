"""The door itself: finds the route, knows the caller, counts, composes or passes through, and says no in the API's own words."""

import logging
import secrets
from typing import Final

from common import telemetry
from common.errors import DomainError
from common.identity import ANONYMOUS, Identity
from fastapi.exceptions import RequestValidationError
from isal import igzip
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.addresses import Addresses
from gateway.backend import Backend
from gateway.call import Call
from gateway.compose import COMPOSERS
from gateway.encoding import takes_gzip
from gateway.identity import AuthAway
from gateway.limits import Limits, TooOften, Verdict
from gateway.load import Bodies, Gate, Overloaded, TooLarge, TooSlow, Unreadable
from gateway.routes import APP, USER, Match, Route, Table, is_page
from gateway.services import BUSY, Answer, error

log = logging.getLogger(__name__)

_MAX_BODY: Final = 1_000_000
_MAX_UPLOAD: Final = 34_000_000
_MAX_URL: Final = 8_000
_COMPRESSED_FROM: Final = 1_000

_PAGES_WITH_FILES: Final = frozenset({"/posts", "/settings/profile"})
_BEHIND_PAGES: Final = "social"
"""The service that nearly every page asks."""
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_REFUSALS: Final[dict[type[Exception], tuple[int, str]]] = {
    Unreadable: (400, "The request can't be read"),
    TooSlow: (408, "The request took too long to arrive"),
    TooLarge: (413, "The request is too large"),
    Overloaded: (503, BUSY),
}
"""What is said to a request that isn't read to its end. Its connection is closed: what follows on it is no request."""

_SHED_BODY: Final = error(503, BUSY).body
_SHED_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"retry-after", b"1"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Retry-After"),
    (b"content-length", str(len(_SHED_BODY)).encode()),
]

_NOT_FORWARDED: Final = frozenset(
    """
    connection keep-alive proxy-authenticate proxy-authorization te trailer trailers transfer-encoding upgrade host content-length cookie
    authorization accept-encoding forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip expect traceparent tracestate
    """.split()
)
_CORS: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Retry-After"),
]
_PREFLIGHT: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key"),
    (b"access-control-max-age", b"86400"),
]


class Edge:
    """The ASGI application for everything that isn't a page; pages go to their own."""

    def __init__(self, backend: Backend, limits: Limits, pages: ASGIApp, addresses: Addresses, gate: Gate, bodies: Bodies) -> None:
        self._backend = backend
        self._limits = limits
        self._pages = pages
        self._addresses = addresses
        self._gate = gate
        self._bodies = bodies
        self._table = Table()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gate.full and not scope["path"].startswith("/health/"):
            telemetry.count_refusal(503, self._gate.name)
            await _start_and_end(send, 503, _SHED_HEADERS, _SHED_BODY)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        ip = self._addresses.of(scope, headers)
        if not _well_framed(scope["path"], headers):
            await _send(send, scope["method"], _refusal(Unreadable()), {}, secrets.token_hex(8), "")
            return
        if is_page(scope["path"]):
            with telemetry.span(f"{scope['method']} {scope['path']}", SpanKind.SERVER, headers.get("traceparent")):
                scope["client"] = (ip, 0)
                await self._page(scope, receive, send, headers, ip)
            return
        if scope["method"] == "OPTIONS":
            await _start_and_end(send, 204, _PREFLIGHT, b"")
            return
        request_id = secrets.token_hex(8)
        with telemetry.span(f"{scope['method']} {scope['path']}", SpanKind.SERVER, headers.get("traceparent")):
            try:
                answer, counted = await self._answer(scope, receive, headers, ip)
            except RequestValidationError as problem:
                told = "; ".join(f"{'.'.join(str(p) for p in e['loc'][1:]) or 'body'}: {e['msg']}" for e in problem.errors()[:5])
                answer, counted = error(422, f"Validation failed: {told}"), {}
            except DomainError as problem:
                answer, counted = error(problem.status, str(problem), code=problem.code), {}
            except (Unreadable, TooSlow, TooLarge, Overloaded) as problem:
                answer, counted = _refusal(problem), {}
            except Exception:
                log.exception("unexpected", extra={"path": scope["path"], "request_id": request_id})
                answer, counted = error(500, "Something went wrong on our side"), {}
        await _send(send, scope["method"], answer, counted, request_id, headers.get("accept-encoding", ""))

    async def _answer(self, scope: Scope, receive: Receive, headers: dict[str, str], ip: str) -> tuple[Answer, dict[str, str]]:
        method, path = scope["method"], scope["path"].rstrip("/")
        if len(path) + len(scope["query_string"]) > _MAX_URL:
            return error(414, "The address is too long"), {}
        match = self._table.find(method, path)
        if match is None:
            return error(404, "Record not found"), {}
        if not isinstance(match, Match):
            return Answer(
                405, error(405, "Method not allowed").body, {"content-type": "application/json", "allow": ", ".join(sorted(match))}
            ), {}
        scope["route_path"] = match.route.template
        token = _bearer(headers)
        try:
            refused, identity = await self._identify(match.route, token, ip)
        except TooOften as problem:
            return _too_often(problem.verdict, "strangers")
        verdict = self._limits.count(match.route.limit, str(identity.account_id) if identity.is_user else ip)
        if not verdict.allowed:
            return _too_often(verdict, match.route.limit)
        if refused is not None:
            return refused, verdict.headers
        if self._backend.services.full(match.route.service):
            raise Overloaded(match.route.service)
        async with self._bodies.read(receive, headers, _most(match.route)) as body:
            call = Call(method, path, scope["query_string"].decode("latin-1"), match.values, headers, body, identity, ip, token)
            if match.route.limit == "none":
                return await self._work(match.route, call, scope), {}
            with self._gate:
                return await self._work(match.route, call, scope), verdict.headers

    async def _work(self, route: Route, call: Call, scope: Scope) -> Answer:
        """Compose the answer, or pass the request on as it is."""
        if route.compose is not None:
            if not _is_id(call.values.get("id", "0")):
                return error(404, "Record not found")
            return await COMPOSERS[route.compose](self._backend, call)
        method = "GET" if call.method == "HEAD" else call.method
        path = scope.get("raw_path", call.path.encode()).split(b"?", 1)[0].decode("latin-1").rstrip("/")
        target = f"{path}?{call.query}" if call.query else path
        sent = _forwarded_headers(call.headers, route, call.ip)
        return await self._backend.services.send(
            route.service, method, target, identity=call.identity, body=call.body or None, headers=sent
        )

    async def _identify(self, route: Route, token: str | None, ip: str) -> tuple[Answer | None, Identity]:
        """Who calls, and the refusal when they may not call this; raises `TooOften` for an address that makes up one token after another."""
        if route.limit == "none" or route.template.startswith("/oauth/"):
            return None, ANONYMOUS
        if token is None:
            refused = error(401, "The access token is invalid") if route.who in (USER, APP) else None
            return refused, ANONYMOUS
        try:
            known = await self._backend.identities.resolve(token, lambda: self._limits.demand("strangers", ip))
        except AuthAway:
            return error(503, "The service is temporarily unavailable"), ANONYMOUS
        if known is None:
            self._limits.count("strangers", ip)
        if known is None or known.session:
            return error(401, "The access token is invalid"), ANONYMOUS
        identity = known.identity
        if known.state in ("suspended", "disabled"):
            return error(403, "Your login is currently disabled"), identity
        if route.who == USER and not identity.is_user:
            return error(422, "This method requires an authenticated user"), identity
        if identity.is_user and known.state == "unconfirmed" and route.template != "/api/v1/emails/confirmations" and route.who == USER:
            return error(403, "Your login is missing a confirmed e-mail address"), identity
        if route.scope is not None and not _covers(identity, route.scope):
            return error(403, "This action is outside the authorized scopes"), identity
        if route.scope is not None and route.scope.startswith("admin:") and identity.role != "admin":
            return error(403, "This action is not allowed"), identity
        return None, identity

    async def _page(self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str], ip: str) -> None:
        verdict = self._limits.count("pages", ip)
        if not verdict.allowed and not scope["path"].startswith("/static/"):
            telemetry.count_refusal(429, "pages")
            await _plain(send, 429, "Too many requests: try again in a few minutes", {"retry-after": str(verdict.seconds)})
            return
        try:
            if self._backend.services.full(_BEHIND_PAGES) and not scope["path"].startswith("/static/"):
                raise Overloaded(_BEHIND_PAGES)  # cheaper than a page that says so
            if scope["method"] in _WITHOUT_BODY:
                with self._gate:
                    await self._pages(scope, receive, send)
                return
            most = _MAX_UPLOAD if scope["path"] in _PAGES_WITH_FILES else _MAX_BODY
            async with self._bodies.read(receive, headers, most) as body:
                with self._gate:
                    await self._pages(scope, _again(body, receive), send)
        except (Unreadable, TooSlow, TooLarge, Overloaded) as problem:
            refusal = _refusal(problem)
            told = {name: value for name, value in refusal.headers.items() if name != "content-type"}
            await _plain(send, refusal.status, _REFUSALS[type(problem)][1], told)


def _covers(identity: Identity, scope: str) -> bool:
    """Whether the token's scopes allow it; the old scope `follow` stands for relations."""
    if identity.may(scope):
        return True
    verb, _, noun = scope.partition(":")
    return verb in ("read", "write") and noun in ("follows", "blocks", "mutes") and "follow" in identity.scopes


def _bearer(headers: dict[str, str]) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def _most(route: Route) -> int:
    return _MAX_UPLOAD if route.limit == "media" or route.template.endswith("/update_credentials") else _MAX_BODY


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit()


def _well_framed(path: str, headers: dict[str, str]) -> bool:
    """Whether the request has a path, and a body whose end is told as we understand it: we undo no coding but `chunked`."""
    return path.startswith("/") and headers.get("transfer-encoding", "chunked").strip().lower() == "chunked"


def _too_often(verdict: Verdict, limit: str) -> tuple[Answer, dict[str, str]]:
    telemetry.count_refusal(429, limit)
    headers = {"content-type": "application/json", "retry-after": str(verdict.seconds)}
    return Answer(429, error(429, "Too many requests").body, headers), verdict.headers


def _refusal(problem: Exception) -> Answer:
    status, told = _REFUSALS[type(problem)]
    if isinstance(problem, Overloaded):
        telemetry.count_refusal(status, problem.full)
    answer = error(status, told)
    return answer if status == 503 else Answer(status, answer.body, answer.headers | {"connection": "close"})


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for somebody who expects to read it; after it comes what comes."""
    message: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def read() -> Message:
        nonlocal message
        if message is None:
            return await receive()
        first, message = message, None
        return first

    return read


def _forwarded_headers(headers: dict[str, str], route: Route, ip: str) -> dict[str, str]:
    """What a service may see of a client's headers: nothing that we set ourselves, no credentials but OAuth's own, nothing for this hop only."""
    this_hop = {name.strip().lower() for name in headers.get("connection", "").split(",")}
    sent = {
        name: value
        for name, value in headers.items()
        if name not in _NOT_FORWARDED and name not in this_hop and not name.startswith(("x-microblog-", "x-forwarded-")) and "_" not in name
    }
    if route.template.startswith("/oauth/") and "authorization" in headers:
        sent["authorization"] = headers["authorization"]
    if ip:
        sent["x-forwarded-for"] = ip
    return sent


async def _send(send: Send, method: str, answer: Answer, counted: dict[str, str], request_id: str, accepts: str) -> None:
    body = answer.body
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers += [(name.encode(), value.encode()) for name, value in counted.items()]
    headers += [*_CORS, (b"x-request-id", request_id.encode()), (b"vary", b"Accept-Encoding, Authorization")]
    if len(body) > _COMPRESSED_FROM and takes_gzip(accepts) and "json" in answer.headers.get("content-type", ""):
        body = igzip.compress(body, compresslevel=1, mtime=0)
        headers.append((b"content-encoding", b"gzip"))
    if "cache-control" not in answer.headers:
        headers.append((b"cache-control", b"private, no-store"))
    headers.append((b"content-length", str(len(body)).encode()))
    await _start_and_end(send, answer.status, headers, b"" if method == "HEAD" else body)


async def _plain(send: Send, status: int, sentence: str, headers: dict[str, str]) -> None:
    """An answer to somebody at a browser."""
    body = f"{sentence}.\n".encode()
    told = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), **headers}
    await _start_and_end(send, status, [(name.encode(), value.encode()) for name, value in told.items()], body)


async def _start_and_end(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
