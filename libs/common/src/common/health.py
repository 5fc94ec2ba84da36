"""Whether a process lives (`/health/live`) and whether it can do its work (`/health/self`, with reasons)."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else a short reason without secrets."""


class Health:
    """Collects what must be well for this process to serve."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._checks: list[Check] = []

    def add(self, check: Check) -> None:
        self._checks.append(check)

    async def reasons(self) -> list[str]:
        """Why this process can't serve now; empty when it can."""
        found = [await check() for check in self._checks]
        return [reason for reason in found if reason]

    def routes(self) -> list[Route]:
        return [Route("/health/live", _live), Route("/health/self", self._self)]

    async def _self(self, request: Request) -> Response:
        reasons = await self.reasons()
        return JSONResponse({"name": self.name, "ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


_LIVE: Final = Response(b"ok\n", media_type="text/plain")


async def _live(request: Request) -> Response:
    return _LIVE
