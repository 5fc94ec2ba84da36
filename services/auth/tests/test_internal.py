"""What the gateway asks about callers, and `notify` about addresses."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from auth.api import accounts, internal, oauth
from auth.passwords import Passwords
from common.api import service_only, user
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from .conftest import Doors

pytestmark = pytest.mark.anyio

OPEN = {"/internal/instance"}
"""Tells what everybody may know."""


def asks(dependant: Dependant, who: object) -> bool:
    return dependant.call is who or any(asks(inner, who) for inner in dependant.dependencies)


async def test_internal_routes_refuse_everybody_whom_they_are_not_for(doors: "Doors") -> None:
    routes = [route for module in (accounts, internal, oauth) for route in module.router.routes]
    hidden = [route for route in routes if isinstance(route, APIRoute) and route.path.startswith("/internal/")]
    assert len(hidden) > 15
    for route in hidden:
        (method,), path = route.methods, route.path.replace("{client_id}", "x")

        async def status(headers: dict[str, str], method: str = method, path: str = path) -> int:
            return (await doors.client.request(method, path, headers=headers)).status_code

        person, gateway = doors.person(1), doors.identities.gateway("auth")
        application = doors.identities.headers("auth", 0, "", kind="app")
        if asks(route.dependant, service_only):
            assert [await status(headers) for headers in ({}, person, application)] == [404] * 3, path
        elif asks(route.dependant, user):
            assert [await status(headers) for headers in ({}, gateway, application)] == [401] * 3, path
        else:
            assert path in OPEN


async def test_an_identity_for_another_service_or_signed_by_nobody_is_refused(doors: "Doors") -> None:
    for headers in (doors.identities.gateway("posts"), {"x-microblog-identity": "x.y.z"}):
        assert (await doors.client.post("/internal/introspect", json={"token": "x"}, headers=headers)).status_code == 401


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(doors: "Doors") -> None:
    await doors.register()
    wrong, unknown, strange = (
        await doors.log_in("ada", "wrong password"),
        await doors.log_in("nobody", "wrong password"),
        await doors.log_in("nobody@example.org", "wrong password"),
    )
    assert wrong.status_code == unknown.status_code == strange.status_code == 401
    assert wrong.json() == unknown.json() == strange.json()
    assert wrong.json()["code"] == "wrong_credentials"


def without_date(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


async def test_an_unknown_name_costs_a_hash_as_a_known_one_does(app: FastAPI, doors: "Doors", monkeypatch: pytest.MonkeyPatch) -> None:
    await doors.register()
    verified: list[str] = []
    work = app.state.passwords._verify

    def watched(encoded: str, password: str) -> bool:
        verified.append(password)
        return bool(work(encoded, password))

    monkeypatch.setattr(app.state.passwords, "_verify", watched)
    answers = [await doors.log_in(name, name) for name in ("ada", "nobody")]
    assert verified == ["ada", "nobody"]
    assert without_date(answers[0]) == without_date(answers[1])


@pytest.mark.parametrize("identifier", ["ada", " ADA ", "ada@example.org", "Ada@Example.Org"])
async def test_people_log_in_by_name_or_address_in_any_case(doors: "Doors", identifier: str) -> None:
    account_id = await doors.register()
    opened = (await doors.log_in(identifier, remember=False)).json()
    assert (opened["account_id"], opened["username"], opened["state"]) == (str(account_id), "ada", "unconfirmed")
    session = await doors.introspect(opened["session"])
    assert session is not None
    assert (session["session"], session["kind"], session["account_id"]) == (True, "user", str(account_id))


@pytest.mark.parametrize(("remember", "days"), [(False, 1), (True, 30)])
async def test_a_session_lasts_as_long_as_was_asked_for(doors: "Doors", remember: bool, days: int) -> None:
    await doors.register()
    opened = (await doors.log_in(remember=remember)).json()
    lasts = datetime.fromisoformat(opened["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=days) - timedelta(minutes=1) < lasts <= timedelta(days=days)
    await doors.run("UPDATE tokens SET expires_at = now() - interval '1 second'")
    assert await doors.introspect(opened["session"]) is None


async def test_a_session_ends_with_logging_out(doors: "Doors") -> None:
    await doors.register()
    here, elsewhere = [(await doors.log_in()).json()["session"] for _ in range(2)]
    for _ in range(2):
        answer = await doors.client.request(
            "DELETE", "/internal/sessions", json={"session": here}, headers=doors.identities.gateway("auth")
        )
        assert answer.status_code == 200
    assert await doors.introspect(here) is None
    assert await doors.introspect(elsewhere)
    assert len(await doors.events("security.tokens_revoked")) == 1


async def test_people_see_and_end_their_own_sessions_only(doors: "Doors") -> None:
    ada, bob = await doors.register("ada"), await doors.register("bob")
    opened = (await doors.log_in("ada", user_agent="Browser")).json()["session"]
    token_id = (await doors.introspect(opened) or {})["token_id"]
    mine = (await doors.client.get("/internal/sessions", headers=doors.person(ada, token_id))).json()
    assert [(session["user_agent"], session["current"]) for session in mine] == [("Browser", True), ("", False)]
    assert len((await doors.client.get("/internal/sessions", headers=doors.person(bob))).json()) == 1
    await doors.client.post("/internal/sessions/revoke", json={"token_id": token_id}, headers=doors.person(bob))
    assert await doors.introspect(opened)
    await doors.client.post("/internal/sessions/revoke", json={"token_id": token_id}, headers=doors.person(ada))
    assert await doors.introspect(opened) is None
    await doors.client.post("/internal/sessions/revoke", json={}, headers=doors.person(ada))
    assert (await doors.client.get("/internal/sessions", headers=doors.person(ada))).json() == []
    assert len((await doors.client.get("/internal/sessions", headers=doors.person(bob))).json()) == 1


@pytest.mark.parametrize("state", ["suspended", "disabled"])
async def test_whoever_may_not_act_can_not_log_in_either(doors: "Doors", state: str) -> None:
    await doors.register()
    token = (await doors.log_in()).json()["session"]
    await doors.run("UPDATE accounts SET state = :state", state=state)
    assert (await doors.log_in()).json() == (await doors.log_in("nobody")).json()
    assert (await doors.introspect(token) or {})["state"] == state


@pytest.mark.parametrize("settings", [{"AUTH_ARGON2_MEMORY_KIB": "16"}])
async def test_a_log_in_renews_a_hash_made_with_old_parameters(doors: "Doors") -> None:
    await doors.register()
    old = str(await doors.run("SELECT password_hash FROM accounts"))
    weak = "$argon2id$v=19$m=8,t=1,p=1$"
    await doors.run("UPDATE accounts SET password_hash = :hash", hash=await _cheap_hash(doors.password))
    assert (await doors.log_in()).status_code == 200
    new = str(await doors.run("SELECT password_hash FROM accounts"))
    assert new.startswith(old[: len(weak)])
    assert not new.startswith(weak)
    assert (await doors.log_in()).status_code == 200


async def _cheap_hash(password: str) -> str:
    return await Passwords(8, 1).hash(password)


async def test_mail_goes_to_those_only_who_confirmed_and_may_act(doors: "Doors") -> None:
    ids = [await doors.register(name) for name in ("ada", "bob", "cleo")]
    await doors.run("UPDATE accounts SET state = 'active' WHERE username <> 'cleo'")
    await doors.run("UPDATE accounts SET state = 'suspended' WHERE username = 'bob'")
    found = (await doors.internal("addresses", account_ids=ids)).json()
    assert [(person["account_id"], person["address"], person["confirmed"]) for person in found] == [(str(ids[0]), "ada@example.org", True)]


async def test_all_addresses_are_read_in_pages_each_once(doors: "Doors") -> None:
    ids = [await doors.register(f"person{n}") for n in range(5)]
    await doors.run("UPDATE accounts SET state = 'active'")
    seen: list[int] = []
    while True:
        params = {"after": max(seen, default=0), "limit": 2}
        page = (await doors.client.get("/internal/addresses", params=params, headers=doors.identities.gateway("auth"))).json()
        if not page:
            break
        seen += [int(person["account_id"]) for person in page]
    assert seen == ids


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("registrations", {"username": "ada\0", "email": "ada@example.org", "password": "correct horse battery", "agreement": True}),
        ("registrations", {"username": "ada", "email": "ada\0@example.org", "password": "correct horse battery", "agreement": True}),
        ("sessions", {"identifier": "ada\0", "password": "correct horse battery"}),
    ],
)
async def test_a_null_character_is_a_mistake_of_the_callers(doors: "Doors", path: str, body: dict[str, object]) -> None:
    assert 400 <= (await doors.internal(path, **body)).status_code < 500
