"""Asks a stack as a client and as a browser without scripts do."""

import asyncio
import re
from collections.abc import Awaitable, Iterable
from html import unescape
from typing import Any, Final

import httpx

_AT_ONCE: Final = 4
_FORM: Final = re.compile(r"<form([^>]*)>(.*?)</form>", re.S)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


class LoadError(Exception):
    """The community can't be loaded; the message is one line."""


class Asker:
    """One stack; waits where it asks to. `httpx.HTTPError` where it doesn't answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(max_connections=8))

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        """The answer's JSON; raises `LoadError` for anything but success."""
        answer = await self.send(method, path, **more)
        if answer.status_code >= 400:
            raise LoadError(f"{method} {path} answers {answer.status_code}: {answer.text[:200]}")
        return answer.json()

    async def pages(self, path: str, token: str) -> list[dict[str, Any]]:
        """A whole list, page by page as its `Link` header leads."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.send("GET", path, token=token)
            if answer.status_code != 200:
                raise LoadError(f"GET {path} answers {answer.status_code}: {answer.text[:200]}")
            found += answer.json()
            if "next" not in answer.links or not answer.json():
                return found
            path = httpx.URL(answer.links["next"]["url"]).raw_path.decode()

    async def send(
        self, method: str, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """The answer, whatever it is but "too many" and "not now"."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        while True:
            answer = await self._client.request(method, path, headers=sent, **more)
            if answer.status_code not in (429, 503):
                return answer
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", "1")), 300))

    def browser(self) -> httpx.AsyncClient:
        """Somebody's browser, logged in nowhere."""
        return httpx.AsyncClient(base_url=self.url, timeout=30)


async def submit(browser: httpx.AsyncClient, path: str, action: str, **fields: str) -> httpx.Response:
    """Open a page, fill in the form that is sent to `action`, and send it."""
    page = await browser.get(path)
    inside = next((inside for attributes, inside in _FORM.findall(page.text) if f'action="{action}"' in attributes), None)
    if inside is None:
        raise LoadError(f"{path} shows no form for {action}: it answers {page.status_code}")
    return await browser.post(action, data={name: unescape(value) for name, value in _HIDDEN.findall(inside)} | fields)


async def together(work: Iterable[Awaitable[None]]) -> None:
    """Some at a time, so that a small machine stays usable."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def gated(job: Awaitable[None]) -> None:
        async with gate:
            await job

    try:
        async with asyncio.TaskGroup() as group:
            for job in work:
                group.create_task(gated(job))
    except* (LoadError, httpx.HTTPError) as failed:
        raise failed.exceptions[0] from None
