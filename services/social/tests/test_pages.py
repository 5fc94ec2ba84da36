"""Lists are walked by their `Link` header, every entry exactly once; and the hottest pages are read along their indexes."""

import re
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from common.events import TagState
from social.feeds import queries

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

SIZE = 8
LISTS = {
    "home": "/api/v1/timelines/home",
    "public": "/api/v1/timelines/public",
    "tag": "/api/v1/timelines/tag/tag",
    "account": "/api/v1/accounts/1/statuses",
    "favourites": "/api/v1/favourites",
    "bookmarks": "/api/v1/bookmarks",
    "followers": "/api/v1/accounts/1/followers",
    "following": "/api/v1/accounts/1/following",
    "blocks": "/api/v1/blocks",
    "mutes": "/api/v1/mutes",
    "requests": "/api/v1/follow_requests",
    "own_endorsements": "/api/v1/endorsements",
    "endorsements": "/api/v1/accounts/1/endorsements",
    "favourited_by": "/api/v1/statuses/{post}/favourited_by",
    "reblogged_by": "/api/v1/statuses/{post}/reblogged_by",
}


@pytest.fixture
async def crowd(world: "World") -> tuple["World", int]:
    """Ada, whose lists have eight entries each, and a stranger's post with eight reactions, which is in no feed of hers."""
    ada, stranger, *others = await world.people("ada", "stranger", *(f"person{n}" for n in range(SIZE)))
    muted = await world.people(*(f"muted{n}" for n in range(SIZE)))
    tags = [TagState(name="tag", display="tag")]
    blocked = await world.people(*(f"blocked{n}" for n in range(SIZE)))
    posts, reacted = [await world.post(ada, tags=tags) for _ in range(SIZE)], await world.post(stranger, visibility="unlisted")
    for number, person in enumerate(others):
        await world.follow(person, ada)
        await world.follow(ada, person)
        await world.did(f"accounts/{person}/endorse", ada)
        await world.did(f"accounts/{person}/follow", ada, reblogs=False)
        await world.did(f"accounts/{blocked[number]}/block", ada)
        await world.did(f"accounts/{muted[number]}/mute", ada)
        await world.did(f"statuses/{reacted.post_id}/favourite", person)
        await world.did(f"statuses/{reacted.post_id}/reblog", person)
        await world.did(f"statuses/{posts[number].post_id}/favourite", ada)
        await world.did(f"statuses/{posts[number].post_id}/bookmark", ada)
        await world.run("INSERT INTO follow_requests (follower_id, followed_id) VALUES (:who, :whom)", who=person, whom=ada)
    return world, reacted.post_id


async def page(world: "World", address: str) -> tuple[list[int], dict[str, str]]:
    """The ids of a page, and the addresses that lead on by `next` and `prev`."""
    answer = await world.client.get(address.removeprefix("https://microblog.example"), headers=world.headers(1))
    assert answer.status_code == 200, answer.text
    links = re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("link", ""))
    return world.ids(answer.json()), {name: link for link, name in links}


async def walk(world: "World", address: str, way: str) -> list[list[int]]:
    """All pages from here."""
    pages = []
    while True:
        ids, links = await page(world, address)
        if ids:
            pages.append(ids)
        if way not in links:
            return pages
        address = links[way]


async def test_a_walk_through_a_list_meets_every_entry_once(crowd: tuple["World", int], subtests: pytest.Subtests) -> None:
    world, post = crowd
    for name, path in LISTS.items():
        with subtests.test(name):
            address = path.format(post=post)
            whole, _ = await page(world, f"{address}?limit=40")
            assert len(whole) == len(set(whole)) == SIZE
            down = await walk(world, f"{address}?limit=3", "next")
            assert ([len(ids) for ids in down], [*chain(*down)]) == ([3, 3, 2], whole)


async def test_a_list_is_walked_upwards_from_its_end_as_well(crowd: tuple["World", int], subtests: pytest.Subtests) -> None:
    world, post = crowd
    for name, path in LISTS.items():
        with subtests.test(name):
            address = path.format(post=post)
            whole, _ = await page(world, f"{address}?limit=40")
            up = await walk(world, f"{address}?limit=3&min_id=0", "prev")
            assert ([len(ids) for ids in up], [*chain(*reversed(up))]) == ([3, 3, 2], whole)


async def test_since_id_gives_the_newest_and_min_id_the_nearest(world: "World") -> None:
    (ada,) = await world.people("ada")
    oldest, *newer = [(await world.post(ada)).post_id for _ in range(6)]
    assert await world.home(ada, since_id=oldest, limit=2) == [newer[4], newer[3]]
    assert await world.home(ada, min_id=oldest, limit=2) == [newer[1], newer[0]]
    assert await world.home(ada, since_id=newer[0], max_id=newer[3]) == [newer[2], newer[1]]


async def test_links_keep_what_the_page_was_asked_with_and_end_with_the_list(world: "World") -> None:
    (ada,) = await world.people("ada")
    posts = [(await world.post(ada)).post_id for _ in range(3)]
    answer = await world.get(f"/api/v1/accounts/{ada}/statuses", limit=2, exclude_replies="true", max_id=posts[2] + 1)
    base = f"https://microblog.example/api/v1/accounts/{ada}/statuses?limit=2&exclude_replies=true"
    assert answer.headers["link"] == f'<{base}&max_id={posts[1]}>; rel="next", <{base}&min_id={posts[2]}>; rel="prev"'
    last = await world.get(f"/api/v1/accounts/{ada}/statuses", limit=2, max_id=posts[1])
    assert ('rel="next"' in last.headers["link"], 'rel="prev"' in last.headers["link"]) == (False, True)
    assert "link" not in (await world.get(f"/api/v1/accounts/{ada}/statuses", max_id=posts[0])).headers


@pytest.mark.parametrize("query", [{"max_id": "x"}, {"min_id": "-1"}, {"limit": "many"}, {"since_id": "٣"}], ids=str)
async def test_a_page_that_makes_no_sense_is_refused(world: "World", query: dict[str, str]) -> None:
    answer = await world.get("/api/v1/timelines/public", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_page")


async def test_a_page_is_never_longer_than_the_most(world: "World") -> None:
    (ada,) = await world.people("ada")
    for _ in range(42):
        await world.post(ada)
    assert len(await world.home(ada, limit=1000, max_id="9" * 30)) == 40
    assert len(await world.home(ada)) == 20


async def test_boosts_of_hidden_posts_hide_no_other_entries_of_an_account(world: "World") -> None:
    hidden, author, booster = await world.people("hidden", "author", "booster")
    shown = await world.post(author)
    boost = int((await world.did(f"statuses/{shown.post_id}/reblog", booster))["id"])
    for _ in range(4):
        await world.did(f"statuses/{(await world.post(hidden)).post_id}/reblog", booster)
    own = [(await world.post(booster)).post_id for _ in range(4)]
    await world.account(hidden, version=2, state="suspended")
    walked = await walk(world, f"/api/v1/accounts/{booster}/statuses?limit=3", "next")
    assert [*chain(*walked)] == [*reversed(own), boost]


async def fill(world: "World") -> None:
    """A few thousand posts, boosts and entries: everybody follows the 40 next people."""
    statements = [
        """INSERT INTO profiles (account_id, username, created_at, shown, account_version, head)
           SELECT n, 'person' || n, now(), true, 1, '"id":"x"' FROM generate_series(1, 200) n""",
        "INSERT INTO profile_counts (account_id) SELECT n FROM generate_series(1, 200) n",
        """INSERT INTO follows (follower_id, followed_id)
           SELECT n, (n + k - 1) % 200 + 1 FROM generate_series(1, 200) n, generate_series(1, 40) k""",
        """INSERT INTO snapshots (post_id, version, previous_version, deleted, author_id, created_at, visibility, has_media, head, content)
           SELECT n, 1, 0, false, n % 200 + 1, now(), CASE WHEN n % 7 = 0 THEN 'private' ELSE 'public' END, false, '"id":"x"', '"content":"x"'
           FROM generate_series(1, 6000) n""",
        "INSERT INTO post_counts (post_id) SELECT n FROM generate_series(1, 6000) n",
        "INSERT INTO boosts (id, account_id, post_id, visibility) SELECT 10000 + n, n % 200 + 1, n * 2, 'public' FROM generate_series(1, 2000) n",
        """INSERT INTO feed_entries (owner_id, entry_id, post_id)
           SELECT f.follower_id, s.post_id, s.post_id FROM follows f JOIN snapshots s ON s.author_id = f.followed_id WHERE f.follower_id <= 20""",
        """INSERT INTO feed_entries (owner_id, entry_id, post_id, booster_id)
           SELECT f.follower_id, b.id, b.post_id, b.account_id FROM follows f JOIN boosts b ON b.account_id = f.followed_id WHERE f.follower_id <= 20
           ON CONFLICT DO NOTHING""",
        "INSERT INTO favourites (account_id, post_id) SELECT n % 200 + 1, n FROM generate_series(1, 3000) n",
    ]
    for statement in statements:
        await world.run(statement)
    await world.run("ANALYZE")


async def plan(world: "World", statement: str, **parameters: Any) -> list[dict[str, Any]]:
    """What PostgreSQL did to answer, with the plan and the settings of the product's connections: all nodes, the top one first."""
    names: list[str] = []

    def number(match: "re.Match[str]") -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    prepared = re.sub(r"%\((\w+)\)s", number, statement)
    values = ", ".join("NULL" if parameters[name] is None else str(parameters[name]) for name in names)
    async with world.database.reading() as connection:
        await connection.execute(f"PREPARE page AS {prepared}")  # type: ignore[call-overload]
        rows = await (await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page({values})")).fetchall()  # type: ignore[call-overload]
        await connection.execute("DEALLOCATE page")
    nodes = [rows[0][0][0]["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
    return nodes


BIG = {
    "snapshots",
    "feed_entries",
    "boosts",
    "favourites",
    "follows",
    "post_counts",
    "profiles",
    "profile_counts",
    "hashtags",
    "list_members",
}


def reads(nodes: list[dict[str, Any]]) -> dict[str, float]:
    """How many rows of each large table were looked at; never without an index."""
    read = [node for node in nodes if node.get("Relation Name") in BIG and node["Actual Loops"]]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}
    rows: dict[str, float] = defaultdict(float)
    for node in read:
        rows[node["Relation Name"]] += (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return rows


@pytest.mark.parametrize("way", [False, True], ids=["newest", "upwards"])
@pytest.mark.parametrize("name", ["home", "home with pulled authors", "account", "public"])
async def test_a_hot_page_touches_only_what_it_shows(world: "World", name: str, way: bool) -> None:
    await fill(world)
    # Two of those whom viewer 3 follows: their posts are in the feed from before, and are read both ways.
    await world.run("INSERT INTO pulled_authors (author_id) VALUES (5), (6)")
    statements = {"home": queries._HOME_PAGE[False], "home with pulled authors": queries._HOME_PAGE[True]}
    statement = (statements | {"account": queries._ACCOUNT_PAGE, "public": queries._PUBLIC_PAGE})[name][way]
    more: dict[str, Any] = {"account": 5, "exclude_replies": False, "exclude_reblogs": False, "only_media": False, "tagged": None}
    nodes = await plan(world, statement.text, viewer=3, below=5000, above=0 if not way else 100, limit=20, **more)
    assert nodes[0]["Actual Rows"] == 20
    read = [node for node in nodes if node.get("Relation Name") in BIG and node["Actual Loops"]]
    assert reads(nodes).keys() >= {"snapshots", "profiles", "post_counts"}
    assert max((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in read) <= 100


@pytest.mark.parametrize("way", [False, True], ids=["newest", "upwards"])
async def test_a_list_of_five_hundred_reads_one_entry_of_each_member_and_a_page_of_a_few(world: "World", way: bool) -> None:
    await fill(world)
    await world.run("INSERT INTO lists (id, owner_id, title, replies_policy, exclusive) VALUES (7, 3, 'many', 'list', false)")
    await world.run("INSERT INTO list_members (list_id, account_id) SELECT 7, n FROM generate_series(1, 500) n")
    await world.run("""
        INSERT INTO profiles (account_id, username, created_at, shown, account_version, head)
        SELECT n, 'person' || n, now(), true, 1, '"id":"x"' FROM generate_series(201, 500) n
    """)
    await world.run("""
        INSERT INTO snapshots (post_id, version, previous_version, deleted, author_id, created_at, visibility, has_media, head, content)
        SELECT 6000 + n, 1, 0, false, n % 300 + 201, now(), 'public', false, '"id":"x"', '"content":"x"' FROM generate_series(1, 30000) n
    """)
    await world.run("ANALYZE")
    nodes = await plan(world, queries._LIST_PAGE[way].text, viewer=3, list=7, replies="'list'", below=10**6, above=0, limit=20)
    assert nodes[0]["Actual Rows"] == 20
    rows = reads(nodes)
    assert rows["snapshots"] <= 4_000
    assert sum(rows.values()) <= 10_000


@pytest.mark.parametrize("way", [False, True], ids=["newest", "upwards"])
@pytest.mark.parametrize(
    ("names", "every", "none"),
    [("common,often", "", ""), ("common", "seldom,common", ""), ("common", "", "often")],
    ids=["any", "all", "none"],
)
async def test_several_hashtags_are_read_as_far_as_the_page_goes(world: "World", names: str, every: str, none: str, way: bool) -> None:
    await fill(world)
    await world.run("INSERT INTO hashtags (name, post_id, account_id) SELECT 'common', n, n % 200 + 1 FROM generate_series(1, 6000) n")
    await world.run("INSERT INTO hashtags (name, post_id, account_id) SELECT 'often', n, n % 200 + 1 FROM generate_series(1, 6000, 3) n")
    await world.run("INSERT INTO hashtags (name, post_id, account_id) SELECT 'seldom', n, n % 200 + 1 FROM generate_series(3, 6000, 150) n")
    await world.run("ANALYZE")
    arrays = {name: f"'{{{given}}}'" for name, given in (("names", names), ("every", every), ("none", none))}
    nodes = await plan(world, queries._TAGS_PAGE[way].text, viewer=3, below=10**6, above=0, limit=20, only_media=False, **arrays)
    assert nodes[0]["Actual Rows"] == 20
    rows = reads(nodes)
    assert rows["snapshots"] <= 100
    assert rows["hashtags"] <= (1_500 if every else 300)
