"""What protects the pages: forms that nobody can forge, headers that browsers obey, cookies, and redirects that stay here."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from gateway.web import _PAGES
from gateway.web.csrf import token_for
from gateway.web.visitor import local_path

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, Town

pytestmark = pytest.mark.anyio

ONE_CLICK = "/unsubscribe"
"""Mail programs send this form (RFC 8058); the link in the mail is its token."""
FORMS = sorted(
    {path.format(id="42", verb="favourite", username="ada", name="tea") for path, _, methods in _PAGES if "POST" in methods} - {ONE_CLICK}
)
HERE = "https://microblog.example"
SECRET = "c" * 32
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([0-9a-f]{128})"')


def token_in(page: httpx.Response) -> str:
    found = TOKEN.search(page.text)
    assert found is not None
    return found.group(1)


def logged_in(door: "Door", town: "Town", session: str = "session-of-ada", **headers: str) -> httpx.AsyncClient:
    town.know(session, session=True)
    return door.client(cookies={"__Host-session": session}, headers=headers)


def written(town: "Town") -> list[tuple[str, str, str]]:
    """What was asked of services beyond reading."""
    return [asked.what for asked in town.asked() if asked.method != "GET"]


@pytest.fixture(autouse=True)
def _readable(town: "Town") -> None:
    """What forms look at before they are checked."""
    town.say("social", "GET", "/api/v1/statuses/42", {"id": "42", "reblog": None, "account": {"id": "7", "username": "ada"}})
    town.say("social", "GET", "/api/v1/accounts/verify_credentials", {"id": "7", "username": "ada"})


# Forged forms


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_the_right_token_does_nothing(door: "Door", town: "Town", path: str) -> None:
    wrong = (
        "",
        "x" * 128,
        "0" * 128,
        "0" * 64,
        token_for(SECRET, "session-of-bob"),
        token_for("d" * 32, "session-of-ada"),
        token_for(SECRET, ""),
    )
    async with logged_in(door, town) as client:
        for token in wrong:
            assert (await client.post(path, data={"csrf_token": token, "next": "/"})).status_code == 403
        assert (await client.post(path)).status_code == 403
        assert (await client.post(path, params={"csrf_token": token_for(SECRET, "session-of-ada")})).status_code == 403
    assert written(town) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://microblog.example.evil.example"},
        {"Origin": "https://microblog.example:8443"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/posts", "/logout", "/settings/password"])
async def test_even_the_right_token_does_nothing_from_elsewhere(door: "Door", town: "Town", path: str, headers: dict[str, str]) -> None:
    async with logged_in(door, town, **headers) as client:
        assert (await client.post(path, data={"csrf_token": token_for(SECRET, "session-of-ada")})).status_code == 403
    assert written(town) == []


@pytest.mark.parametrize("headers", [{}, {"Origin": HERE}, {"Sec-Fetch-Site": "same-origin", "Origin": HERE}, {"Sec-Fetch-Site": "none"}])
async def test_a_form_from_here_is_taken(door: "Door", town: "Town", headers: dict[str, str]) -> None:
    town.say("social", "POST", "/api/v1/statuses/42/favourite", {"id": "42"})
    async with logged_in(door, town, **headers) as client:
        answer = await client.post("/posts/42/favourite", data={"csrf_token": token_for(SECRET, "session-of-ada"), "next": "/public"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/public#post-42")
    assert [(asked.what, asked.identity.name) for asked in town.asked()] == [(("social", "POST", "/api/v1/statuses/42/favourite"), "ada")]


async def test_a_strangers_form_is_bound_to_their_browser(door: "Door", town: "Town") -> None:
    async with door.client() as mine, door.client() as theirs:
        token, _ = token_in(await mine.get("/login")), await theirs.get("/login")
        typed = {"csrf_token": token, "identifier": "ada", "password": "correct horse"}
        assert (await theirs.post("/login", data=typed)).status_code == 403
        async with door.client() as without_cookies:
            assert (await without_cookies.post("/login", data=typed)).status_code == 403
        assert written(town) == []
        town.say("auth", "POST", "/internal/sessions", {"session": "session-of-ada"})
        assert (await mine.post("/login", data=typed)).status_code == 303
    assert written(town) == [("auth", "POST", "/internal/sessions")]
    assert town.asked("auth")[0].headers["x-forwarded-for"] == "203.0.113.5"


async def test_a_token_is_never_written_the_same_way_again(door: "Door", town: "Town") -> None:
    async with logged_in(door, town) as client:
        first, second = token_in(await client.get("/about")), token_in(await client.get("/about"))
        assert first != second
        for token in (first, second):
            assert (await client.post("/logout", data={"csrf_token": token})).status_code == 303


async def test_pages_and_styles_travel_compressed_to_who_takes_it(door: "Door", town: "Town") -> None:
    async with logged_in(door, town) as client:
        page = await client.get("/about")
        styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
        assert len(styles) > 1
        for path in ("/about", *styles):
            small = await client.get(path, headers={"Accept-Encoding": "gzip"})
            plain = await client.get(path, headers={"Accept-Encoding": "identity"})
            assert (small.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
            assert int(small.headers["content-length"]) * 2 < int(plain.headers["content-length"])
            assert "Accept-Encoding" in small.headers["vary"]
            assert "Accept-Encoding" in plain.headers["vary"]
            if path in styles:
                assert small.content == plain.content


async def test_a_token_of_other_letters_is_as_wrong_as_any(door: "Door", town: "Town") -> None:
    async with logged_in(door, town) as client:
        assert (await client.post("/posts", data={"csrf_token": "ä" * 128})).status_code == 403


@pytest.mark.parametrize("sent", [{"files": {"pictures": ("a.png", b"x" * 40_000_000)}}, {"data": {"identifier": "x" * 40_000_000}}])
async def test_a_form_has_its_limit_too(door: "Door", town: "Town", sent: dict[str, Any]) -> None:
    async with door.client() as client:
        assert (await client.post("/login", **sent)).status_code == 413


async def test_a_mail_program_unsubscribes_by_the_link_alone(door: "Door", town: "Town") -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with door.client() as client:
        answer = await client.post(ONE_CLICK, params={"token": "t" * 400}, content=b"List-Unsubscribe=One-Click", headers=headers)
        assert answer.status_code == 200
        assert (await client.get(ONE_CLICK, params={"token": "t"})).status_code == 200
    assert written(town) == [("notify", "POST", "/internal/unsubscribe")], "to look at the page changes nothing"
    assert town.asked("notify")[0].json() == {"token": "t" * 300}


# Headers


async def pages(door: "Door") -> list[httpx.Response]:
    """A page, an error, a redirect, a form that is refused."""
    async with door.client() as client:
        return [await client.get(path) for path in ("/login", "/about", "/nothing", "/settings")] + [await client.post("/login")]


async def test_browsers_are_told_to_run_and_embed_nothing_strange(door: "Door") -> None:
    answers = await pages(door)
    assert [answer.status_code for answer in answers] == [200, 200, 404, 303, 403]
    for answer in answers:
        policy = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
        assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
        assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_without_https_nobody_is_told_to_use_it(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(public_url="http://localhost:8000")
    assert not any("strict-transport-security" in answer.headers for answer in await pages(door))
    town.say("auth", "POST", "/internal/sessions", {"session": "s"})
    async with door.client() as client:
        client.base_url = httpx.URL("http://localhost:8000")
        typed = {"csrf_token": token_in(await client.get("/login")), "identifier": "ada", "password": "correct horse"}
        cookies = (await client.post("/login", data=typed)).headers.get_list("set-cookie")
    assert len([cookie for cookie in cookies if cookie.startswith("session=s;") and "secure" not in cookie.lower()]) == 1


async def test_pages_carry_no_code_of_their_own(door: "Door") -> None:
    for answer in await pages(door):
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style|javascript:", answer.text)


async def test_only_consent_may_lead_its_form_elsewhere(door: "Door", town: "Town") -> None:
    town.say(
        "auth", "GET", "/internal/apps/app1", {"client_id": "app1", "name": "App", "website": None, "scopes": ["read"], "redirect_uris": []}
    )
    async with logged_in(door, town) as client:
        asked = {"client_id": "app1", "redirect_uri": "https://app.example/back", "response_type": "code", "scope": "read"}
        answer = await client.get("/oauth/authorize", params=asked)
    assert answer.status_code == 200
    assert "form-action 'self' http: https:" in answer.headers["content-security-policy"]
    assert "x-consent" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_files_of_pages_are_kept_for_ever_and_there_are_no_others(door: "Door") -> None:
    async with door.client() as client:
        address = re.search(r'href="(/static/[^"]+\.css)"', (await client.get("/login")).text)
        assert address is not None
        answer = await client.get(address.group(1))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        for name in ("../../settings.py", "..%2f..%2fsettings.py", "base.html", "messages.po"):
            assert (await client.get(f"/static/0/{name}")).status_code == 404


# Cookies and redirects


def cookie(answer: httpx.Response, name: str) -> list[str]:
    """The attributes of a cookie in lower case, sorted."""
    whole = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}="))
    return sorted(part.strip().lower() for part in whole.split(";")[1:])


@pytest.mark.parametrize("remember", [False, True])
async def test_a_session_is_kept_where_no_script_and_no_other_site_reaches_it(door: "Door", town: "Town", remember: bool) -> None:
    town.say("auth", "POST", "/internal/sessions", {"session": "fresh"})
    async with door.client() as client:
        page = await client.get("/login")
        assert {"httponly", "path=/", "samesite=lax", "secure"} <= set(cookie(page, "visitor"))
        typed = {"csrf_token": token_in(page), "identifier": "ada", "password": "correct horse"} | ({"remember": "y"} if remember else {})
        attributes = cookie(await client.post("/login", data=typed), "__Host-session")
    lasting = [part for part in attributes if part.startswith("max-age=")]
    assert [part for part in attributes if part not in lasting] == ["httponly", "path=/", "samesite=lax", "secure"]
    assert lasting == (["max-age=2592000"] if remember else [])


async def test_who_logs_out_is_forgotten_here_and_at_auth(door: "Door", town: "Town") -> None:
    async with logged_in(door, town) as client:
        assert (await client.get("/follow_requests")).status_code != 303
        answer = await client.post("/logout", data={"csrf_token": token_for(SECRET, "session-of-ada")})
        assert "max-age=0" in cookie(answer, "__Host-session")
        assert [asked.json() for asked in town.asked("auth") if asked.method == "DELETE"] == [{"session": "session-of-ada"}]
        del town.tokens["session-of-ada"]
    async with door.client(cookies={"__Host-session": "session-of-ada"}) as thief:
        assert (await thief.get("/settings")).headers["location"].startswith("/login")


@pytest.mark.parametrize("who", [{"session": False}, {"session": True, "state": "suspended"}, {"session": True, "state": "disabled"}])
async def test_no_other_token_opens_pages(door: "Door", town: "Town", who: dict[str, Any]) -> None:
    town.know("token", **who)
    async with door.client(cookies={"__Host-session": "token"}) as client:
        assert (await client.get("/settings")).headers["location"] == "/login?next=/settings"
    async with door.client("token") as client:
        assert (await client.get("/settings")).status_code == 303


async def test_while_auth_is_away_nobody_is_taken_for_a_stranger(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(auth_url="http://127.0.0.1:1")
    async with logged_in(door, town) as client:
        answer = await client.get("/settings")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "evil",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_nobody_is_led_elsewhere_after_logging_in(door: "Door", town: "Town", target: str) -> None:
    assert local_path(target) == "/"
    town.say("auth", "POST", "/internal/sessions", {"session": "fresh"})
    async with door.client() as client:
        page = await client.get("/login", params={"next": target})
        typed = {"csrf_token": token_in(page), "identifier": "ada", "password": "correct horse", "next": target}
        assert (await client.post("/login", data=typed)).headers["location"] == "/"


def test_pages_of_ours_are_gone_on_to() -> None:
    def ours() -> Iterator[str]:
        yield from ("/", "/public", "/@ada/42?x=1#y", "/search?q=%2F%2Fevil", "/tags/größe")

    assert [local_path(path) for path in ours()] == list(ours())
