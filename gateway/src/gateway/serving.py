"""Runs the gateway: `python -m gateway.serving --host 0.0.0.0 --port 8000`.

On granian, which ends connections that don't finish their headers in 5 s; uvicorn can't. SIGTERM ends it without losing a
request: what is under way is answered before the process goes.
"""

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop
from common.memory import keep_ready
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp

from gateway.main import create_app

_HEADERS_MS: Final = 5_000
"""How long a request's headers may take; as long as a connection may be idle."""
_HEADERS_BYTES: Final = 65_536
_CONNECTIONS: Final = 8_192
_UNREAD_MS: Final = 12_000
"""How long a reader may take nothing of an answer."""


def serve(create: Callable[[], ASGIApp], host: str, port: int) -> None:
    """Serve what `create` makes until SIGTERM or SIGINT."""
    keep_ready()
    uvloop.run(_serve(create, host, port))


async def _serve(create: Callable[[], ASGIApp], host: str, port: int) -> None:
    server = _Server(
        create(),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,  # telling 1 from 2 has no time limit: connections that say nothing would stay for ever
        websockets=False,
        backlog=2048,
        backpressure=_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_MS, max_buffer_size=_HEADERS_BYTES),
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


class _Server(Server):
    """Ends connections whose readers don't read: granian has no time limit for writing, and answers would pile up in memory.

    Accepted sockets inherit the option of the listening one (Linux, tcp(7)), which granian shows only in what it keeps to itself.
    """

    def _init_shared_socket(self) -> None:
        super()._init_shared_socket()  # type: ignore[no-untyped-call]
        if not hasattr(socket, "TCP_USER_TIMEOUT"):
            return
        shared: Any = self._ssp
        self._shd = built = shared.build()
        with socket.socket(fileno=os.dup(built.get_fd())) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="gateway.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    serve(create_app, given.host, given.port)


if __name__ == "__main__":
    main()
