"""A door with services behind it that answer what a test tells them to, on a real socket, and that check who speaks like real ones."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from common.identity import ANONYMOUS, HEADER, Identity, Verifier, generate_key
from common.settings import SharedSettings
from fakes.server import serving
from gateway.main import Gateway
from gateway.settings import Settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message

SERVICES = ("auth", "posts", "social", "search", "notify", "translate")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PUBLIC_URL = "https://microblog.example"


@dataclass(frozen=True)
class Asked:
    """A request that arrived at a service; `target` is path and query as they were sent."""

    service: str
    method: str
    target: str
    headers: httpx.Headers
    body: bytes
    identity: Identity

    @property
    def what(self) -> tuple[str, str, str]:
        return self.service, self.method, self.target

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Town:
    """All services in one server, each under its name; `answers` by service, method and path, anything else gets `{}`.

    Identities are verified as services do it: an unsigned or wrongly addressed request is an error of its own.
    """

    keys: str
    answers: dict[tuple[str, str, str], Response] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[Asked] = field(default_factory=list)
    url: str = ""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{service}/{rest:path}", self._answer, methods=METHODS)])

    def know(self, token: str, **more: Any) -> str:
        """Make a token that `auth` knows: of a person with all scopes unless told otherwise."""
        self.tokens[token] = {
            "token_id": 100 + len(self.tokens),
            "kind": "user",
            "scopes": ["read", "write", "follow", "admin:read", "admin:write"],
            "account_id": "7",
            "username": "ada",
            "role": "user",
            "state": "active",
            "locale": "en",
            "app_name": None,
            "app_website": None,
            "session": False,
        } | more
        return token

    def say(self, service: str, method: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Have a service answer something from now on."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            self.answers[service, method, path] = Response(body, status, told)
        else:
            self.answers[service, method, path] = JSONResponse(body, status, told)

    def asked(self, service: str | None = None) -> list[Asked]:
        """What arrived, introspections left out."""
        return [one for one in self.log if one.target != "/internal/introspect" and service in (None, one.service)]

    @property
    def introspections(self) -> Counter[str]:
        """How often `auth` was asked about which token."""
        return Counter(one.json()["token"] for one in self.log if one.target == "/internal/introspect")

    async def _answer(self, request: Request) -> Response:
        service, body = request.path_params["service"], await request.body()
        raw = request.scope["raw_path"].decode().removeprefix(f"/{service}")
        query = request.scope["query_string"].decode()
        probe = raw.startswith("/health/")
        identity = ANONYMOUS if probe else Verifier(service, self.keys).verify(request.headers[HEADER])
        self.log.append(
            Asked(service, request.method, f"{raw}?{query}" if query else raw, httpx.Headers(request.headers.raw), body, identity)
        )
        if (service, request.method, raw) in self.answers:
            return self.answers[service, request.method, raw]
        if (service, raw) == ("auth", "/internal/introspect"):
            return self._introspect(json.loads(body)["token"])
        return JSONResponse({})

    def _introspect(self, token: str) -> Response:
        if len(token) > 300:
            return JSONResponse({"error": "Validation failed: token: String should have at most 300 characters"}, 422)
        told = self.tokens.get(token)
        return JSONResponse(told) if told else JSONResponse({"error": "Record not found"}, 404)


@dataclass
class Door:
    """An open gateway."""

    gateway: Gateway

    def client(self, token: str | None = None, **more: Any) -> httpx.AsyncClient:
        """A caller from outside."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.gateway, raise_app_exceptions=False, client=("203.0.113.5", 4711))
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers | more.pop("headers", {}), **more)


MakeDoor = Callable[..., Awaitable[Door]]
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MakePeer = Callable[[Peer], Awaitable[str]]


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    """The gateway's private key, and the set of public ones that services know."""
    private, public = generate_key("gateway")
    return private, json.dumps({"keys": [public]})


@pytest.fixture(scope="session")
def running_town(keys: tuple[str, str]) -> Iterator[Town]:
    made = Town(keys[1])
    with serving(made.app()) as url:
        made.url = url
        yield made


@pytest.fixture
def town(running_town: Town) -> Town:
    """The services, knowing nobody and having heard of nothing."""
    for remembered in (running_town.answers, running_town.tokens, running_town.log):
        remembered.clear()
    return running_town


@asynccontextmanager
async def opened(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Run the lifespan around a test, as a server does."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    running = asyncio.create_task(gateway({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    yield gateway
    await inbox.put({"type": "lifespan.shutdown"})
    await running


@pytest.fixture
async def make_door(town: Town, keys: tuple[str, str]) -> AsyncIterator[MakeDoor]:
    """Open a gateway before the town; settings by name, and `kafka` for the broker's address."""
    async with AsyncExitStack() as stack:

        async def make(kafka: str = "127.0.0.1:1", public_url: str = PUBLIC_URL, **settings: Any) -> Door:
            shared = SharedSettings(public_url=public_url, kafka_servers=kafka, identity_keys=keys[1], replica="test-0")
            urls = {f"{name}_url": f"{town.url}/{name}" for name in SERVICES}
            given = {**urls, "signing_key": keys[0], "cookie_secret": "c" * 32, "rate_limits": False, **settings}
            return Door(await stack.enter_async_context(opened(Gateway(shared, Settings.model_validate(given)))))

        yield make


@pytest.fixture
async def door(make_door: MakeDoor) -> Door:
    return await make_door()


@pytest.fixture
async def peer() -> AsyncIterator[MakePeer]:
    """Run a network peer that does as the given function says; answers its address."""
    async with AsyncExitStack() as stack:

        async def make(behave: Peer) -> str:
            server = await asyncio.start_server(behave, "127.0.0.1", 0)
            stack.callback(server.close)
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        yield make
