"""Postmark as its documentation describes it: send, batch, search by metadata; no idempotency, like the real one.

`mode` makes it fail: `ok`, `accept_then_500`, `accept_then_hang`, `accept_then_cut` (the answer breaks off), `slow`, `limited` (429),
`down` (503), `inactive` (406), `bad_token` (10).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@dataclass
class FakePostmark:
    """Keeps what it took in `delivered`: bodies as they were sent, with their `MessageID`."""

    token: str = "fake-token"  # noqa: S105 - nothing is protected by it
    mode: str = "ok"
    hang: float = 30.0
    delay: float = 3.0
    calls: int = 0
    delivered: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/email", self._send, methods=["POST"]),
                Route("/email/batch", self._batch, methods=["POST"]),
                Route("/messages/outbound", self._search),
            ]
        )

    def keys(self) -> list[str]:
        """The dedupe keys of everything taken, repeated as often as it was taken."""
        return [message["Metadata"]["dedupe-key"] for message in self.delivered]

    async def _send(self, request: Request) -> Response:
        refused = self._refuse(request)
        return refused or await self._answer(self._take(await request.json()))

    async def _batch(self, request: Request) -> Response:
        refused = self._refuse(request)
        return refused or await self._answer([self._take(message) for message in await request.json()])

    async def _search(self, request: Request) -> Response:
        if request.headers.get("x-postmark-server-token") != self.token:
            return _error(401, 10, "Bad or missing Server API token.")
        wanted = request.query_params.get("metadata_dedupe-key")
        found = [message for message in self.delivered if message["Metadata"]["dedupe-key"] == wanted]
        return JSONResponse({"TotalCount": len(found), "Messages": [{"MessageID": m["MessageID"], "Status": "Sent"} for m in found]})

    def _refuse(self, request: Request) -> Response | None:
        self.calls += 1
        if self.mode == "bad_token" or request.headers.get("x-postmark-server-token") != self.token:
            return _error(401, 10, "Bad or missing Server API token.")
        if self.mode == "limited":
            return _error(429, 429, "Rate limit exceeded.")
        if self.mode == "down":
            return _error(503, 100, "Maintenance.")
        if self.mode == "inactive":
            return _error(422, 406, "You tried to send to a recipient that has been marked as inactive.")
        return None

    def _take(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("MessageStream") not in ("outbound", "broadcast"):
            return {"ErrorCode": 1235, "Message": "The message stream does not exist."}
        if not message.get("From") or "@" not in message.get("To", ""):
            return {"ErrorCode": 300, "Message": "Invalid email request."}
        taken = message | {"MessageID": str(uuid.uuid4())}
        self.delivered.append(taken)
        return {
            "To": message["To"],
            "SubmittedAt": "2026-01-01T00:00:00Z",
            "MessageID": taken["MessageID"],
            "ErrorCode": 0,
            "Message": "OK",
        }

    async def _answer(self, made: Any) -> Response:
        if self.mode == "accept_then_500":
            return Response(status_code=500)
        if self.mode == "accept_then_hang":
            await asyncio.sleep(self.hang)
        if self.mode == "accept_then_cut":
            return StreamingResponse(_cut_short(), headers={"content-length": "100"})
        if self.mode == "slow":
            await asyncio.sleep(self.delay)
        failed = isinstance(made, dict) and made["ErrorCode"] != 0
        return JSONResponse(made, 422 if failed else 200)


async def _cut_short() -> AsyncIterator[bytes]:
    """Less than was announced, so that the server breaks the connection."""
    yield b"{"


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"ErrorCode": code, "Message": message}, status)
