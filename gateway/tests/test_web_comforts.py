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
