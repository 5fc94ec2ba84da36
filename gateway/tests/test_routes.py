"""The table of routes: what leads where, and what leads nowhere."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway.compose import COMPOSERS
from gateway.routes import ANYBODY, APP, ROUTES, USER, Match, Route, Table, is_page

if TYPE_CHECKING:
    from .conftest import Door, Town

pytestmark = pytest.mark.anyio

SERVICES = Path(__file__).parents[2] / "services"
PARAMETER = re.compile(r"{\w+}")
COMPOSED_FROM_INTERNAL_PARTS = {
    ("GET", "/api/v2/search"),
    ("GET", "/api/v1/notifications"),
    ("GET", "/api/v1/notifications/{}"),
}


def shape(template: str) -> str:
    return PARAMETER.sub("{}", template)


def offered() -> dict[tuple[str, str], str]:
    """What services say that they answer, and which of them."""
    return {
        (method.upper(), shape(path)): document.parent.name
        for document in SERVICES.glob("*/openapi.json")
        for path, methods in json.loads(document.read_text())["paths"].items()
        for method in methods
    }


def concrete(route: Route) -> str:
    return PARAMETER.sub("42", route.template)


def test_the_table_and_the_services_documents_name_the_same_ways() -> None:
    told = {
        (route.method, shape(route.template)): route.service
        for route in ROUTES
        if route.service != "gateway" and not route.template.startswith(("/media/", "/webhooks/"))
    }
    assert {way: service for way, service in told.items() if way not in COMPOSED_FROM_INTERNAL_PARTS} == offered()
    assert set(told) >= COMPOSED_FROM_INTERNAL_PARTS


def test_ways_that_no_document_names_lead_to_who_owns_what_is_there() -> None:
    undocumented = {route.template: route.service for route in ROUTES if route.template.startswith(("/media/", "/webhooks/"))}
    assert undocumented == {"/media/posts/{rest}": "posts", "/media/profiles/{rest}": "social", "/webhooks/postmark": "notify"}


def test_no_way_is_in_the_table_twice_and_each_finds_itself() -> None:
    assert len({(route.method, shape(route.template)) for route in ROUTES}) == len(ROUTES)
    for route in ROUTES:
        found = Table().find(route.method, concrete(route))
        assert isinstance(found, Match)
        assert found.route == route


def test_fixed_names_win_over_ids_and_values_are_told() -> None:
    table = Table()
    for path, template in {
        "/api/v1/accounts/lookup": "/api/v1/accounts/lookup",
        "/api/v1/accounts/42": "/api/v1/accounts/{id}",
        "/api/v1/notifications/unread_count": "/api/v1/notifications/unread_count",
        "/api/v1/timelines/tag/größe": "/api/v1/timelines/tag/{name}",
    }.items():
        found = table.find("GET", path)
        assert isinstance(found, Match)
        assert found.route.template == template
        assert list(found.values.values()) == ([path.rsplit("/", 1)[1]] if "{" in template else [])


@pytest.mark.parametrize(
    "path",
    ["/api/v1/accounts//follow", "/api/v1/statuses/1/2/3", "/api/v3/search", "/api/v1", "/media/", "/media/other/x", "/API/v1/apps", ""],
)
def test_what_only_looks_like_a_way_is_none(path: str) -> None:
    assert Table().find("GET", path) is None


def test_every_composed_way_has_its_function_and_every_function_its_way() -> None:
    assert {route.compose for route in ROUTES if route.compose} == set(COMPOSERS)
    assert all(route.compose for route in ROUTES if route.service == "gateway")


def test_what_changes_something_asks_for_a_scope_or_is_meant_for_everybody() -> None:
    open_to_all = {(route.method, route.template) for route in ROUTES if route.who == ANYBODY and route.method != "GET"}
    assert open_to_all == {("POST", "/api/v1/apps"), ("POST", "/oauth/token"), ("POST", "/oauth/revoke"), ("POST", "/webhooks/postmark")}
    without = {route.template for route in ROUTES if route.who == USER and route.scope is None}
    assert without == {"/api/v1/emails/confirmations"}
    for route in ROUTES:
        if route.scope and route.who in (USER, APP) and not route.scope.startswith("admin:"):
            reads = route.method == "GET" and not route.template.startswith("/api/v1/media/")
            assert route.scope.startswith("read:" if reads or route.compose == "translate" else "write:"), route
        assert ("/admin/" in route.template) == (route.scope or "").startswith("admin:"), route


def test_pages_and_the_api_share_no_path() -> None:
    assert not any(is_page(concrete(route)) for route in ROUTES)
    for path in ("/", "/@ada", "/@ada/42", "/login", "/oauth/authorize", "/settings/profile", "/static/0/site.css", "/api/docs"):
        assert is_page(path)


async def test_each_way_leads_to_its_service_as_the_one_who_calls(door: "Door", town: "Town") -> None:
    town.know("adas", role="admin")
    async with door.client("adas") as client:
        for route in ROUTES:
            if route.compose:
                continue
            town.log.clear()
            answer = await client.request(route.method, f"{concrete(route)}?q=%C3%B6&q=2")
            assert answer.status_code == 200, route
            assert [asked.what for asked in town.asked()] == [(route.service, route.method, f"{concrete(route)}?q=%C3%B6&q=2")]
            credentials = route.template.startswith("/oauth/")
            assert town.asked()[0].identity.name == ("" if credentials else "ada"), route


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/accounts/1/2/3", "/api/", "/oauth/token/x", "/.well-known/nothing", "/media/x"]
)
async def test_an_unknown_path_is_told_in_the_apis_form(door: "Door", town: "Town", path: str) -> None:
    async with door.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Record not found"})
    assert answer.headers["content-type"] == "application/json"
    assert town.log == []


async def test_another_method_is_told_which_there_are(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        answers = [
            await client.request(*call) for call in (("PATCH", "/api/v1/media/1"), ("POST", "/media/posts/a.png"), ("PUT", "/oauth/token"))
        ]
    assert [(answer.status_code, answer.headers["allow"]) for answer in answers] == [(405, "DELETE, GET, PUT"), (405, "GET"), (405, "POST")]
    assert answers[0].json() == {"error": "Method not allowed"}
    assert town.log == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/internal/introspect",
        "//internal/introspect",
        "/api/../internal/introspect",
        "/api/v1/../../internal/introspect",
        "/api/v1/accounts/..%2f..%2f..%2finternal%2fintrospect",
        "/api%2f..%2finternal%2fintrospect",
        "/internal%2fintrospect",
        "/metrics",
        "/openapi.json",
    ],
)
async def test_what_is_between_services_is_never_reached_from_outside(door: "Door", town: "Town", method: str, path: str) -> None:
    town.know("adas", role="admin")
    async with door.client("adas") as client:
        request = client.build_request(method, "/", json={"token": "adas"} if method != "GET" else None)
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = await client.send(request)
    assert answer.status_code in (204, 404, 405)
    assert [asked.what for asked in town.asked()] == []
