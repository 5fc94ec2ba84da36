"""The short way answers exactly what the long way would."""

from collections.abc import AsyncIterator

import httpx
import pytest
from common.api import PathId, caller, create_api
from common.bodies import read_body
from common.errors import NotFound
from common.hot import E, hot
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from fastapi import APIRouter, Request
from psycopg.errors import OperationalError
from pydantic import BaseModel, Field
from starlette.responses import Response

pytestmark = pytest.mark.anyio

PATHS = [
    "/things/5",
    "/things/007",
    "/things/9223372036854775807",
    "/things/9223372036854775808",
    "/things/x",
    "/things/-5",
    "/things/%D9%A5",
    "/things/{}",
    "/things/{thing_id}",
    "/things/",
    "/things/5/",
    "/things/5/parts",
    "/things/5/parts/6",
    "/things",
    "/things?x=1",
    "/5",
    "/gone",
    "/away",
    "/broken",
    "/who",
    "//things/5",
]


class Thing(BaseModel):
    name: str = Field(max_length=5)


def routes(mark: bool) -> APIRouter:
    """The same endpoints, marked or not."""

    def lead(endpoint: E) -> E:
        return hot(endpoint) if mark else endpoint

    router = APIRouter()

    @router.get("/things")
    @lead
    async def things(request: Request) -> Response:
        return Response(f"all {request.query_params}")

    @router.get("/things/{thing_id}")
    @lead
    async def thing(request: Request, thing_id: PathId) -> Response:
        return Response(f"thing {thing_id}")

    @router.get("/things/{thing_id}/parts")
    @lead
    async def parts(request: Request, thing_id: PathId) -> Response:
        return Response(f"parts of {thing_id}")

    @router.get("/gone")
    @lead
    async def gone(request: Request) -> Response:
        raise NotFound

    @router.get("/away")
    @lead
    async def away(request: Request) -> Response:
        raise OperationalError

    @router.get("/broken")
    @lead
    async def broken(request: Request) -> Response:
        raise RuntimeError

    @router.post("/things")
    @lead
    async def add(request: Request) -> Response:
        return Response(f"added {(await read_body(request, Thing)).name}")

    @router.get("/who")
    @lead
    async def who(request: Request) -> Response:
        return Response((await caller(request)).name)

    return router


@pytest.fixture
async def clients(shared_settings: SharedSettings) -> AsyncIterator[list[httpx.AsyncClient]]:
    """The long way and the short way."""
    made = []
    for mark in (False, True):
        app = create_api("posts", shared_settings, [routes(mark)], max_body=200)
        assert bool(app._hot) is mark  # type: ignore[attr-defined]
        made.append(httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://posts"))
    yield made
    for client in made:
        await client.aclose()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
async def test_both_ways_give_the_same_answer(clients: list[httpx.AsyncClient], method: str, path: str) -> None:
    long, short = [await client.request(method, path) for client in clients]
    assert (short.status_code, short.text, dict(short.headers)) == (long.status_code, long.text, dict(long.headers))


async def _in_parts(body: bytes) -> AsyncIterator[bytes]:
    yield body  # no length is told


@pytest.mark.parametrize("length", ["told", "not told"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"name": "tea"}', b'{"name": "too long"}', b'{"name": "tea"}' + b" " * 200, b"name=tea"])
async def test_both_ways_read_and_refuse_the_same_bodies(clients: list[httpx.AsyncClient], body: bytes, length: str) -> None:
    long, short = [await client.post("/things", content=body if length == "told" else _in_parts(body)) for client in clients]
    assert (short.status_code, short.text, dict(short.headers)) == (long.status_code, long.text, dict(long.headers))
    assert (short.status_code == 413) is (len(body) > 200)


async def test_the_caller_is_checked_on_the_short_way_too(clients: list[httpx.AsyncClient], identities: TestIdentities) -> None:
    for client in clients:
        assert (await client.get("/who", headers=identities.headers("posts", name="ada"))).text == "ada"
        assert (await client.get("/who", headers=identities.headers("social"))).status_code == 401


async def test_a_fault_on_the_short_way_still_reaches_the_servers_log(shared_settings: SharedSettings) -> None:
    app = create_api("posts", shared_settings, [routes(True)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://posts") as client:
        with pytest.raises(RuntimeError):
            await client.get("/broken")
