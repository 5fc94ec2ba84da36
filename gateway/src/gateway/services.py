"""Speaking to the services behind the gateway: one pooled session, a signed identity on every request, time limits on all."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
from common import telemetry
from common.identity import HEADER, LIFETIME, Identity, Signer
from yarl import URL

from gateway.load import Gate

log = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=1, sock_connect=1)
_KEPT_FOR: Final = 4.0
"""Seconds that an idle connection is kept: less than a service that ends waits for its callers to leave (`common.serving.DRAIN`)."""
_REUSED_FOR: Final = LIFETIME - 15
_MAX_TOKENS: Final = 20_000
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
BUSY: Final = "The server is busy, please try again"
_KEPT_HEADERS: Final = ("content-type", "link", "retry-after", "cache-control", "content-security-policy", "x-content-type-options")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said, or what we say: status, body, headers (names in lower case)."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; raises `ValueError` when it isn't."""
        return orjson.loads(self.body)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of our own."""
    return Answer(
        status, value if isinstance(value, bytes) else orjson.dumps(value), {"content-type": "application/json", **(headers or {})}
    )


def error(status: int, message: str, **more: Any) -> Answer:
    """An error in the form of the Mastodon client API."""
    return json_answer({"error": message, **more}, status, {"retry-after": "1"} if status in (503, 504) else None)


class Services:
    """Calls services by name. Errors of the network become answers: 503 when a service is away, 504 when it is too slow.

    No service has more than `most` calls under way; the next one is answered 503 at once, so that one slow service can't take all.
    """

    def __init__(self, urls: Mapping[str, str], signer: Signer, most: int) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self.gates = {name: Gate(name, most) for name in urls}
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self._signed: dict[tuple[str, Identity], tuple[float, str]] = {}

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_FOR, ttl_dns_cache=5)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def full(self, service: str) -> bool:
        """Whether a call to the service would be refused because too many are under way."""
        gate = self.gates.get(service)
        return gate is not None and gate.full

    def sign(self, identity: Identity, service: str) -> str:
        """The identity's token for one service, made again shortly before it expires."""
        key, now = (service, identity), time.time()
        known = self._signed.get(key)
        if known is not None and known[0] > now:
            return known[1]
        if len(self._signed) >= _MAX_TOKENS:
            self._signed.clear()
        token = self._signer.sign(identity, service, now)
        self._signed[key] = (now + _REUSED_FOR, token)
        return token

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        identity: Identity,
        json: Any = None,
        data: Any = None,
        params: Mapping[str, Any] | list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask a service something; `json` is sent as JSON, `data` as a form (or bytes)."""
        sent = dict(headers or {})
        if json is not None:
            data = orjson.dumps(json)
            sent["content-type"] = "application/json"
        return await self.send(service, method, path, identity=identity, body=data, headers=sent, params=params)

    async def send(
        self,
        service: str,
        method: str,
        target: str,
        *,
        identity: Identity,
        body: Any,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | list[tuple[str, str]] | None = None,
    ) -> Answer:
        """Send a request as it is; retried once when an idle connection turned out to be closed and repeating is harmless."""
        gate = self.gates[service]
        if gate.full:
            telemetry.count_refusal(503, service)
            return error(503, BUSY)
        with gate:
            return await self._send(service, method, target, identity, body, headers, params)

    async def _send(
        self,
        service: str,
        method: str,
        target: str,
        identity: Identity,
        body: Any,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | list[tuple[str, str]] | None,
    ) -> Answer:
        assert self._session is not None, "open() comes first"  # noqa: S101
        signed = {**headers, HEADER: self.sign(identity, service)}
        trace = telemetry.current_traceparent()
        if trace is not None:
            signed["traceparent"] = trace
        url = f"{self._urls[service]}{target}"
        for last in (False, True):
            try:
                async with self._session.request(
                    method,
                    _url(url, params),
                    data=body,
                    headers=signed,
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
                ) as response:
                    content = await response.read()
                    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
                    return Answer(response.status, content, kept)
            except aiohttp.ConnectionTimeoutError:
                log.warning("service away", extra={"service": service, "reason": "no connection in time"})
                break
            except TimeoutError:
                log.warning("service too slow", extra={"service": service})
                return error(504, "The service did not answer in time")
            except aiohttp.ServerDisconnectedError:
                if last or method not in _IDEMPOTENT:
                    break
            except (aiohttp.ClientError, OSError) as problem:
                log.warning("service away", extra={"service": service, "reason": type(problem).__name__})
                break
        return error(503, "The service is temporarily unavailable")

    async def probe(self, url: str) -> list[str]:
        """Ask a process whether it is well; return what is wrong, empty when nothing."""
        assert self._session is not None, "open() comes first"  # noqa: S101
        try:
            async with asyncio.timeout(2), self._session.get(f"{url.rstrip('/')}/health/self") as response:
                told = orjson.loads(await response.read())
                return [] if response.status == 200 else list(told["reasons"]) or ["not ready"]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as problem:
            return [f"no answer ({type(problem).__name__})"]


def _url(url: str, params: Mapping[str, Any] | list[tuple[str, str]] | None) -> URL:
    """The address exactly as given: what the client encoded stays encoded."""
    if not params:
        return URL(url, encoded=True)
    return URL(f"{url}?{urlencode(list(params.items()) if isinstance(params, Mapping) else params, doseq=True)}", encoded=True)
