"""Where clients come in: `/api/v1/streaming` as WebSocket, below it the same as server-sent events, and `/live` for our own pages."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from common import telemetry
from starlette.requests import cookie_parser
from starlette.types import Receive, Scope, Send

from gateway.addresses import Addresses
from gateway.backend import Backend
from gateway.identity import AuthAway, Identities
from gateway.limits import Limits
from gateway.services import error
from gateway.streaming import channels
from gateway.streaming.channels import LIST, USER, Channel, Refused, channel
from gateway.streaming.clients import Client, Message
from gateway.streaming.hub import Hub
from gateway.web.visitor import session_cookie

PREFIX: Final = "/api/v1/streaming"
PAGES: Final = "/live"
_EVERY: Final = 15.0
"""Seconds without news after which a sign of life is sent, and the token is looked at again."""
_MOST_CHANNELS: Final = 64
_HEADERS: Final = [(b"content-type", b"text/event-stream"), (b"cache-control", b"private, no-store"), (b"x-accel-buffering", b"no")]
_OPEN: Final = (b"access-control-allow-origin", b"*")


class Streams:
    """The ASGI application of the streams."""

    def __init__(self, backend: Backend, hub: Hub, limits: Limits, addresses: Addresses) -> None:
        self._backend = backend
        self._hub = hub
        self._limits = limits
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send, headers, query)
            elif scope["path"] == PAGES:
                await self._pages(scope, receive, send, headers)
            else:
                await self._events(scope, receive, send, headers, query)
        except Refused as refused:
            await _refuse(scope, send, refused)

    async def _events(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Server-sent events of one channel (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        path = scope["path"].removeprefix(PREFIX).strip("/")
        if path == "health":
            await _answer(send, 200, b"OK", b"text/plain")
            return
        if scope["method"] not in ("GET", "HEAD"):
            raise Refused(405, "Method not allowed")
        name = channels.name_at(path, only_media=query.get("only_media") in ("true", "1"))
        client = await self._client(scope, headers, query.get("access_token", ""))
        wanted = await self._channel(name, query, client)
        await self._send_events(client, wanted, receive, send, [*_HEADERS, _OPEN], Message.lines)

    async def _pages(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]) -> None:
        """Server-sent events for a page that stands open: that there is a post or a notification, not what it says."""
        session = cookie_parser(headers.get("cookie", "")).get(session_cookie(self._backend.public_url), "")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refused(403, "This action is not allowed")
        headers = {name: value for name, value in headers.items() if name != "authorization"}
        client = await self._client(scope, headers, session, session=True)
        wanted = channel(USER, "", "", client.identity)

        def lines(message: Message) -> bytes:
            if message.event == "notification":
                return b"data: notification\n\n"
            own = message.event == "update" and orjson.loads(message.payload or "{}")["account"]["id"] == wanted.value
            return b"data: post\n\n" if message.event == "update" and not own else b""

        await self._send_events(client, wanted, receive, send, _HEADERS, lines)

    async def _send_events(
        self,
        client: Client,
        wanted: Channel,
        receive: Receive,
        send: Send,
        headers: list[tuple[bytes, bytes]],
        lines: Callable[[Message], bytes],
    ) -> None:
        async with self._hub.connected(client):
            self._hub.join(client, wanted)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b":)\n", "more_body": True})
            leaving = asyncio.create_task(_end_when_gone(client, receive))
            try:
                while not client.ended:
                    news = b"".join(lines(message) for message in await client.next(_EVERY))
                    if not news and not await _holds(self._backend.identities, client):
                        break
                    await send({"type": "http.response.body", "body": news or b":thump\n", "more_body": True})
            finally:
                leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """A WebSocket of many channels, to which clients subscribe by messages."""
        await receive()
        if scope["path"].rstrip("/") != PREFIX:
            raise Refused(404, "Record not found")
        protocol = headers.get("sec-websocket-protocol", "").split(",")[0].strip()
        client = await self._client(scope, headers, query.get("access_token", "") or protocol)
        first = await self._channel(query["stream"], query, client) if query.get("stream") else None
        async with self._hub.connected(client):
            if first is not None:
                self._hub.join(client, first)
            await send({"type": "websocket.accept", "subprotocol": protocol or None})
            hearing = asyncio.create_task(self._obey(client, receive, send, {first} if first else set()))
            try:
                while not client.ended:
                    news = await client.next(_EVERY)
                    if not news and not await _holds(self._backend.identities, client):
                        break
                    for message in news:
                        await send({"type": "websocket.send", "text": message.frame()})
            finally:
                hearing.cancel()
                with suppress(asyncio.CancelledError):
                    await hearing
            with suppress(RuntimeError):  # it may have closed first
                await send({"type": "websocket.close", "code": 1000})

    async def _obey(self, client: Client, receive: Receive, send: Send, joined: set[Channel]) -> None:
        """Subscribe and unsubscribe as the client says, until it leaves."""
        while (message := await receive())["type"] != "websocket.disconnect":
            try:
                await self._command(client, _told(message), joined)
            except Refused as refused:
                await send({"type": "websocket.send", "text": orjson.dumps({"error": refused.told, "status": refused.status}).decode()})
        client.end()

    async def _command(self, client: Client, told: Mapping[str, str], joined: set[Channel]) -> None:
        if told.get("type") not in ("subscribe", "unsubscribe"):
            return
        wanted = await self._channel(told.get("stream", ""), told, client)
        if told["type"] == "subscribe":
            if len(joined) >= _MOST_CHANNELS:
                raise Refused(422, "Too many streams on one connection")
            joined.add(wanted)
            self._hub.join(client, wanted)
        elif wanted in joined:
            joined.discard(wanted)
            self._hub.leave(client, wanted)

    async def _client(self, scope: Scope, headers: Mapping[str, str], given: str, *, session: bool = False) -> Client:
        """Who comes; raises `Refused` for everybody without a token that is good."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        token = value.strip() if scheme.lower() == "bearer" else given
        address = self._addresses.of(scope, headers)
        if not self._limits.count("streams", address).allowed:
            telemetry.count_refusal(429, "streams")
            raise Refused(429, "Too many requests")
        if not token:
            raise Refused(401, "Missing access token")
        try:
            known = await self._backend.identities.resolve(token)
        except AuthAway:
            raise Refused(503, "The service is temporarily unavailable") from None
        if known is None or known.session != session:
            raise Refused(401, "Invalid access token")
        if known.state != "active" and known.identity.is_user:
            raise Refused(403, "Your login is currently disabled")
        return Client(known.identity, token)

    async def _channel(self, name: str, told: Mapping[str, str], client: Client) -> Channel:
        wanted = channel(name, told.get("tag", ""), told.get("list", ""), client.identity)
        if wanted.name == LIST:
            found = await self._backend.services.call("social", "GET", f"/api/v1/lists/{wanted.value}", identity=client.identity)
            if not found.ok:
                raise Refused(found.status, "Record not found" if found.status == 404 else "The service is temporarily unavailable")
        return wanted


async def _holds(identities: Identities, client: Client) -> bool:
    """Whether the client may go on listening, as far as can be told."""
    if client.ended:
        return False
    try:
        return await client.may_stay(identities)
    except AuthAway:
        return True


async def _end_when_gone(client: Client, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.end()


def _told(message: Mapping[str, Any]) -> dict[str, str]:
    """What a client says, as far as it is text by name; anything else says nothing."""
    try:
        told = orjson.loads(message.get("text") or message.get("bytes") or b"")
    except orjson.JSONDecodeError:
        return {}
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    body = error(refused.status, refused.told).body
    if scope["type"] == "http":
        await _answer(send, refused.status, body, b"application/json")
        return
    start = {"type": "websocket.http.response.start", "status": refused.status, "headers": _with_length(body, b"application/json")}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})


async def _answer(send: Send, status: int, body: bytes, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _with_length(body, kind)})
    await send({"type": "http.response.body", "body": body})


def _with_length(body: bytes, kind: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", kind), (b"content-length", str(len(body)).encode()), _OPEN]
