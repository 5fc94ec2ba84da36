"""Lists of posts are walked by nothing but their `Link` headers while people write, delete, mute, block and vanish."""

import random
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from common.events import PostState, TagState
from fastapi import FastAPI
from social.rendering.stored import Stored

if TYPE_CHECKING:
    from .conftest import World

from .conftest import URL

pytestmark = pytest.mark.anyio

READER, FRIEND, MUTED, VANISHING, BLOCKED = range(1, 6)
SEEDS = range(6)
FIRST, LATER, LIMIT = 22, 6, 3


class Town:
    """A reader, whom they follow or not, and what these do; everything has the hashtag, and is liked and kept by the reader if they may."""

    def __init__(self, world: "World", seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.posts: list[PostState] = []
        self.list_id = 0
        self._hiding: list[Callable[[], Awaitable[Any]]] = [
            lambda: world.did(f"accounts/{MUTED}/mute", READER),
            lambda: world.did(f"accounts/{BLOCKED}/block", READER),
            lambda: world.account(VANISHING, version=2, state="suspended"),
        ]

    async def begin(self) -> None:
        await self.world.people("reader", "friend", "muted", "vanishing", "blocked")
        await self.world.follow(READER, FRIEND, MUTED, VANISHING)
        self.list_id = int((await self.world.did("lists", READER, title="all of them"))["id"])
        await self.world.did(f"lists/{self.list_id}/accounts", READER, account_ids=[FRIEND, MUTED, VANISHING, BLOCKED])
        for _ in range(FIRST):
            await self.write()

    async def say(self, author: int) -> PostState:
        post = await self.world.post(author, tags=[TagState(name="tea", display="tea")])
        for deed in ("favourite", "bookmark"):
            await self.world.do(f"statuses/{post.post_id}/{deed}", READER)
        return post

    async def write(self) -> None:
        """A post; every third time the friend boosts an older one as well."""
        self.posts.append(await self.say(self.random.choice([FRIEND, FRIEND, MUTED, VANISHING, BLOCKED])))
        if self.random.random() < 0.3:
            await self.world.do(f"statuses/{self.random.choice(self.posts).post_id}/reblog", FRIEND)

    async def live(self) -> None:
        """What happens while somebody looks at a page."""
        if self.random.random() < 0.6:
            await self.write()
        if self.random.random() < 0.4:
            await self.world.apply(self.world.gone(self.posts.pop(self.random.randrange(len(self.posts)))))
        if self._hiding and self.random.random() < 0.2:
            await self._hiding.pop(self.random.randrange(len(self._hiding)))()

    def ways(self) -> dict[str, str]:
        return {
            "home": "/api/v1/timelines/home",
            "public": "/api/v1/timelines/public",
            "tag": "/api/v1/timelines/tag/tea",
            "several tags": "/api/v1/timelines/tag/cake?any[]=tea",
            "list": f"/api/v1/timelines/list/{self.list_id}",
            "account": f"/api/v1/accounts/{FRIEND}/statuses",
            "favourites": "/api/v1/favourites",
            "bookmarks": "/api/v1/bookmarks",
        }

    async def page(self, address: str) -> tuple[list[int], dict[str, str]]:
        """The ids of a page, and the addresses that lead on by `next` and `prev`."""
        answer = await self.world.client.get(address.removeprefix(URL), headers=self.world.headers(READER))
        assert answer.status_code == 200, answer.text
        return self.world.ids(answer.json()), {
            name: link for link, name in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("link", ""))
        }

    async def whole(self, way: str) -> list[int]:
        """What is there now, on pages as large as can be."""
        found, links = await self.page(_with(way, "limit=40"))
        while "next" in links:
            more, links = await self.page(links["next"])
            found += more
        return found


def _with(address: str, query: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{query}"


@pytest.mark.parametrize("seed", SEEDS)
async def test_going_down_meets_once_what_was_there_at_first_and_is_still(world: "World", seed: int) -> None:
    town = Town(world, seed)
    await town.begin()
    for name, way in town.ways().items():
        before = await town.whole(way)
        found, links = await town.page(_with(way, f"limit={LIMIT}"))
        while "next" in links:
            await town.live()
            more, links = await town.page(links["next"])
            found += more
            assert len(found) <= len(before), name
        after = await town.whole(way)
        assert len(found) == len(set(found)), name
        kept = [an_id for an_id in before if an_id in after]
        assert len(kept) > LIMIT, name
        assert [an_id for an_id in found if an_id in after] == kept, name
        assert set(found) <= set(before), name


@pytest.mark.parametrize("seed", SEEDS)
async def test_going_up_meets_everything_once_and_then_what_is_new(world: "World", seed: int) -> None:
    town = Town(world, seed)
    await town.begin()
    for name, way in town.ways().items():
        found: list[int] = []
        more, links = await town.page(_with(way, f"limit={LIMIT}&min_id=0"))
        last, steps = "", 0
        while links:
            found = more + found
            last, steps = links["prev"], steps + 1
            if steps < LATER:
                await town.live()
            more, links = await town.page(last)
        after = await town.whole(way)
        assert len(found) == len(set(found)), name
        assert [an_id for an_id in found if an_id in after] == after, name
        assert (await town.page(last))[0] == [], name
        post = await town.say(FRIEND)
        assert (await town.page(last))[0] == [post.post_id], name


async def test_up_from_a_page_and_down_again_leads_over_what_came_meanwhile_to_the_same_page(world: "World") -> None:
    town = Town(world, 1)
    await town.begin()
    for name, way in town.ways().items():
        page, links = await town.page(_with(way, f"limit={LIMIT}"))
        for _ in range(2):
            await town.say(FRIEND)
        newer, back = await town.page(links["prev"])
        assert (len(newer), "next" in back) == (2, False), name
        above, back = await town.page(links["prev"].replace(f"limit={LIMIT}", "limit=2"))
        assert above == newer, name
        assert (await town.page(back["next"].replace("limit=2", f"limit={LIMIT}")))[0] == page, name


class Racing(Stored):
    """Keeps nothing, and lets posts be deleted after a page was chosen and before it is written down."""

    def __init__(self, world: "World") -> None:
        super().__init__(URL, most_posts=0)
        self._world = world
        self.doomed: list[PostState] = []

    async def posts(self, *given: Any) -> Any:
        while self.doomed:
            await self._world.apply(self._world.gone(self.doomed.pop()))
        return await super().posts(*given)


@pytest.mark.parametrize("way", ["home", "public", "tag", "several tags", "list", "account", "favourites", "bookmarks"])
async def test_a_page_that_comes_out_empty_leads_on_when_it_is_not_the_last(world: "World", app: FastAPI, way: str) -> None:
    town = Town(world, 1)
    await town.begin()
    address = _with(town.ways()[way], f"limit={LIMIT}")
    posts = [await town.say(FRIEND) for _ in range(3 * LIMIT)]
    app.state.stored = racing = Racing(world)
    first, links = await town.page(address)
    racing.doomed = posts[LIMIT : 2 * LIMIT]
    empty, links = await town.page(links["next"])
    third, _ = await town.page(links["next"])
    assert (first, empty, third) == ([p.post_id for p in posts[: -LIMIT - 1 : -1]], [], [p.post_id for p in posts[LIMIT - 1 :: -1]])
    assert (await town.page(links["prev"]))[0] == first


async def test_a_page_of_people_who_vanished_leads_on_to_the_others(world: "World") -> None:
    ada, *people = await world.people("ada", *(f"person{n}" for n in range(7)))
    a_list = (await world.did("lists", ada, title="people"))["id"]
    for person in people:
        await world.follow(person, ada)
        await world.did(f"lists/{a_list}/accounts", ada, account_ids=[person])
    for person in people[2:5]:
        await world.account(person, version=2, state="suspended")
    town = Town(world, 1)
    for way in (f"/api/v1/lists/{a_list}/accounts?limit=2", f"/api/v1/accounts/{ada}/followers?limit=2"):
        pages, links = [], {"next": way}
        while "next" in links:
            found, links = await town.page(links["next"])
            pages.append(found)
        assert pages == [[people[6], people[5]], [], [people[1]], [people[0]]], way
