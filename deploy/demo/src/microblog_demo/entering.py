"""Signs people up, or in where they are known: a token for each, whether or not the last load's were kept."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from microblog_demo import LOGIN
from microblog_demo.asking import Asker, LoadError, submit
from microblog_demo.content import Person

_OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
_SCOPES: Final = "read write follow"
_LINK: Final = re.compile(r"https?://[^\s]+(/confirm\?token=[^\s]+)")
_CODE: Final = re.compile(r'<input [^>]*readonly value="([^"]+)"')
_MAIL_PATIENCE: Final = 30.0

Mails = Callable[[str], list[str]]
"""The texts of what was mailed to an address."""


class Entrance:
    """Lets people in; tokens are kept in the file `state` from the moment that they are given."""

    def __init__(self, asker: Asker, mails: Mails, state: Path) -> None:
        self._asker = asker
        self._mails = mails
        self._state = state
        self._app: dict[str, Any] = {}
        self.tokens: dict[str, str] = json.loads(state.read_text()) if state.exists() else {}

    async def enter(self, person: Person) -> None:
        """See to it that their token is good, by signing up or logging in. Raises `LoadError`."""
        name = person.username
        if name not in self.tokens or (await self._who(name)).status_code == 401:
            self.tokens[name] = await self._sign_up(person) or await self._log_in(person)
            self._state.touch(0o600)
            self._state.write_text(json.dumps(self.tokens))

    async def account(self, person: Person) -> dict[str, Any]:
        """Who somebody with a good token is to themselves, once their address is confirmed. Raises `LoadError`."""
        answer = await self._who(person.username)
        if answer.status_code == 403:
            await self._confirm(person)
            answer = await self._who(person.username)
        if answer.status_code != 200:
            raise LoadError(f"{person.username} can't come in: {answer.status_code} {answer.text[:200]}")
        account: dict[str, Any] = answer.json()
        return account

    async def _who(self, name: str) -> httpx.Response:
        return await self._asker.send("GET", "/api/v1/accounts/verify_credentials", token=self.tokens[name])

    async def _sign_up(self, person: Person) -> str | None:
        """Their token; None where somebody of that name is there already."""
        app = await self._the_app()
        new = {
            "username": person.username,
            "email": _address(person),
            "password": _password(person),
            "agreement": True,
            "locale": person.language if person.language in ("en", "de", "es") else "en",
        }
        answer = await self._asker.send("POST", "/api/v1/accounts", token=app["token"], json=new)
        if answer.status_code == 422 and any(problem["error"] == "ERR_TAKEN" for problem in answer.json()["details"].get("username", [])):
            return None
        if answer.status_code != 200:
            raise LoadError(f"{person.username} can't sign up: {answer.status_code} {answer.text[:200]}")
        return str(answer.json()["access_token"])

    async def _the_app(self) -> dict[str, Any]:
        if not self._app:
            new = {"client_name": "Demo community", "redirect_uris": _OUT_OF_BAND, "scopes": _SCOPES}
            self._app = await self._asker.ask("POST", "/api/v1/apps", json=new)
            self._app["token"] = await self._token(grant_type="client_credentials", scope=_SCOPES)
        return self._app

    async def _token(self, **asked: str) -> str:
        client = {name: self._app[name] for name in ("client_id", "client_secret")}
        return str((await self._asker.ask("POST", "/oauth/token", json={**client, **asked}))["access_token"])

    async def _log_in(self, person: Person) -> str:
        """A token given as to any app: the person logs in with their password, agrees, and copies the code."""
        app = await self._the_app()
        async with self._asker.browser() as browser:
            answer = await submit(browser, "/login", "/login", identifier=person.username, password=_password(person))
            if answer.status_code != 303:
                raise LoadError(
                    f"somebody else is {person.username}, or they changed their password: logging in is answered {answer.status_code}"
                )
            asked = {"client_id": app["client_id"], "redirect_uri": _OUT_OF_BAND, "response_type": "code", "scope": _SCOPES}
            page = await submit(browser, f"/oauth/authorize?{urlencode(asked)}", "/oauth/authorize", decision="approve")
            code = _CODE.search(page.text)
            if code is None:
                raise LoadError(f"{person.username} is given no code: the page answers {page.status_code}")
            await submit(browser, "/settings", "/logout")
        return await self._token(grant_type="authorization_code", code=code[1], redirect_uri=_OUT_OF_BAND)

    async def _confirm(self, person: Person) -> None:
        link = await self._mailed_link(_address(person))
        async with self._asker.browser() as browser:
            answer = await submit(browser, link, "/confirm")
        if answer.status_code != 303:
            raise LoadError(f"{person.username}'s address can't be confirmed: the page answers {answer.status_code}")

    async def _mailed_link(self, address: str) -> str:
        deadline = time.monotonic() + _MAIL_PATIENCE
        while time.monotonic() < deadline:
            found = [link[1] for text in self._mails(address) if (link := _LINK.search(text))]
            if found:
                return found[-1]
            await asyncio.sleep(0.2)
        raise LoadError(f"no confirmation mail for {address}: give the folder of the provider file with --mail")


def _address(person: Person) -> str:
    return f"{person.username}@demo.example"


def _password(person: Person) -> str:
    return LOGIN[1] if person.username == LOGIN[0] else f"{person.username} lives in the demo"
