"""Postmark as its documentation describes it: send, batch, search by metadata, suppressions by stream; no idempotency, like the real one.

`mode` makes it fail: `ok`, `accept_then_500`, `accept_then_hang`, `accept_then_cut` (the answer breaks off), `accept_then_garble` (200, but
no JSON), `slow`, `limited` (429), `down` (503), `inactive` (406), `bad_token` (10).
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

STREAMS: Final = ("outbound", "broadcast")
_MOST: Final = 500


@dataclass
class FakePostmark:
    """Keeps what it took in `delivered`: bodies as they were sent, with their `MessageID`."""

    token: str = "fake-token"  # noqa: S105 - nothing is protected by it
    mode: str = "ok"
    hang: float = 30.0
    delay: float = 3.0
    calls: int = 0
    batches: list[int] = field(default_factory=list)
    """The sizes of the batches that were asked for."""

    delivered: list[dict[str, Any]] = field(default_factory=list)
    suppressed: dict[tuple[str, str], str] = field(default_factory=dict)
    """The reason by stream and address."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/email", self._send, methods=["POST"]),
                Route("/email/batch", self._batch, methods=["POST"]),
                Route("/messages/outbound", self._search),
                Route("/delivered", self._delivered),
                Route("/message-streams/{stream}/suppressions/dump", self._dump),
                Route("/message-streams/{stream}/suppressions/delete", self._reactivate, methods=["POST"]),
            ]
        )

    def keys(self) -> list[str]:
        """The dedupe keys of everything taken, repeated as often as it was taken."""
        return [message["Metadata"]["dedupe-key"] for message in self.delivered]

    def doubled(self) -> set[str]:
        """The dedupe keys of what was taken more than once."""
        return {key for key, times in Counter(self.keys()).items() if times > 1}

    def hook(self, message: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
        """What a webhook says of a message that was taken."""
        address = {"SubscriptionChange": "Recipient", "Delivery": "Recipient"}.get(kind, "Email")
        told = {"RecordType": kind, "MessageID": message["MessageID"], "MessageStream": message["MessageStream"], address: message["To"]}
        return {**told, "Metadata": message["Metadata"], "Tag": message.get("Tag"), "ServerID": 1, **more}

    async def _send(self, request: Request) -> Response:
        refused = self._refuse(request)
        return refused or await self._answer(self._take(await request.json()))

    async def _batch(self, request: Request) -> Response:
        messages = await request.json()
        self.batches.append(len(messages))
        if len(messages) > _MOST:
            return _error(422, 410, "The batch holds more than 500 messages.")
        refused = self._refuse(request)
        return refused or await self._answer([self._take(message) for message in messages])

    async def _search(self, request: Request) -> Response:
        """By one key of the metadata, as the real one; a second one is not looked at."""
        if not self._known(request):
            return _error(401, 10, "Bad or missing Server API token.")
        name, wanted = next(
            ((n.removeprefix("metadata_"), v) for n, v in request.query_params.items() if n.startswith("metadata_")), ("", "")
        )
        found = [message for message in self.delivered if message["Metadata"].get(name) == wanted]
        return JSONResponse({"TotalCount": len(found), "Messages": [{"MessageID": m["MessageID"], "Status": "Sent"} for m in found]})

    async def _delivered(self, request: Request) -> Response:
        """What the real one doesn't have: everything that one address got, for tests in other processes."""
        return JSONResponse([message for message in self.delivered if message["To"] == request.query_params["to"]])

    async def _dump(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, 10, "Bad or missing Server API token.")
        stream = request.path_params["stream"]
        if stream not in STREAMS:
            return _error(422, 1226, "The message stream for the provided 'ID' was not found.")
        kept = [(address, reason) for (where, address), reason in self.suppressed.items() if where == stream]
        told = [
            {"EmailAddress": address, "SuppressionReason": reason, "Origin": "Recipient", "CreatedAt": "2026-01-01T00:00:00-05:00"}
            for address, reason in kept
        ]
        return JSONResponse({"Suppressions": told})

    async def _reactivate(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, 10, "Bad or missing Server API token.")
        told = []
        for asked in (await request.json())["Suppressions"]:
            address, stream = asked["EmailAddress"], request.path_params["stream"]
            complained = self.suppressed.get((stream, address)) == "SpamComplaint"
            if not complained:
                self.suppressed.pop((stream, address), None)
            told.append({"EmailAddress": address, "Status": "Failed" if complained else "Deleted", "Message": None})
        return JSONResponse({"Suppressions": told})

    def _known(self, request: Request) -> bool:
        return request.headers.get("x-postmark-server-token") == self.token

    def _refuse(self, request: Request) -> Response | None:
        self.calls += 1
        if self.mode == "bad_token" or not self._known(request):
            return _error(401, 10, "Bad or missing Server API token.")
        if self.mode == "limited":
            return _error(429, 429, "Rate limit exceeded.")
        if self.mode == "down":
            return _error(503, 100, "Maintenance.")
        return None

    def _take(self, message: dict[str, Any]) -> dict[str, Any]:
        stream, address = message.get("MessageStream") or "outbound", message.get("To", "")
        if stream not in STREAMS:
            return {"ErrorCode": 1235, "Message": "The message stream does not exist."}
        if not message.get("From") or "@" not in address:
            return {"ErrorCode": 300, "Message": "Invalid email request."}
        if self.mode == "inactive" or (stream, address) in self.suppressed:
            return {"ErrorCode": 406, "Message": "You tried to send to a recipient that has been marked as inactive."}
        taken = message | {"MessageID": str(uuid.uuid4()), "MessageStream": stream}
        self.delivered.append(taken)
        return {
            "To": address,
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
        if self.mode == "accept_then_garble":
            return Response("<html>all is well</html>")
        if self.mode == "slow":
            await asyncio.sleep(self.delay)
        failed = isinstance(made, dict) and made["ErrorCode"] != 0
        return JSONResponse(made, 422 if failed else 200)


async def _cut_short() -> AsyncIterator[bytes]:
    """Less than was announced, so that the server breaks the connection."""
    yield b"{"


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"ErrorCode": code, "Message": message}, status)
