"""Endpoints that skip the framework: those that take a request (and an id from the path) and answer with bytes that are ready.

Matching a route, solving dependencies and a dozen layers of middleware cost three times what the page itself does. A marked endpoint
stays an ordinary FastAPI endpoint, with its place in the API's description; requests that fit it exactly are only led there directly.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from common import telemetry
from common.ids import MAX_ID

Endpoint = Callable[..., Awaitable[Response]]
E = TypeVar("E", bound=Endpoint)

_MARK = "__hot__"


def hot(endpoint: E) -> E:
    """Mark an endpoint whose only parameters are `request: Request` and at most one `PathId`; stands below the route's decorator.

    It reads and checks a body by itself (`common.bodies`); one without a length, or longer than the application takes, goes the long way.
    """
    setattr(endpoint, _MARK, True)
    return endpoint


class HotApp(FastAPI):
    """FastAPI, with a short way for what `hot` marks. Errors become the same answers by the same handlers."""

    def __init__(self, *, max_body_size: int, **settings: Any) -> None:
        super().__init__(max_body_size=max_body_size, **settings)
        self._hot: dict[tuple[str, str], tuple[Endpoint, str | None]] = {}
        self._most = max_body_size

    def lead_directly(self, routers: Iterable[APIRouter]) -> None:
        """Find the marked endpoints; call it once, with all routers."""
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute) and hasattr(route.endpoint, _MARK):
                    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
                    shape = "/".join("{}" if part.startswith("{") else part for part in route.path.split("/"))
                    for method in route.methods or ():
                        self._hot[method, shape] = (route.endpoint, names[0] if names else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not telemetry.enabled() and (scope["method"] == "GET" or self._takes_body(scope)):
            parts = scope["path"].split("/")
            numbers = [part for part in parts if part.isascii() and part.isdigit()]
            shape = "/".join("{}" if part in numbers else part for part in parts) if numbers else scope["path"]
            found = self._hot.get((scope["method"], shape))
            if found is not None and len(numbers) == (found[1] is not None) and (not numbers or int(numbers[0]) <= MAX_ID):
                await self._answer(found[0], {found[1]: int(numbers[0])} if found[1] else {}, scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _takes_body(self, scope: Scope) -> bool:
        """Whether it is told how long the body is, and that isn't too long."""
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        return told.isdigit() and int(told) <= self._most

    async def _answer(self, endpoint: Endpoint, values: dict[str, int], scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request=request, **values)
        except Exception as error:
            kind = next((kind for kind in type(error).__mro__ if kind in self.exception_handlers), None)
            if kind is None:
                raise
            handler: Any = self.exception_handlers[kind]
            response = await handler(request, error)
            if kind is Exception:  # nobody expected it: answer, and let the server log it
                await response(scope, receive, send)
                raise
        await response(scope, receive, send)
