"""What every service's API answers: to strangers, to wrong scopes, and when something breaks."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from common.api import PathId, ServiceCaller, Transaction, User, create_api, needs
from common.db import Database
from common.errors import DomainError, Unavailable
from common.settings import SharedSettings
from common.testing.identities import TestIdentities
from fastapi import APIRouter, Depends
from psycopg.errors import OperationalError
from sqlalchemy import text

pytestmark = pytest.mark.anyio


class TooManyCooks(DomainError):
    """Too many cooks"""

    code = "too_many_cooks"
    status = 409


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/me")
    async def me(identity: User) -> dict[str, Any]:
        return {"id": identity.account_id}

    @router.get("/scoped", dependencies=[Depends(needs("write:media"))])
    async def scoped() -> None: ...

    @router.get("/inside")
    async def inside(identity: ServiceCaller) -> dict[str, str]:
        return {"name": identity.name}

    @router.get("/things/{thing_id}")
    async def thing(thing_id: PathId, page: int = 1) -> dict[str, int]:
        return {"id": thing_id, "page": page}

    @router.post("/things")
    async def store(session: Transaction, key: int, name: str = "", fail: bool = False) -> dict[str, bool]:
        await session.execute(text("INSERT INTO things (id) VALUES (:key)"), {"key": key})
        await session.execute(text("INSERT INTO effects (name) VALUES (:name)"), {"name": name})
        if fail:
            raise TooManyCooks(retry_in=5)
        return {"stored": True}

    @router.post("/late")
    async def late(session: Transaction) -> dict[str, bool]:
        await session.execute(text("CREATE TABLE kept (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        await session.execute(text("INSERT INTO kept VALUES (1), (1)"))  # refused only at the commit
        return {"stored": True}

    @router.get("/away")
    async def away() -> None:
        raise OperationalError("connection to server at secret.example failed")

    @router.get("/busy")
    async def busy() -> None:
        raise Unavailable(retry_after=7)

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a password")

    return router


@pytest.fixture
async def client(database_url: str, shared_settings: SharedSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api("posts", shared_settings, [routes()], database=Database(database_url, 2))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://posts") as made:
            yield made


async def test_a_person_is_known_and_nobody_is_asked_to_log_in(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    assert (await client.get("/me", headers=identities.headers("posts", 7))).json() == {"id": 7}
    for headers in ({}, identities.gateway("posts")):
        answer = await client.get("/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "login_required")


async def test_a_bad_token_is_refused_not_taken_for_nobody(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    for headers in (identities.headers("social"), {"x-microblog-identity": "a.b.c"}, {"x-microblog-identity": ""}):
        answer = await client.get("/me", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "The access token is invalid")


async def test_a_token_without_the_scope_is_told_so(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    statuses = [
        (await client.get("/scoped", headers=identities.headers("posts", scopes=frozenset(granted)))).status_code
        for granted in ([], ["read"], ["write:statuses"], ["write:media"], ["write"])
    ]
    assert statuses == [403, 403, 403, 200, 200]


async def test_inner_routes_do_not_exist_for_people(client: httpx.AsyncClient, identities: TestIdentities) -> None:
    assert (await client.get("/inside", headers=identities.gateway("posts"))).json() == {"name": "gateway"}
    assert (await client.get("/inside", headers=identities.headers("posts"))).status_code == 404
    assert (await client.get("/inside")).status_code == 404


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", str(1 << 63), "9" * 5000, "%00"])
async def test_what_is_no_id_is_not_found(client: httpx.AsyncClient, wrong: str) -> None:
    answer = await client.get(f"/things/{wrong}")
    assert (answer.status_code, answer.json()["error"]) == (404, "Record not found")


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/1?page=x")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert "page: " in answer.json()["error"]


async def test_a_path_that_is_nowhere_answers_like_everything_else(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "Record not found")


async def test_a_broken_rule_undoes_everything_and_tells_its_code(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things?key=1&fail=true")
    assert (answer.status_code, answer.json()) == (409, {"error": "Too many cooks", "code": "too_many_cooks", "retry_in": 5})
    assert (await client.post("/things?key=1")).status_code == 200, "the first one is still there"


async def test_an_answer_leaves_only_after_the_commit(client: httpx.AsyncClient) -> None:
    answer = await client.post("/late")
    assert answer.status_code >= 400
    assert "error" in answer.json()


async def test_a_value_that_the_database_cannot_hold_is_the_callers_fault(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things?key=1&name=a%00b")).status_code == 422


async def test_an_engine_that_is_away_is_a_503_that_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    away, busy = await client.get("/away"), await client.get("/busy")
    assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "unavailable", "1")
    assert "secret" not in away.text
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")


async def test_an_unexpected_fault_tells_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "password" not in answer.text


async def test_it_says_whether_it_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/self")).json() == {"name": "posts api", "ready": True, "reasons": []}
