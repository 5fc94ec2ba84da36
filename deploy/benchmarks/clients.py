"""Clients of a running stack: people of the demo community, what they read most, and what they write."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from load import Send

_FOLLOWERS: Final = 20
_TEXT: Final = (
    "A post of ordinary length, with a #hashtag and **some** weight, number {}: it goes to twenty followers, the index and the log."
)


class People:
    """Those of the demo community, by name, who ask a running stack. Whatever isn't answered 200 raises `AssertionError`."""

    def __init__(self, url: str, data: Path) -> None:
        self._url = url
        self._tokens: dict[str, str] = json.loads((data / "demo-state.json").read_text())
        self._session: aiohttp.ClientSession

    @property
    def names(self) -> list[str]:
        return list(self._tokens)

    @asynccontextmanager
    async def connected(self, **how: Any) -> AsyncIterator[None]:
        """With connections, within one event loop."""
        connector = aiohttp.TCPConnector(limit=64, **how)
        # Neither compressed nor unpacked: what unpacking costs the load would be taken from the stack.
        headers = {"Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(self._url, connector=connector, headers=headers, auto_decompress=False) as self._session:
            yield

    def reading(self, path: str, who: str) -> Send:
        async def send(_: int) -> None:
            async with self._session.get(path, headers=self._as(who)) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise AssertionError(f"{path}: {answer.status} {body[:200]!r}")

        return send

    async def json(self, method: str, path: str, who: str, body: Any = None) -> Any:
        async with self._session.request(method, path, headers=self._as(who), json=body) as answer:
            told = await answer.json()
            if answer.status != 200:
                raise AssertionError(f"{method} {path}: {answer.status} {told}")
            return told

    def _as(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[who]}"}


class Clients:
    """An author whom twenty people follow, and one of these, who reads."""

    def __init__(self, url: str, data: Path) -> None:
        self._people = People(url, data)
        self._author, *others = self._people.names
        self._followers = others[:_FOLLOWERS]
        self._reader = self._followers[0]
        self.reads: dict[str, str] = {}
        """Paths of what is read most, by name."""

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """With connections, and everybody following whom they should."""
        async with self._people.connected():
            account = (await self._people.json("GET", "/api/v1/accounts/verify_credentials", self._author))["id"]
            for name in self._followers:
                await self._people.json("POST", f"/api/v1/accounts/{account}/follow", name)
            page = await self.read("/api/v1/timelines/home?limit=20")
            if len(page) != 20:
                raise AssertionError("the home feed has less than 20 posts")
            post = next(status for status in page if status["reblog"] is None)
            self.reads = {
                "home feed, page of 20": "/api/v1/timelines/home?limit=20",
                "one post": f"/api/v1/statuses/{post['id']}",
                "an account's posts, 20": f"/api/v1/accounts/{account}/statuses?limit=20",
                "public feed, page of 20": "/api/v1/timelines/public?limit=20",
                "search, words": "/api/v2/search?q=garden&type=statuses&limit=20",
            }
            yield

    def reading(self, name: str) -> Send:
        """The reader reads what has this name in `reads`."""
        return self._people.reading(self.reads[name], self._reader)

    async def read(self, path: str) -> Any:
        """What the reader is answered."""
        return await self._people.json("GET", path, self._reader)

    async def post(self, what: object, word: str = "") -> Any:
        """What the author is answered, who writes."""
        return await self._people.json("POST", "/api/v1/statuses", self._author, {"status": f"{_TEXT.format(what)} {word}".rstrip()})

    async def posting(self, number: int) -> None:
        """`post` as a `Send`."""
        await self.post(number)
