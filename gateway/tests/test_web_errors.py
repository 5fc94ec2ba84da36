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


def summarised(page: httpx.Response) -> list[str]:
    """Which fields the summary of what is wrong leads to; each of them is there, says that it is wrong, and where that is told."""
    (summary,) = re.findall(r'<div class="alert alert-danger wrong" role="alert" tabindex="-1">(.*?)</div>', page.text, re.S)
    fields = re.findall(r'<a href="#([\w-]+)">', summary)
    for field in fields:
        (element,) = re.findall(rf'<(?:input|textarea|select)[^>]* id="{field}"[^>]*>', page.text)
        assert 'aria-invalid="true"' in element
        told = re.search(r'aria-describedby="([^"]+)"', element)
        assert told is not None
        assert all(f' id="{place}"' in page.text for place in told[1].split())
    return fields


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
            field = "new" if "new" in fields else "password"
            assert f'id="{field}-wrong">ist zu leicht zu erraten' in page.text
            assert re.findall(r'<li><a href="#(\w+)">(.+?)</a>', page.text) == [(field, "Neues Passwort: ist zu leicht zu erraten")]


async def test_an_announcement_without_words_is_refused_beside_its_field(door: "Door", town: "Town") -> None:
    town.say("notify", "GET", "/api/v1/announcements", [])
    async with log_in(door, town) as client:
        town.know(SESSION, session=True, locale="es", role="admin")
        page = await client.post("/announcements", data={**FORM, "text": ""})
        assert page.status_code == 422
        assert summarised(page) == ["text"]
    assert [one.what for one in town.asked("notify") if one.method == "POST"] == []


REFUSALS = [
    ("/register", {"username": "", "email": "", "password": "x"}, None, ["username", "email", "password", "agreement"]),
    ("/login", {}, None, ["identifier", "password"]),
    ("/reset", {}, None, ["email"]),
    ("/reset/use", {}, None, ["password"]),
    ("/settings/delete", {}, None, ["current"]),
    ("/settings/delete", {"current": "x"}, ("auth", "POST", "/internal/deletions", "wrong_credentials"), ["current"]),
    ("/settings/password", {"current": "x"}, None, ["new"]),
    (
        "/settings/password",
        {"current": "x", "new": "long enough"},
        ("auth", "POST", "/internal/passwords", "wrong_credentials"),
        ["current"],
    ),
    ("/settings/look", {"language": "xx", "look": "", "density": ""}, None, ["language"]),
    ("/settings/profile", {}, ("social", "PATCH", "/api/v1/accounts/update_credentials", "note_too_long"), ["note"]),
    ("/settings/profile", {}, ("social", "PATCH", "/api/v1/accounts/update_credentials", "too_many_fields"), []),
    ("/settings/hashtags", {}, None, ["name"]),
    ("/settings/hashtags", {"name": "-"}, ("social", "POST", "/api/v1/featured_tags", "bad_tag"), ["name"]),
    ("/settings/filters", {"filter_action": "warn", "ends": ""}, None, ["title", "account"]),
    (
        "/settings/filters",
        {"title": "x", "home": "y", "filter_action": "warn", "ends": ""},
        ("social", "POST", "/api/v2/filters", "too_many_filters"),
        [],
    ),
    ("/lists", {"title": ""}, ("social", "POST", "/api/v1/lists", "blank_title"), ["title"]),
    ("/posts", {"status": ""}, ("posts", "POST", "/api/v1/statuses", "empty_post"), ["status"]),
    ("/posts", {"poll_options-0": "tea"}, ("posts", "POST", "/api/v1/statuses", "bad_choices"), ["poll_options-0"]),
    ("/posts", {"status": "x"}, ("posts", "POST", "/api/v1/statuses", "bad_deadline"), ["poll_expires_in"]),
    ("/posts", {"status": "x"}, ("posts", "POST", "/api/v1/statuses", "something_new"), []),
]


@pytest.mark.parametrize(("path", "fields", "refusing", "wrong"), REFUSALS)
async def test_a_form_that_comes_back_leads_to_each_field_that_is_wrong(
    door: "Door", town: "Town", path: str, fields: dict[str, str], refusing: tuple[str, str, str, str] | None, wrong: list[str]
) -> None:
    town.say("auth", "GET", "/internal/sessions", [])
    for listed in (
        "/api/v1/featured_tags",
        "/api/v1/featured_tags/suggestions",
        "/api/v2/filters",
        "/api/v1/lists",
        "/api/v1/followed_tags",
    ):
        town.say("social", "GET", listed, [])
    mine = {
        "id": "7",
        "username": "ada",
        "display_name": "Ada",
        "avatar": "/a",
        "source": {"note": "", "fields": [], "follow_requests_count": 0},
    }
    if refusing is not None:
        service, method, where, code = refusing
        town.say(service, method, where, {"error": "Validation failed: So it is not", "code": code}, 422)
    async with log_in(door, town) as client:
        counts = {"statuses_count": 0, "following_count": 0, "followers_count": 0, "locked": False}
        town.say("social", "GET", "/api/v1/accounts/verify_credentials", mine | counts)
        page = await client.post(path, data={**FORM, **fields})
    assert page.status_code == 422
    assert summarised(page) == wrong
    assert refusing is None or "So it is not" in words(page)
