"""The process of the gateway: an ASGI application."""

import asyncio
from contextlib import suppress

from common import logs, telemetry
from common.identity import Signer
from common.settings import SharedSettings, load
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.addresses import Addresses
from gateway.backend import Backend
from gateway.edge import Edge
from gateway.identity import Identities
from gateway.limits import Limits
from gateway.load import Bodies, Gate
from gateway.security_events import listen
from gateway.services import Services
from gateway.settings import Settings
from gateway.streaming.door import PAGES, PREFIX, Streams
from gateway.streaming.hub import Hub
from gateway.web import create_pages


def create_app() -> ASGIApp:
    """The ASGI application; reads its settings now."""
    return Gateway(load(SharedSettings), load(Settings))


class Gateway:
    """Requests to the edge, and what has to be opened and closed around them."""

    def __init__(self, shared: SharedSettings, settings: Settings) -> None:
        self._shared = shared
        self._services = Services(
            settings.service_urls(), Signer(settings.signing_key.get_secret_value()), settings.max_in_flight_per_service
        )
        self._identities = Identities(self._services)
        backend = Backend(settings, shared.public_url, self._services, self._identities)
        limits, pages = Limits(enabled=settings.rate_limits), create_pages(settings, backend)
        addresses = Addresses(settings.trusted_proxies)
        self._gate = Gate("gateway", settings.max_in_flight)
        self._edge = telemetry.Measured(Edge(backend, limits, pages, addresses, self._gate, Bodies(settings.max_body_bytes)))
        """Streams aren't measured: they take as long as somebody listens."""
        self._hub = Hub(backend, shared.kafka_servers, settings.max_streams)
        self._streams = Streams(backend, self._hub, limits, addresses)
        self._listening: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" or (scope["type"] == "http" and _streams(scope)):
            await self._streams(scope, receive, send)
        elif scope["type"] == "http":
            await self._edge(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        logs.set_up("gateway", self._shared.log_level)
        telemetry.set_up("gateway", self._shared.otlp_endpoint)
        self._measure()
        await self._services.open()
        self._listening = asyncio.create_task(
            listen(self._shared.kafka_servers, [self._identities.forget, self._hub.look_again]), name="security events"
        )
        scope["state"]["before_shutdown"] = self._hub.let_all_go
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        await self._hub.close()
        await self._services.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _measure(self) -> None:
        if not telemetry.enabled():
            return
        gates = [self._gate, *self._services.gates.values(), self._hub.gate]
        name, unit = "microblog.requests", "{request}"
        telemetry.level(
            f"{name}.active", unit, "what is under way, by gate", lambda: [(gate.inside, {"gate": gate.name}) for gate in gates]
        )
        telemetry.level(
            f"{name}.limit", unit, "how much of it may be, by gate", lambda: [(gate.most, {"gate": gate.name}) for gate in gates]
        )


def _streams(scope: Scope) -> bool:
    return scope["method"] != "OPTIONS" and (scope["path"] == PAGES or f"{scope['path']}/".startswith(f"{PREFIX}/"))
