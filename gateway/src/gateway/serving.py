"""Runs the gateway: `python -m gateway.serving --host 0.0.0.0 --port 8000`.

On uvicorn, with what it lacks at a public edge: limits on how long a request's headers may take and how large they may be, and an end for
readers who don't read. SIGTERM ends it without losing a request: what is under way is answered before the process goes.
"""

import argparse
import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvicorn
from common.memory import keep_ready
from common.serving import FINISH, WholeAnswers, close
from starlette.types import ASGIApp

from gateway.main import create_app

_HEADERS_SECONDS: Final = 5
"""How long a request's headers may take; as long as a connection may be idle."""
_HEADERS_BYTES: Final = 65_535
_HEADERS: Final = 100
_CONNECTIONS: Final = 8_192
_UNREAD_MS: Final = 12_000
"""How long a reader may take nothing of an answer."""

_VERSIONS: Final = ("1.0", "1.1")
_TOO_LARGE: Final = "HTTP/1.1 431 Request Header Fields Too Large"
_TOO_LONG: Final = "HTTP/1.1 414 URI Too Long"


def serve(create: Callable[[], ASGIApp], host: str, port: int) -> None:
    """Serve what `create` makes until SIGTERM or SIGINT."""
    keep_ready()
    config = uvicorn.Config(
        create,
        factory=True,
        host=host,
        port=port,
        loop="uvloop",
        http=Guarded,
        ws="websockets-sansio",
        ws_max_size=16_384,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level="error",  # what strangers send is nothing to warn of
        access_log=False,
        proxy_headers=False,  # the edge knows whom it trusts
        server_header=False,
        date_header=True,
        backlog=2048,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_HEADERS_SECONDS,
        timeout_graceful_shutdown=FINISH,
    )
    listening = config.bind_socket()
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux, tcp(7): accepted sockets inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
    _Server(config).run([listening])


class _Server(uvicorn.Server):
    """Lets streams go before it waits for what is under way: they never end by themselves."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state["before_shutdown"]()
        await close(super().shutdown(sockets))


class Guarded(WholeAnswers):
    """Ends connections that don't come to the point, and refuses headers that are too many or too long.

    uvicorn's time limit for idle connections runs from the start, and only headers that are complete end it: not the first byte.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)  # what follows the last request is no request
        self._within_headers = False
        self._taken = 0
        self._refusal = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        continued = self._within_headers
        super().data_received(data)
        if continued and self._within_headers:
            self._taken += len(data)
            if self._taken > _HEADERS_BYTES:
                self._refusal = _TOO_LARGE if self.headers else _TOO_LONG
                self.send_400_response("Too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._within_headers, self._taken = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > _HEADERS:
            self._refusal = _TOO_LARGE
            raise ValueError("too many headers")  # of which the parser makes an error of its own

    def on_headers_complete(self) -> None:
        if self.parser.get_http_version() not in _VERSIONS:
            raise ValueError("another version of HTTP")
        if len(self.url) > _HEADERS_BYTES:
            self._refusal = _TOO_LONG
            raise ValueError("too long an address")
        self._within_headers = False
        super()._unset_keepalive_if_required()
        super().on_headers_complete()

    def _unset_keepalive_if_required(self) -> None:
        """Called for every byte that comes: `on_headers_complete` decides."""

    def send_400_response(self, msg: str) -> None:
        if not self._refusal:
            super().send_400_response(msg)
            return
        self.transport.write(f"{self._refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        self.transport.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="gateway.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    serve(create_app, given.host, given.port)


if __name__ == "__main__":
    main()
