"""What pages offer to whoever runs their scripts: how much it weighs, and that it can be switched off."""

import gzip
import re
from typing import TYPE_CHECKING

import pytest
from gateway.web.assets import content
from gateway.web.csrf import token_for

if TYPE_CHECKING:
    from .conftest import Door, Town

pytestmark = pytest.mark.anyio

SESSION = "session-of-ada"
FORM = {"csrf_token": token_for("c" * 32, SESSION)}
LOOK = {**FORM, "language": "en", "look": "", "density": ""}


def weight(name: str) -> float:
    """How many kilobytes of a file go over the wire, compressed as a proxy in front does it."""
    file = content(name)
    assert file is not None
    return len(gzip.compress(file, 6)) / 1024


def test_files_of_pages_weigh_no_more_than_they_may() -> None:
    assert 1 < weight("site.js") <= 5
    assert 0.5 < weight("translate.js") <= 1.25
    assert 5 < weight("site.css") <= 12
    assert 20 < weight("bootstrap.css") <= 31
    assert 1 < weight("icons.svg") <= 3


@pytest.mark.parametrize("locale", ["en", "de", "es"])
async def test_keys_are_on_until_somebody_switches_them_off(door: "Door", town: "Town", locale: str) -> None:
    town.know(SESSION, session=True, locale=locale)
    town.say("auth", "GET", "/internal/sessions", [])
    for service, path in (("social", "/api/v1/accounts/verify_credentials"), ("notify", "/api/v1/notifications/unread_count")):
        town.say(service, "GET", path, {}, 503)
    town.say("social", "GET", "/internal/unread_conversations", {}, 503)
    async with door.client(cookies={"__Host-session": SESSION}) as client:

        async def told() -> tuple[bool, bool]:
            page = (await client.get("/settings")).text
            (box,) = re.findall(r'<input[^>]* id="keys"[^>]*>', page)
            return " checked" in box, '<dialog id="key-map"' in page

        assert await told() == (True, True)
        assert (await client.post("/settings/look", data=LOOK | {"keys": "y"})).status_code == 303
        assert await told() == (True, True)
        assert (await client.post("/settings/look", data=LOOK)).status_code == 303
        assert await told() == (False, False)


GERMAN = {
    **{
        "id": "44",
        "created_at": "2026-01-01T00:00:00.000Z",
        "edited_at": None,
        "visibility": "public",
        "language": "de",
        "sensitive": False,
    },
    **{"content": "<p>hallo</p>", "spoiler_text": "", "reblog": None, "poll": None, "replies_count": 0, "reblogs_count": 0},
    **{"favourites_count": 0, "favourited": False, "reblogged": False, "bookmarked": False, "muted": False, "pinned": False},
    **{"mentions": [], "url": "https://microblog.example/@bob/44", "filtered": []},
    "media_attachments": [
        {"id": "5", "url": "/5", "preview_url": "/5", "description": "Katze", "meta": {"small": {"width": 1, "height": 1}}},
        {"id": "6", "url": "/6", "preview_url": "/6", "description": None, "meta": {"small": {"width": 1, "height": 1}}},
    ],
    "account": {"id": "8", "username": "bob", "display_name": "Bob", "avatar": "/a.png"},
}
MADE = {
    **{"content": "<p>hello</p>", "spoiler_text": "", "language": "en", "detected_source_language": "de", "provider": "Microsoft"},
    **{"media_attachments": [{"id": "5", "description": "cat"}], "poll": None},
}


def tell_of_a_german_post(town: "Town") -> None:
    town.know(SESSION, session=True, locale="en")
    town.say("social", "GET", "/api/v1/statuses/44", GERMAN)
    town.say("social", "GET", "/api/v1/statuses/44/context", {"ancestors": [], "descendants": []})
    town.say("social", "GET", "/internal/guard/44", {"post_id": 44, "author_id": 8, "version": 1})
    for service, path in (("social", "/api/v1/accounts/verify_credentials"), ("notify", "/api/v1/notifications/unread_count")):
        town.say(service, "GET", path, {}, 503)
    town.say("social", "GET", "/internal/unread_conversations", {}, 503)


@pytest.mark.parametrize(("language", "there"), [("de", True), ("en", False)])
async def test_the_script_that_translates_in_place_is_for_pages_with_something_to_translate(
    door: "Door", town: "Town", language: str, there: bool
) -> None:
    tell_of_a_german_post(town)
    town.say("social", "GET", "/api/v1/statuses/44", GERMAN | {"language": language})
    async with door.client(cookies={"__Host-session": SESSION}) as client:
        page = (await client.get("/@bob/44")).text
        found = re.findall(r'<script src="([^"]*/translate.js)" defer data-busy="Translating…" data-back="Show original"', page)
        assert (len(found), "/@bob/44/translate" in page) == (there, there)
        for script in found:
            answer = await client.get(script)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_scripts_get_what_to_put_where_and_others_the_page_with_both(door: "Door", town: "Town") -> None:
    tell_of_a_german_post(town)
    town.say("translate", "POST", "/api/v1/statuses/44/translate", MADE)
    async with door.client(cookies={"__Host-session": SESSION}) as client:
        swap = await client.post("/@bob/44/translate", data=FORM, headers={"X-Inline": "1"})
        assert swap.json() == {
            **{"language": "en", "content": "<p>hello</p>", "spoiler_text": "", "options": [], "descriptions": ["cat", None]},
            "told": "Translated from German by Microsoft",
        }
        page = (await client.post("/@bob/44/translate", data=FORM)).text
    for words in ("<p>hallo</p>", "<p>hello</p>", "cat", "Translated from German by Microsoft"):
        assert words in page, words


@pytest.mark.parametrize(
    ("status", "told", "again"),
    [
        (503, "the translation service is not configured", None),
        (503, "the translation service failed", "30"),
        (403, "This post can't be translated", None),
    ],
)
async def test_why_there_is_no_translation_is_told_by_the_post_which_stays(
    door: "Door", town: "Town", status: int, told: str, again: str | None
) -> None:
    tell_of_a_german_post(town)
    town.say("translate", "POST", "/api/v1/statuses/44/translate", {"error": told}, status, **({"retry_after": again} if again else {}))
    async with door.client(cookies={"__Host-session": SESSION}) as client:
        swap = await client.post("/@bob/44/translate", data=FORM, headers={"X-Inline": "1"})
        assert (swap.status_code, swap.json()) == (status, {"error": told, "again": again is not None})
        page = await client.post("/@bob/44/translate", data=FORM)
        assert page.status_code == 200
        assert "<p>hallo</p>" in page.text
        assert told.replace("'", "&#39;") in page.text
        api = await client.post("/api/v1/statuses/44/translate", headers={"Authorization": f"Bearer {town.know('token')}"})
        assert (api.status_code, api.headers.get("retry-after")) == (status, again)
