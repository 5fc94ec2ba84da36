"""The HTTP process of a service: who calls, one transaction for each request, and errors in the form of the Mastodon client API."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import logs, telemetry
from common.db import AWAY, NOT_STORABLE, Database
from common.errors import DomainError, LoginRequired, NotFound, OutsideScopes
from common.health import Check, Health
from common.hot import HotApp
from common.identity import ANONYMOUS, HEADER, Identity, InvalidIdentity, Verifier
from common.ids import MAX_ID
from common.settings import SharedSettings

log = logging.getLogger(__name__)

PathId = Annotated[int, Path(ge=0, le=MAX_ID)]
"""An id in a path; whatever isn't one is not found."""


def create_api(
    service: str,
    shared: SharedSettings,
    routers: Sequence[APIRouter],
    *,
    database: Database | None = None,
    checks: Sequence[Check] = (),
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    max_body: int = 1_000_000,
) -> FastAPI:
    """Return the application with errors, identity, health and tracing in place; `max_body` is in bytes.

    `app.state.database`, `.shared` and `.verifier` are set for dependencies; the service's own `lifespan` runs inside the database's.
    """
    health = Health(f"{service} api")

    @asynccontextmanager
    async def whole_life(app: FastAPI) -> AsyncIterator[None]:
        logs.set_up(f"{service} api", shared.log_level)
        telemetry.set_up(f"{service}-api", shared.otlp_endpoint)
        if database is not None:
            await database.open()
        try:
            if lifespan is None:
                yield
            else:
                async with lifespan(app):
                    yield
        finally:
            if database is not None:
                await database.close()

    app = _App(
        title=f"Microblog {service}",
        version="1",
        lifespan=whole_life,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=max_body,
    )
    app.state.database = database
    app.state.shared = shared
    app.state.verifier = Verifier(service, shared.identity_keys)
    if database is not None:
        health.add(database.answers)
    for check in checks:
        health.add(check)
    app.router.routes.extend(health.routes())
    for router in routers:
        _refuse_threads(router)
        app.include_router(router)
    app.lead_directly(routers)
    add_error_answers(app)
    app.add_middleware(_Traced)
    app.add_middleware(telemetry.Measured)
    return app


def add_error_answers(app: FastAPI) -> None:
    """Every error becomes `{"error": …}` with a fitting status."""
    app.add_exception_handler(DomainError, _domain_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in AWAY:
        app.add_exception_handler(kind, _away)
    for mistake in NOT_STORABLE:
        app.add_exception_handler(mistake, _not_storable)
    app.add_exception_handler(Exception, _unexpected)


def _refuse_threads(router: APIRouter) -> None:
    """Raise `TypeError` for a dependency that is no coroutine: FastAPI would run it in a thread, for 0.1 ms of every request."""
    for route in router.routes:
        waiting = [route.dependant] if isinstance(route, APIRoute) else []
        while waiting:
            for needed in waiting.pop().dependencies:
                if not (iscoroutinefunction(needed.call) or isasyncgenfunction(needed.call)):
                    raise TypeError(f"{needed.call} of {route} must be async")
                waiting.append(needed)


async def caller(request: Request) -> Identity:
    """Who calls; anonymous without the header. A bad token is refused, never taken for nobody."""
    token = request.headers.get(HEADER)
    if token is None:
        return ANONYMOUS
    verifier: Verifier = request.app.state.verifier
    try:
        return verifier.verify(token)
    except InvalidIdentity as error:
        log.warning("identity refused", extra={"reason": str(error)})
        raise LoginRequired("The access token is invalid") from error


async def user(identity: Annotated[Identity, Depends(caller)]) -> Identity:
    """The person who calls; raises `LoginRequired` for anybody else."""
    if not identity.is_user:
        raise LoginRequired
    return identity


def needs(scope: str) -> Callable[..., Awaitable[Identity]]:
    """A dependency that gives the person who calls if their token covers the scope; raises `LoginRequired` or `OutsideScopes`."""

    async def check(identity: Annotated[Identity, Depends(user)]) -> Identity:
        return _covered(identity, scope)

    return check


async def person(request: Request, scope: str) -> Identity:
    """What `needs(scope)` gives, for endpoints without dependencies."""
    return _covered(await user(await caller(request)), scope)


def _covered(identity: Identity, scope: str) -> Identity:
    if not identity.may(scope):
        raise OutsideScopes
    return identity


async def service_only(identity: Annotated[Identity, Depends(caller)]) -> Identity:
    """The gateway or another service's worker by itself; for everybody else the route doesn't exist."""
    if identity.kind != "service":
        raise NotFound
    return identity


async def transaction(request: Request) -> AsyncIterator[AsyncSession]:
    """One transaction for this request, committed before the answer leaves."""
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


async def the_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


Caller = Annotated[Identity, Depends(caller)]
User = Annotated[Identity, Depends(user)]
ServiceCaller = Annotated[Identity, Depends(service_only)]
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
ADatabase = Annotated[Database, Depends(the_database)]


def error_answer(status: int, message: str, **extra: Any) -> JSONResponse:
    """An error as clients of the Mastodon API expect it; `retry_after` (seconds) becomes the header, one second for every 503."""
    seconds = extra.pop("retry_after", 1 if status == 503 else None)
    return JSONResponse({"error": message, **extra}, status, headers=None if seconds is None else {"Retry-After": str(seconds)})


async def _domain_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DomainError)  # noqa: S101 - registered for this class only
    return error_answer(error.status, str(error), code=error.code, **error.extra)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    problems = error.errors()
    if any(problem["loc"][:1] == ("path",) for problem in problems):
        return error_answer(404, "Record not found", code="not_found")
    told = "; ".join(f"{'.'.join(str(part) for part in p['loc'][1:]) or 'body'}: {p['msg']}" for p in problems[:5])
    return error_answer(422, f"Validation failed: {told}", code="validation_failed")


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    message = "Record not found" if error.status_code == 404 else str(error.detail)
    return error_answer(error.status_code, message)


async def _away(request: Request, error: Exception) -> JSONResponse:
    log.warning("database away", extra={"reason": type(error).__name__, "path": request.scope.get("route_path", "")})
    return error_answer(503, "The service is temporarily unavailable", code="unavailable")


async def _not_storable(request: Request, error: Exception) -> JSONResponse:
    log.warning("value refused by the database", extra={"reason": type(error).__name__, "path": request.scope.get("route_path", "")})
    return error_answer(422, "Validation failed: a value can't be stored, such as a null character", code="not_storable")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return error_answer(500, "Something went wrong on our side", code="internal")


class _App(HotApp):
    """Tells of a body that is too large as of every other error; FastAPI itself answers in plain text, and outside of any middleware."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            await super().__call__(scope, receive, send)
            return
        refused = False

        async def answer(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == 413 and _PLAIN in message["headers"]:
                refused = True
                await error_answer(413, "The request is too large", code="too_large")(scope, receive, send)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, answer)


_PLAIN: Final = (b"content-type", b"text/plain; charset=utf-8")


class _Traced:
    """A server span for each request when tracing is on; a single check when it isn't."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not telemetry.enabled():
            await self._app(scope, receive, send)
            return
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with telemetry.span(f"{scope['method']} {scope['path']}", SpanKind.SERVER, parent):
            await self._app(scope, receive, send)


HIDDEN: Final[dict[str, Any]] = {"include_in_schema": False}
"""For routes that only other parts of the stack call."""
