"""What a process sends, an answer's headers and the first of its body in one piece; and that it ends in time."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from common import serving
from common.serving import Draining, WholeAnswers
from common.testing.plugin import free_port
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

pytestmark = pytest.mark.anyio


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    async def parts() -> Any:
        for part in (b"one", b"two", b"three"):
            yield part

    answers: dict[str, Response] = {
        "/whole": PlainTextResponse("said"),
        "/empty": Response(status_code=204),
        "/parts": StreamingResponse(parts()),
    }
    await answers[scope["path"]](scope, receive, send)


class Wire(asyncio.Transport):
    """Takes down what is written to it, call by call."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.written.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def asked(*paths: str, last: bytes = b"") -> Wire:
    """What is sent to somebody who asks for these, one after the other."""
    config = Config(app, log_config=None, access_log=False, lifespan="off")
    config.load()
    wire, protocol = Wire(), WholeAnswers(config, ServerState(), {})
    protocol.connection_made(wire)
    for path in paths:
        protocol.data_received(b"GET " + path.encode() + b" HTTP/1.1\r\nhost: x\r\n" + last + b"\r\n")
        for _ in range(20):
            await asyncio.sleep(0)
    if protocol.timeout_keep_alive_task is not None:
        protocol.timeout_keep_alive_task.cancel()
    return wire


async def test_an_answer_is_one_write() -> None:
    wire = await asked("/whole", "/whole")
    assert len(wire.written) == 2
    assert all(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\nsaid") for answer in wire.written)


async def test_an_answer_without_a_body_is_sent_although_nothing_follows() -> None:
    wire = await asked("/empty")
    assert b"".join(wire.written).startswith(b"HTTP/1.1 204")


async def test_parts_come_in_order() -> None:
    wire = await asked("/parts")
    body = b"".join(wire.written).partition(b"\r\n\r\n")[2]
    assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"


async def test_a_connection_that_closes_has_sent_everything_before() -> None:
    wire = await asked("/empty", last=b"connection: close\r\n")
    assert wire.closed
    assert b"".join(wire.written).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_process_ends_in_time_whatever_hangs(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "FINISH", 0)
    monkeypatch.setattr(serving, "CLOSE", 0.5)
    closed: list[str] = []

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.sleep(60 if hangs else 0)
        closed.append("all")

    server = Draining(Config(Starlette(lifespan=life), port=free_port(), log_config=None, lifespan="on"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    server.should_exit = True
    await asyncio.wait_for(running, 5)
    assert closed == ([] if hangs else ["all"])


def test_a_process_that_listens_everywhere_answers_over_both_protocols() -> None:
    port = free_port()
    command = [sys.executable, "-m", "common.serving", "starlette.applications:Starlette", "--host", "::", "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while (code := _asked(f"http://127.0.0.1:{port}/")) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (code, _asked(f"http://[::1]:{port}/")) == (404, 404)
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)
    finally:
        process.kill()


def _asked(url: str) -> int | None:
    try:
        return httpx.get(url).status_code
    except httpx.ConnectError:
        return None
