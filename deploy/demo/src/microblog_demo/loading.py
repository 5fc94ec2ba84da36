"""Loads the community through the public API. What is there already is known again by what it says and stays as it is, so that loading once
more changes nothing, and a load that was broken off goes on."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import httpx

from microblog_demo import LOGIN, content, pictures
from microblog_demo.asking import Asker, LoadError, together
from microblog_demo.content import Community, Person, Post, letters
from microblog_demo.entering import Entrance, Mails

__all__ = ["LoadError", "Loader"]

_POLL_SECONDS: Final = 7 * 24 * 3600


class Loader:
    """One load: `step` is called with a word for everything that was done. `state` keeps the people's tokens, which spares them a log-in."""

    def __init__(self, url: str, mails: Mails, state: Path, step: Callable[[str], None], community: Community | None = None) -> None:
        self._asker = Asker(url)
        self._entrance = Entrance(self._asker, mails, state)
        self._step = step
        self._community = community or content.community()
        self._ids: dict[str, str] = {}
        self._posted: dict[int, str] = {}
        """Ids on the server by the posts' keys."""
        self._media: dict[int, str] = {}

    @staticmethod
    def steps(community: Community | None = None) -> int:
        """How many times `step` will be called."""
        whole = community or content.community()
        return len(whole.people) + len(whole.posts)

    async def load(self) -> None:
        """Do all of it. Raises `LoadError`."""
        try:
            await self._all()
        except httpx.HTTPError as error:
            raise LoadError(f"{self._asker.url} does not answer as it should ({type(error).__name__}): is the stack running?") from error
        finally:
            await self._asker.close()

    async def _all(self) -> None:
        people = self._community.people.values()
        for person in people:
            await self._entrance.enter(person)
        await together(self._settle_in(person) for person in people)
        await together(self._follow(name, wanted) for name, wanted in self._wanted_follows().items())
        await together(self._look_back(person.username) for person in people)
        await self._publish_all()
        favourites, boosts = self._wanted_reactions()
        await together(self._favour(name, keys) for name, keys in favourites.items())
        await self._boost_all(boosts)
        await together(self._vote(name, key, choices) for name, key, choices in self._wanted_votes())

    async def _settle_in(self, person: Person) -> None:
        """Say who one is, unless one did."""
        account = await self._entrance.account(person)
        if account["display_name"] in ("", person.username) and not account["source"]["note"]:
            files = {
                "avatar": ("avatar.png", await asyncio.to_thread(pictures.avatar, person.username, person.hue), "image/png"),
                "header": ("header.jpg", await asyncio.to_thread(pictures.header, person.username, person.hue), "image/jpeg"),
            }
            fields = {"display_name": person.name, "note": person.bio, "source[language]": person.language}
            await self._as(person.username, "PATCH", "/api/v1/accounts/update_credentials", data=fields, files=files)
        self._ids[person.username] = account["id"]
        self._step(person.name)

    def _wanted_follows(self) -> dict[str, list[str]]:
        """Everybody follows people of their language and some others; the newcomer follows most."""
        chance = random.Random("follows")  # noqa: S311 - a community, not a secret
        people = list(self._community.people.values())
        wanted: dict[str, list[str]] = {}
        for person in people:
            for other in people:
                near = person.language == other.language or person.username == LOGIN[0]
                if person != other and chance.random() < (0.8 if near else 0.25):
                    wanted.setdefault(person.username, []).append(other.username)
        return wanted

    async def _follow(self, name: str, wanted: Iterable[str]) -> None:
        followed = {account["id"] for account in await self._pages(name, f"/api/v1/accounts/{self._ids[name]}/following?limit=80")}
        for other in wanted:
            if self._ids[other] not in followed:
                await self._as(name, "POST", f"/api/v1/accounts/{self._ids[other]}/follow")

    async def _look_back(self, name: str) -> None:
        """Know one's posts again by their first words: what was edited since is still the same post."""
        keys = {letters(post.text): post.key for post in self._community.posts if post.author == name}
        for status in await self._pages(name, f"/api/v1/accounts/{self._ids[name]}/statuses?limit=40&exclude_reblogs=true"):
            said = status["content"]
            if status["edited_at"]:
                said = (await self._as(name, "GET", f"/api/v1/statuses/{status['id']}/history"))[0]["content"]
            key = keys.get(letters(said, html=True))
            if key is not None:
                self._posted[key] = status["id"]
                self._step(name)

    async def _publish_all(self) -> None:
        """One post after the other, so that timelines are the same each time; pictures are drawn and sent ahead."""
        missing = [post for post in self._community.posts if post.key not in self._posted]
        await together(self._send_picture(post) for post in missing if post.picture is not None)
        for post in missing:
            await self._publish(post)

    async def _send_picture(self, post: Post) -> None:
        assert post.picture is not None  # noqa: S101
        data = await asyncio.to_thread(pictures.draw, post.picture.kind, post.key)
        file = {"file": ("picture.jpg", data, "image/jpeg")}
        media = await self._as(post.author, "POST", "/api/v2/media", data={"description": post.picture.description}, files=file)
        self._media[post.key] = media["id"]

    async def _publish(self, post: Post) -> None:
        status: dict[str, Any] = {"status": post.text, "visibility": post.visibility, "spoiler_text": post.warning}
        status["language"] = self._language(post)
        if post.parent is not None:
            status["in_reply_to_id"] = self._posted[post.parent]
        if post.picture is not None:
            status["media_ids"] = [self._media[post.key]]
        if post.poll is not None:
            status["poll"] = {"options": post.poll.options, "multiple": post.poll.multiple, "expires_in": _POLL_SECONDS}
        once = {"Idempotency-Key": secrets.token_hex(8)}  # it is sent again when the server says "not now"
        self._posted[post.key] = (await self._as(post.author, "POST", "/api/v1/statuses", json=status, headers=once))["id"]
        self._step(post.author)

    def _language(self, post: Post) -> str | None:
        """People write their own language among themselves; elsewhere the server finds out."""
        return self._community.people[post.author].language if post.parent is None else None

    def _wanted_reactions(self) -> tuple[dict[str, list[int]], list[tuple[str, int]]]:
        """Who likes which posts, and who boosts which, in order."""
        chance = random.Random("reactions")  # noqa: S311 - a community, not a secret
        names = list(self._community.people)
        favourites: dict[str, list[int]] = {}
        boosts = []
        for post in self._community.posts:
            if post.visibility == "private":
                continue
            for name in chance.sample(names, min(len(names), chance.choice((0, 0, 1, 2, 3, 5)))):
                if name != post.author:
                    favourites.setdefault(name, []).append(post.key)
            if post.parent is None and chance.random() < 0.3:
                boosts.append((chance.choice([name for name in names if name != post.author]), post.key))
        return favourites, boosts

    async def _favour(self, name: str, keys: Iterable[int]) -> None:
        liked = {status["id"] for status in await self._pages(name, "/api/v1/favourites?limit=40")}
        for key in keys:
            if self._posted[key] not in liked:
                await self._as(name, "POST", f"/api/v1/statuses/{self._posted[key]}/favourite")

    async def _boost_all(self, boosts: Iterable[tuple[str, int]]) -> None:
        """One after the other, as they are part of timelines, too; boosting again changes nothing."""
        for name, key in boosts:
            await self._as(name, "POST", f"/api/v1/statuses/{self._posted[key]}/reblog")

    def _wanted_votes(self) -> list[tuple[str, int, list[int]]]:
        """Half of the people vote in each poll; the newcomer has still to."""
        chance = random.Random("votes")  # noqa: S311 - a community, not a secret
        ballots = []
        for post in self._community.posts:
            if post.poll is not None:
                others = [name for name in self._community.people if name not in (post.author, LOGIN[0])]
                most = 2 if post.poll.multiple else 1
                options = range(len(post.poll.options))
                ballots += [
                    (name, post.key, chance.sample(options, chance.randint(1, most))) for name in chance.sample(others, len(others) // 2)
                ]
        return ballots

    async def _vote(self, name: str, key: int, choices: list[int]) -> None:
        path = f"/api/v1/polls/{self._posted[key]}/votes"
        answer = await self._asker.send("POST", path, token=self._entrance.tokens[name], json={"choices": choices})
        if answer.status_code not in (200, 422):  # 422: they voted when this was loaded before, or the poll has ended
            raise LoadError(f"a vote is answered {answer.status_code}: {answer.text[:200]}")

    async def _as(self, name: str, method: str, path: str, **more: Any) -> Any:
        return await self._asker.ask(method, path, token=self._entrance.tokens[name], **more)

    async def _pages(self, name: str, path: str) -> list[dict[str, Any]]:
        return await self._asker.pages(path, self._entrance.tokens[name])
