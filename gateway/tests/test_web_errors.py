"""What pages say when something is wrong: in the reader's language, to the person who is logged in, and never that it was our fault."""

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from gateway.web.csrf import token_for

if TYPE_CHECKING:
    from .conftest import Door, Town

pytestmark = pytest.mark.anyio

SESSION = "session-of-ada"
FORM = {"csrf_token": token_for("c" * 32, SESSION)}
TEXT = re.compile(r"<[^>]+>|\s+")


def words(page: httpx.Response) -> str:
    return " ".join(TEXT.sub(" ", page.text[page.text.index("<main") :]).split())


def log_in(door: "Door", town: "Town", locale: str = "de") -> httpx.AsyncClient:
    town.know(SESSION, session=True, locale=locale)
    town.say("social", "GET", "/api/v1/accounts/verify_credentials", {}, 503)
    town.say("notify", "GET", "/api/v1/notifications/unread_count", {}, 503)
    town.say("social", "GET", "/internal/unread_conversations", {}, 503)
    return door.client(cookies={"__Host-session": SESSION})


@pytest.mark.parametrize("wrong", ["", "x", "-1", "1.5", "²", "9" * 40, "0x1", "1 "])
async def test_an_id_that_cannot_be_one_is_an_ordinary_miss(door: "Door", town: "Town", wrong: str) -> None:
    async with log_in(door, town) as client:
        for path in ("/settings/devices", "/follow_requests"):
            page = await client.post(path, data={**FORM, "id": wrong})
            assert (page.status_code, "Hier ist keine Seite" in words(page)) == (404, True), path
        if wrong.strip():
            for method, path in (
                ("GET", f"/posts/{wrong}/edit"),
                ("POST", f"/posts/{wrong}/favourite"),
                ("POST", f"/@ada/{wrong}/translate"),
            ):
                page = await client.request(method, path, data=FORM if method == "POST" else None)
                assert page.status_code == 404, path
    assert [one for one in town.asked() if wrong in one.target and wrong.strip()] == []


async def test_an_error_leaves_one_logged_in_and_speaks_ones_language(door: "Door", town: "Town") -> None:
    town.say("social", "GET", "/api/v1/accounts/lookup", {"error": "Record not found"}, 404)
    async with log_in(door, town) as client:
        for path in ("/nowhere", "/@nobody"):
            page = await client.get(path)
            assert (page.status_code, "Hier ist keine Seite" in words(page)) == (404, True)
            assert 'action="/logout"' in page.text


async def test_a_service_that_refuses_is_understood_in_ones_language(door: "Door", town: "Town") -> None:
    town.say("social", "GET", "/api/v1/accounts/lookup", {"id": "7", "username": "ada"})
    town.say("social", "POST", "/api/v1/accounts/7/follow", {"error": "You can't follow, block or mute yourself"}, 403)
    town.say("posts", "POST", "/api/v1/statuses", {"error": "Validation failed: Text character limit of 200 exceeded"}, 422)
    async with log_in(door, town) as client:
        assert "Dir selbst kannst du weder folgen" in words(await client.post("/@ada/follow", data=FORM))
        page = await client.post("/posts", data={**FORM, "status": "too long"})
    assert page.status_code == 422
    assert "Der Text ist länger als 200 Zeichen" in words(page)
    assert "too long</textarea>" in page.text


async def test_too_many_pictures_are_counted_not_lost_with_the_text(door: "Door", town: "Town") -> None:
    town.say("posts", "POST", "/api/v2/media", {"id": "1"})
    pictures: list[Any] = [("pictures", (f"{n}.png", b"x", "image/png")) for n in range(9)]
    async with log_in(door, town) as client:
        page = await client.post("/posts", data={**FORM, "status": "kept"}, files=pictures)
        assert (page.status_code, "Höchstens vier Bilder." in words(page)) == (422, True)
        assert "kept</textarea>" in page.text
        broken = await client.post("/posts", content=b"x", headers={"Content-Type": "multipart/form-data"})
        assert (broken.status_code, "Das hat nicht geklappt" in words(broken)) == (400, True)
    assert [one.what for one in town.asked("posts")] == []


async def test_a_password_that_is_refused_is_told_beside_its_field(door: "Door", town: "Town") -> None:
    details = {"password": [{"error": "ERR_BLOCKED", "description": "is too easy to guess"}]}
    refused = {"error": "Validation failed: Password is too easy to guess", "details": details}
    town.say("auth", "POST", "/internal/passwords", refused, 422)
    town.say("auth", "POST", "/internal/resets/use", refused, 422)
    town.say("auth", "GET", "/internal/sessions", [])
    async with log_in(door, town) as client:
        for path, fields in (("/settings/password", {"current": "x", "new": "password1"}), ("/reset/use", {"password": "password1"})):
            page = await client.post(path, data={**FORM, **fields})
            assert page.status_code == 422
            assert 'role="alert">ist zu leicht zu erraten' in page.text


async def test_an_announcement_without_words_is_refused_beside_its_field(door: "Door", town: "Town") -> None:
    town.say("notify", "GET", "/api/v1/announcements", [])
    async with log_in(door, town) as client:
        town.know(SESSION, session=True, locale="es", role="admin")
        page = await client.post("/announcements", data={**FORM, "text": ""})
        assert page.status_code == 422
        assert 'role="alert"' in page.text
    assert [one.what for one in town.asked("notify") if one.method == "POST"] == []
