"""What pages offer to whoever runs their scripts: how much it weighs, and that it can be switched off."""

import gzip
import re
from typing import TYPE_CHECKING

import pytest
from gateway.web.assets import SCRIPTS, content
from gateway.web.csrf import token_for

if TYPE_CHECKING:
    from .conftest import Door, Town

pytestmark = pytest.mark.anyio

SESSION = "session-of-ada"
FORM = {"csrf_token": token_for("c" * 32, SESSION)}
LOOK = {**FORM, "language": "en", "look": "", "density": ""}


def weight(*names: str) -> float:
    """How many kilobytes of files go over the wire, each compressed by itself as a proxy in front does."""
    files = [content(name) for name in names]
    return sum(len(gzip.compress(file, 6)) for file in files if file is not None) / 1024


def test_files_of_pages_weigh_no_more_than_they_may() -> None:
    assert None not in [content(name) for name in SCRIPTS]
    assert 1 < weight(*SCRIPTS) <= 5
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

        async def told() -> tuple[bool, bool, bool]:
            page = (await client.get("/settings")).text
            (box,) = re.findall(r'<input[^>]* id="keys"[^>]*>', page)
            return " checked" in box, "/keys.js" in page, '<dialog id="key-map"' in page

        assert await told() == (True, True, True)
        assert (await client.post("/settings/look", data=LOOK | {"keys": "y"})).status_code == 303
        assert await told() == (True, True, True)
        assert (await client.post("/settings/look", data=LOOK)).status_code == 303
        assert await told() == (False, False, False)
