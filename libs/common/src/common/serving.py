"""Runs one process of a service: `python -m common.serving posts.main:create_app --host 0.0.0.0 --port 8000`.

SIGTERM ends it without losing a request: for up to five seconds it goes on serving while every answer closes its connection, so
that callers go elsewhere; then it stops listening, finishes what it is at (ten seconds at most), and closes consumers and pools
(twenty seconds at most). Whoever stops it with more patience than that (`LONGEST_END`) never cuts off what it is at.
"""

import argparse
import asyncio
import importlib
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from common.memory import keep_ready
from common.stacks import waiting

log = logging.getLogger(__name__)

DRAIN: Final = 5.0
"""Seconds in which callers leave; longer than they keep an idle connection, so that none is closed under a request."""
FINISH: Final = 10
"""Seconds for requests that are under way."""
CLOSE: Final = 20.0
"""Seconds for the rest: events that are being handled (`common.kafka.FINISH`), what the relay has sent, pools."""
LONGEST_END: Final = DRAIN + FINISH + CLOSE
"""Seconds after which a process that was told to end has ended, whatever hangs; Docker and others have to wait as long before they kill it."""


def serve(create: Callable[[], ASGIApp], host: str, port: int) -> None:
    """Serve what `create` makes until SIGTERM or SIGINT; at the host `::` over IPv4, too, as far as the system lets one socket have both."""
    keep_ready()
    config = uvicorn.Config(
        create,
        factory=True,
        host=host,
        port=port,
        loop="uvloop",
        http=WholeAnswers,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the gateway says who calls, in a way that can be checked
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=FINISH,
        timeout_keep_alive=75,
    )
    Draining(config).run([config.bind_socket()] if ":" in host else None)  # by itself an event loop keeps IPv4 out


class WholeAnswers(HttpToolsProtocol):
    """Sends an answer's headers with the first of its body: by themselves they cost a system call more, and wake the reader twice."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))


class _Gathering:
    """A transport that keeps what is written first until something follows, or the event loop turns."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._kept is None:
            self._kept = data
            self._loop.call_soon(self._send)
        else:
            kept, self._kept = self._kept, None
            self._transport.writelines((kept, data))

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._transport.write(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Draining(uvicorn.Server):
    """Lets callers leave before it closes connections. It ends at once when nobody is connected."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        deadline = time.monotonic() + DRAIN
        while self.server_state.connections and time.monotonic() < deadline and not self.force_exit:  # noqa: ASYNC110 - uvicorn tells nobody when a connection ends
            await asyncio.sleep(0.05)
        await close(super().shutdown(sockets))


async def close(shutdown: Coroutine[Any, Any, None]) -> None:
    """End a server that finishes requests and closes what it has open; give up on what hangs, since the process ends anyway."""
    try:
        async with asyncio.timeout(FINISH + CLOSE):
            await shutdown
    except TimeoutError:
        log.error("not everything could be closed in time", extra={"seconds": FINISH + CLOSE, "tasks": waiting()})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="common.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("factory", help="module:function that makes the ASGI application")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    module, _, function = given.factory.partition(":")
    serve(getattr(importlib.import_module(module), function), given.host, given.port)


if __name__ == "__main__":
    main()
