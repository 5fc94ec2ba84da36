"""Loads the community through the public API, and can be asked again: what is there already stays as it is."""

import asyncio
import email
import email.policy
import json
import random
import re
import time
from collections.abc import Callable, Iterable
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx

from microblog_demo import LOGIN, content, pictures
from microblog_demo.content import Person, Post

_SCOPES: Final = "read write follow"
_AT_ONCE: Final = 4
_LINK: Final = re.compile(r"https?://[^\s]+/confirm\?token=[^\s]+")
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_MAIL_PATIENCE: Final = 30.0
_POLL_SECONDS: Final = 7 * 24 * 3600


class LoadError(Exception):
    """The community can't be loaded; the message is one line."""


class Loader:
    """One load: `step` is called with a word for everything that was done."""

    def __init__(self, url: str, mail: Path, state: Path, step: Callable[[str], None]) -> None:
        self._url = url
        self._mail = mail
        self._state = state
        self._step = step
        self._client = httpx.AsyncClient(base_url=url, timeout=30, limits=httpx.Limits(max_connections=8))
        self._tokens: dict[str, str] = json.loads(state.read_text()) if state.exists() else {}
        self._ids: dict[str, str] = {}
        self._posted: dict[int, str] = {}

    @staticmethod
    def steps() -> int:
        """How many times `step` will be called."""
        return len(content.people()) + len(content.posts())

    async def load(self) -> None:
        """Do all of it. Raises `LoadError`."""
        try:
            async with self._client:
                await self._sign_up_all()
                await self._together(self._settle_in(person) for person in content.people().values())
                await self._follow_all()
                await self._together(self._conversation(thread) for thread in _conversations())
                await self._react()
                await self._vote_all()
        except httpx.HTTPError as error:
            raise LoadError(f"{self._url} does not answer as it should ({type(error).__name__}): is the stack running?") from error

    async def _sign_up_all(self) -> None:
        missing = [person for person in content.people().values() if person.username not in self._tokens]
        if missing:
            app = await self._ask(
                "POST",
                "/api/v1/apps",
                json={"client_name": "Demo community", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": _SCOPES},
            )
            asked = {
                "grant_type": "client_credentials",
                "client_id": app["client_id"],
                "client_secret": app["client_secret"],
                "scope": _SCOPES,
            }
            token = (await self._ask("POST", "/oauth/token", json=asked))["access_token"]
            for person in missing:
                await self._sign_up(person, token)

    async def _sign_up(self, person: Person, app_token: str) -> None:
        password = LOGIN[1] if person.username == LOGIN[0] else f"{person.username} lives in the demo"
        new = {
            "username": person.username,
            "email": f"{person.username}@demo.example",
            "password": password,
            "agreement": True,
            "locale": person.language if person.language in ("en", "de", "es") else "en",
        }
        answer = await self._ask("POST", "/api/v1/accounts", token=app_token, json=new)
        self._tokens[person.username] = answer["access_token"]
        self._state.touch(0o600)
        self._state.write_text(json.dumps(self._tokens))

    async def _settle_in(self, person: Person) -> None:
        """Confirm the address by the mailed link, then say who one is."""
        token = self._tokens[person.username]
        if (await self._send("GET", "/api/v1/accounts/verify_credentials", token=token)).status_code == 403:
            await self._confirm(person)
        files = {
            "avatar": ("avatar.png", await asyncio.to_thread(pictures.avatar, person.username, person.hue), "image/png"),
            "header": ("header.jpg", await asyncio.to_thread(pictures.header, person.username, person.hue), "image/jpeg"),
        }
        fields = {"display_name": person.name, "note": person.bio, "source[language]": person.language}
        account = await self._ask("PATCH", "/api/v1/accounts/update_credentials", token=token, data=fields, files=files)
        self._ids[person.username] = account["id"]
        self._step(person.name)

    async def _confirm(self, person: Person) -> None:
        link = await self._mailed_link(f"{person.username}@demo.example")
        path = link[link.index("/confirm?") :]
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as browser:
            page = await browser.get(path)
            form = {name: unescape(value) for name, value in _HIDDEN.findall(page.text) if name in ("csrf_token", "link")}
            answer = await browser.post("/confirm", data=form)
        if answer.status_code != 303:
            raise LoadError(f"{person.username}'s address can't be confirmed: the page answers {answer.status_code}")

    async def _mailed_link(self, address: str) -> str:
        deadline = time.monotonic() + _MAIL_PATIENCE
        while time.monotonic() < deadline:
            for file in self._mail.glob("*.eml"):
                message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                body = message.get_body(("plain",))
                found = _LINK.search(body.get_content()) if body is not None and str(message["To"]) == address else None
                if found:
                    return found.group()
            await asyncio.sleep(0.2)
        raise LoadError(f"no confirmation mail for {address} in {self._mail}: give the folder of the provider file with --mail")

    async def _follow_all(self) -> None:
        """Everybody follows people of their language and some others; the newcomer follows most."""
        chance = random.Random("follows")  # noqa: S311 - a community, not a secret
        people = list(content.people().values())
        pairs = []
        for person in people:
            for other in people:
                near = person.language == other.language or person.username == LOGIN[0]
                if person != other and chance.random() < (0.8 if near else 0.25):
                    pairs.append((person.username, other.username))
        await self._together(self._follow(one, other) for one, other in pairs)

    async def _follow(self, one: str, other: str) -> None:
        await self._ask("POST", f"/api/v1/accounts/{self._ids[other]}/follow", token=self._tokens[one])

    async def _conversation(self, thread: list[Post]) -> None:
        for post in thread:
            await self._publish(post)

    async def _publish(self, post: Post) -> None:
        token = self._tokens[post.author]
        status: dict[str, Any] = {"status": post.text, "visibility": post.visibility, "spoiler_text": post.warning}
        status["language"] = _language(post)
        if post.parent is not None:
            status["in_reply_to_id"] = self._posted[post.parent]
        if post.picture is not None:
            data = await asyncio.to_thread(pictures.draw, post.picture.kind, post.key)
            file = {"file": ("picture.jpg", data, "image/jpeg")}
            media = await self._ask("POST", "/api/v2/media", token=token, data={"description": post.picture.description}, files=file)
            status["media_ids"] = [media["id"]]
        if post.poll is not None:
            status["poll"] = {"options": post.poll.options, "multiple": post.poll.multiple, "expires_in": _POLL_SECONDS}
        made = await self._ask("POST", "/api/v1/statuses", token=token, json=status, headers={"Idempotency-Key": f"demo-{post.key}"})
        self._posted[post.key] = made["id"]
        self._step(post.author)

    async def _react(self) -> None:
        chance = random.Random("reactions")  # noqa: S311 - a community, not a secret
        names = list(content.people())
        jobs = []
        for post in content.posts():
            if post.visibility == "private":
                continue
            fans = chance.sample(names, chance.choice((0, 0, 1, 2, 3, 5)))
            jobs += [("favourite", name, post.key) for name in fans if name != post.author]
            if post.parent is None and chance.random() < 0.3:
                jobs.append(("reblog", chance.choice([name for name in names if name != post.author]), post.key))
        await self._together(
            self._ask("POST", f"/api/v1/statuses/{self._posted[key]}/{verb}", token=self._tokens[name]) for verb, name, key in jobs
        )

    async def _vote_all(self) -> None:
        """Half of the people vote in each poll; the newcomer has still to."""
        chance = random.Random("votes")  # noqa: S311 - a community, not a secret
        ballots = []
        for post in content.posts():
            if post.poll is not None:
                voters = chance.sample([name for name in content.people() if name not in (post.author, LOGIN[0])], 15)
                most = 2 if post.poll.multiple else 1
                options = range(len(post.poll.options))
                ballots += [(name, post.key, chance.sample(options, chance.randint(1, most))) for name in voters]
        await self._together(self._vote(name, key, choices) for name, key, choices in ballots)

    async def _vote(self, name: str, key: int, choices: list[int]) -> None:
        answer = await self._send("POST", f"/api/v1/polls/{self._posted[key]}/votes", token=self._tokens[name], json={"choices": choices})
        if answer.status_code not in (200, 422):  # 422: they voted when this was loaded before
            raise LoadError(f"a vote is answered {answer.status_code}: {answer.text[:200]}")

    async def _together(self, work: Iterable[Any]) -> None:
        """Some at a time, so that a small machine stays usable."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def gated(job: Any) -> None:
            async with gate:
                await job

        try:
            async with asyncio.TaskGroup() as group:
                for job in work:
                    group.create_task(gated(job))
        except* (LoadError, httpx.HTTPError) as failed:
            first = failed.exceptions[0]
            raise first from None

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = await self._send(method, path, **more)
        if answer.status_code >= 400:
            raise LoadError(f"{method} {path} answers {answer.status_code}: {answer.text[:200]}")
        return answer.json()

    async def _send(
        self, method: str, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request; waits where the server asks to."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        while True:
            answer = await self._client.request(method, path, headers=sent, **more)
            if answer.status_code not in (429, 503):
                return answer
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", "1")), 300))


def _conversations() -> list[list[Post]]:
    """Posts with all their answers, each in order."""
    threads: list[list[Post]] = []
    for post in content.posts():
        if post.parent is None:
            threads.append([])
        threads[-1].append(post)
    return threads


def _language(post: Post) -> str | None:
    """People write their own language among themselves; elsewhere the server finds out."""
    return content.people()[post.author].language if post.parent is None else None
