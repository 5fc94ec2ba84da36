"""Apps in browsers may call the API from any page, with a token and never with cookies; the pages are for nobody else."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, Town

pytestmark = pytest.mark.anyio

APP = {"Origin": "https://app.example"}
PREFLIGHT = {**APP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,idempotency-key"}


@pytest.mark.parametrize(
    "path", ["/api/v1/timelines/home", "/api/v1/nothing", "/oauth/token", "/oauth/revoke", "/media/posts/a.png", "/nodeinfo/2.0"]
)
async def test_a_browser_is_told_what_it_may_send_and_no_service_hears_of_it(door: "Door", town: "Town", path: str) -> None:
    async with door.client() as client:
        answer = await client.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert int(answer.headers["access-control-max-age"]) >= 600
    assert town.log == []


async def test_every_answer_of_the_api_can_be_read_from_anywhere_refusals_included(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(search_url="http://127.0.0.1:1", translate_url="http://127.0.0.1:1")
    town.say("social", "GET", "/api/v1/timelines/public", {"error": "broken"}, 500)
    calls = {
        ("GET", "/api/v1/statuses"): 200,
        ("GET", "/api/v1/timelines/home"): 401,
        ("GET", "/api/v1/nothing"): 404,
        ("PATCH", "/oauth/token"): 405,
        ("GET", "/api/v1/timelines/public"): 500,
        ("GET", "/api/v1/instance/translation_languages"): 503,
        ("GET", "/.well-known/nodeinfo"): 200,
        ("GET", "/media/posts/a.png"): 200,
        ("POST", "/oauth/token"): 200,
    }
    async with door.client(headers=APP) as client:
        for (method, path), status in calls.items():
            answer = await client.request(method, path)
            assert answer.status_code == status, path
            assert answer.headers.get_list("access-control-allow-origin") == ["*"], path
            assert "access-control-allow-credentials" not in answer.headers, path
            exposed = set(answer.headers["access-control-expose-headers"].split(", "))
            assert exposed >= {"Link", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id", "Retry-After"}, (
                path
            )


@pytest.mark.parametrize("path", ["/login", "/oauth/authorize", "/about", "/nothing", "/api/docs"])
async def test_pages_cannot_be_read_from_elsewhere(door: "Door", path: str) -> None:
    async with door.client(headers=APP) as client:
        assert "access-control-allow-origin" not in (await client.get(path)).headers
        answer = await client.options(path, headers=PREFLIGHT)
    assert answer.status_code in (404, 405)
    assert "access-control-allow-origin" not in answer.headers


async def test_a_cookie_opens_nothing_of_the_api(door: "Door", town: "Town") -> None:
    town.know("session-of-ada", session=True)
    for name in ("session", "__Host-session"):
        async with door.client(headers={"Cookie": f"{name}=session-of-ada"}) as client:
            assert (await client.get("/api/v1/timelines/home")).status_code == 401
            assert (await client.post("/api/v1/statuses", json={"status": "forged"})).status_code == 401
            assert (await client.get("/api/v1/timelines/public")).status_code == 200
    assert [asked.identity.is_user for asked in town.asked()] == [False, False]
    assert all("cookie" not in asked.headers for asked in town.asked())
