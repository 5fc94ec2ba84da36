"""Lists: who may be in them, what they show, and what exclusive ones keep out of the home feed."""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from common.events import PostState, TagState
from social.lists.domain import MOST_LISTS, MOST_MEMBERS
from social.rebuilding import _fill_feeds

if TYPE_CHECKING:
    from .conftest import World

from .test_upkeep import pulled, stored, went_away

pytestmark = pytest.mark.anyio


async def call(world: "World", method: str, path: str, caller: int, **body: Any) -> httpx.Response:
    return await world.client.request(method, f"/api/v1/{path}", json=body, headers=world.headers(caller))


async def changed(world: "World", method: str, path: str, caller: int, **body: Any) -> Any:
    answer = await call(world, method, path, caller, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def make_list(world: "World", owner: int, *members: int, **more: Any) -> int:
    """A list with these people in it."""
    made = await world.did("lists", owner, **{"title": "friends", **more})
    await add(world, owner, int(made["id"]), *members)
    return int(made["id"])


async def add(world: "World", owner: int, a_list: int, *members: int) -> None:
    assert await world.did(f"lists/{a_list}/accounts", owner, account_ids=[str(member) for member in members]) == {}


async def remove(world: "World", owner: int, a_list: int, *members: int) -> None:
    assert await changed(world, "DELETE", f"lists/{a_list}/accounts", owner, account_ids=[str(member) for member in members]) == {}


async def members(world: "World", owner: int, a_list: int) -> list[int]:
    return world.ids(await world.show(f"/api/v1/lists/{a_list}/accounts", owner, limit=0))


async def shown(world: "World", owner: int, a_list: int, **query: Any) -> list[int]:
    """Ids of the posts in a list, newest entry first; what a boost wraps stands for it."""
    statuses = await world.show(f"/api/v1/timelines/list/{a_list}", owner, **query)
    return [int((status["reblog"] or status)["id"]) for status in statuses]


# Lists themselves


async def test_a_list_is_made_changed_and_deleted(world: "World") -> None:
    (ada,) = await world.people("ada")
    made = await world.did("lists", ada, title="  close\nfriends ")
    assert made == {"id": made["id"], "title": "close friends", "replies_policy": "list", "exclusive": False}
    other = await world.did("lists", ada, title="news", replies_policy="none", exclusive=True)
    assert await world.show("/api/v1/lists", ada) == [made, other]
    renamed = await changed(world, "PUT", f"lists/{made['id']}", ada, title="friends")
    assert renamed == {**made, "title": "friends"}
    assert await changed(world, "PUT", f"lists/{made['id']}", ada, replies_policy="followed") == {**renamed, "replies_policy": "followed"}
    assert (await world.show(f"/api/v1/lists/{made['id']}", ada))["title"] == "friends"
    assert await changed(world, "DELETE", f"lists/{made['id']}", ada) == {}
    assert (await call(world, "DELETE", f"lists/{made['id']}", ada)).status_code == 404
    assert await world.show("/api/v1/lists", ada) == [other]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "blank_title"),
        ({"title": " "}, "blank_title"),
        ({"title": "x" * 257}, "title_too_long"),
        ({"title": "x", "replies_policy": "all"}, "unknown_replies_policy"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(world: "World", given: dict[str, Any], code: str) -> None:
    (ada,) = await world.people("ada")
    answer = await world.do("lists", ada, **given)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    a_list = await make_list(world, ada)
    if given:
        answer = await call(world, "PUT", f"lists/{a_list}", ada, **given)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_somebody_elses_list_is_not_there(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    a_list = await make_list(world, ada, bob)
    for method, path, body in (
        ("GET", f"lists/{a_list}", {}),
        ("PUT", f"lists/{a_list}", {"title": "mine"}),
        ("DELETE", f"lists/{a_list}", {}),
        ("GET", f"lists/{a_list}/accounts", {}),
        ("POST", f"lists/{a_list}/accounts", {"account_ids": [str(ada)]}),
        ("DELETE", f"lists/{a_list}/accounts", {"account_ids": [str(bob)]}),
        ("GET", f"timelines/list/{a_list}", {}),
    ):
        assert (await call(world, method, path, bob, **body)).status_code == 404, (method, path)
    assert await world.show("/api/v1/lists", bob) == await world.show(f"/api/v1/accounts/{bob}/lists", bob) == []
    assert await members(world, ada, a_list) == [bob]


async def test_lists_need_a_person_with_the_scope(world: "World") -> None:
    (ada,) = await world.people("ada")
    a_list = await make_list(world, ada)
    reads = ["lists", f"lists/{a_list}", f"lists/{a_list}/accounts", f"timelines/list/{a_list}", f"accounts/{ada}/lists"]
    writes = [("PUT", f"lists/{a_list}"), ("POST", f"lists/{a_list}/accounts"), ("DELETE", f"lists/{a_list}/accounts"), ("POST", "lists")]
    for method, path, scope in [*(("GET", path, "read:lists") for path in reads), *((*write, "write:lists") for write in writes)]:
        assert (await call(world, method, path, 0)).status_code == 401, path
        for scopes, status in (({"follow", "read:statuses", "write:statuses"}, 403), ({scope}, 200)):
            headers = world.headers(ada, scopes=frozenset(scopes))
            answer = await world.client.request(
                method, f"/api/v1/{path}", json={"title": "x"} if method != "GET" else None, headers=headers
            )
            assert answer.status_code == status, (method, path)


async def test_there_are_fifty_lists_and_no_more_however_many_are_made_at_once(world: "World") -> None:
    (ada,) = await world.people("ada")
    await world.run(
        "INSERT INTO lists (owner_id, title, replies_policy, exclusive) SELECT 1, 'x', 'list', false FROM generate_series(1, 48)"
    )
    answers = await asyncio.gather(*(world.do("lists", ada, title="one more") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 422, 422, 422, 422]
    assert len(await world.show("/api/v1/lists", ada)) == MOST_LISTS


# Members


async def test_people_are_added_and_removed_once_and_nobody_is_told(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    a_list = await make_list(world, ada, bob)
    await asyncio.gather(*(add(world, ada, a_list, cleo, bob) for _ in range(4)))
    assert await members(world, ada, a_list) == [cleo, bob]
    assert world.ids(await world.show(f"/api/v1/accounts/{cleo}/lists", ada)) == [a_list]
    assert await world.show(f"/api/v1/accounts/{cleo}/lists", cleo) == []
    await asyncio.gather(*(remove(world, ada, a_list, bob) for _ in range(4)))
    assert await members(world, ada, a_list) == [cleo]
    assert await world.notices(bob) == await world.notices(cleo) == []


async def test_a_form_may_name_people_as_rails_does(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    a_list = await make_list(world, ada)
    path = f"/api/v1/lists/{a_list}/accounts"
    assert (await world.client.post(path, data={"account_ids[]": [str(bob), str(cleo)]}, headers=world.headers(ada))).status_code == 200
    assert (await world.client.delete(path, params={"account_ids[]": str(bob)}, headers=world.headers(ada))).status_code == 200
    assert await members(world, ada, a_list) == [cleo]


async def test_members_are_told_by_the_page_or_all_at_once(world: "World") -> None:
    ada, *people = await world.people("ada", *(f"person{n}" for n in range(45)))
    a_list = await make_list(world, ada, *people)
    first = await world.get(f"/api/v1/lists/{a_list}/accounts", ada)
    assert (len(first.json()), first.headers["link"].count("rel=")) == (40, 2)
    whole = await world.get(f"/api/v1/lists/{a_list}/accounts", ada, limit=0)
    assert (world.ids(whole.json()), "link" in whole.headers) == (people[::-1], False)


async def test_who_is_not_there_is_not_added_and_nobody_with_them(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    hidden = await world.person("hidden", state="suspended")
    a_list = await make_list(world, ada)
    for stranger in (999, hidden):
        answer = await world.do(f"lists/{a_list}/accounts", ada, account_ids=[str(bob), str(stranger)])
        assert answer.status_code == 404
    assert (await world.do(f"lists/{a_list}/accounts", ada, account_ids=["bob"])).status_code == 422
    assert await members(world, ada, a_list) == []
    assert (await world.get(f"/api/v1/accounts/{hidden}/lists", ada)).status_code == 404


@pytest.mark.parametrize("blocker", ["owner", "member"])
async def test_a_block_takes_people_out_of_each_others_lists_and_keeps_them_out(world: "World", blocker: str) -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    adas, bobs = await make_list(world, ada, bob, cleo), await make_list(world, bob, ada, cleo)
    by, whom = (ada, bob) if blocker == "owner" else (bob, ada)
    await world.did(f"accounts/{whom}/block", by)
    assert await members(world, ada, adas) == await members(world, bob, bobs) == [cleo]
    for owner, a_list, other in ((ada, adas, bob), (bob, bobs, ada)):
        answer = await world.do(f"lists/{a_list}/accounts", owner, account_ids=[str(other)])
        assert (answer.status_code, answer.json()["code"]) == (403, "blocked")
    await world.did(f"accounts/{whom}/unblock", by)
    assert await members(world, ada, adas) == [cleo]
    await add(world, ada, adas, bob)
    assert await members(world, ada, adas) == [bob, cleo]


async def test_nobody_is_in_a_list_of_somebody_whom_they_blocked_at_the_same_time(world: "World") -> None:
    ada, *others = await world.people("ada", *(f"person{n}" for n in range(8)))
    a_list = await make_list(world, ada)
    adding = [world.do(f"lists/{a_list}/accounts", ada, account_ids=[str(other)]) for other in others]
    blocking = [world.do(f"accounts/{ada}/block", other) for other in others]
    answers = await asyncio.gather(*(deed for pair in zip(adding, blocking, strict=True) for deed in pair))
    assert {answer.status_code for answer in answers} <= {200, 403}
    assert await members(world, ada, a_list) == []


async def test_a_list_has_five_hundred_members_at_most(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    a_list = await make_list(world, ada)
    await world.run("INSERT INTO list_members (list_id, account_id) SELECT :list, n FROM generate_series(1001, 1499) n", list=a_list)
    answers = await asyncio.gather(*(world.do(f"lists/{a_list}/accounts", ada, account_ids=[str(one)]) for one in (bob, cleo)))
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    (refused,) = (answer for answer in answers if answer.status_code == 422)
    assert refused.json()["error"] == "Validation failed: A list has 500 members at most"
    assert await world.rows("SELECT count(*) FROM list_members") == [(MOST_MEMBERS,)]
    many = await world.do(f"lists/{a_list}/accounts", ada, account_ids=[str(n) for n in range(2000, 2501)])
    assert many.json()["code"] == "too_many_members"


async def test_lists_go_with_their_owner_and_memberships_with_the_member(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    await make_list(world, ada, bob, exclusive=True)
    bobs = await make_list(world, bob, ada, cleo)
    await world.account(ada, version=2, deleted=True)
    assert await world.rows("SELECT id FROM lists") == [(bobs,)]
    assert await world.rows("SELECT list_id, account_id FROM list_members") == [(bobs, cleo)]


async def test_a_list_may_change_while_its_members_are_erased(world: "World") -> None:
    ada, dora, *people = await world.people("ada", "dora", *(f"person{n}" for n in range(6)))
    await world.follow(ada, *people)
    a_list = await make_list(world, ada, *people)
    for person in people:
        await say_everything(world, person, dora)
    changes = [call(world, "PUT", f"lists/{a_list}", ada, exclusive=n % 2 == 0) for n in range(6)]
    erasures = [world.account(person, version=2, deleted=True) for person in people]
    done = await asyncio.gather(*(deed for pair in zip(changes, erasures, strict=True) for deed in pair))
    assert {answer.status_code for answer in done if answer is not None} == {200}
    for table in ("list_members", "follows", "feed_entries WHERE booster_id IS NOT NULL"):
        assert await world.rows(f"SELECT 1 FROM {table}") == []


# What a list shows


async def test_a_list_shows_what_its_members_say_whether_they_are_followed_or_not(world: "World") -> None:
    ada, friend, stranger, other = await world.people("ada", "friend", "stranger", "other")
    await world.follow(ada, friend)
    a_list = await make_list(world, ada, friend, stranger)
    visible = {
        author: [
            (await world.post(author, visibility=visibility, usernames=["ada"] if named else [])).post_id
            for visibility, named in (("public", False), ("unlisted", False), ("private", False), ("private", True), ("direct", True))
        ]
        for author in (friend, stranger)
    }
    await world.post(other)
    assert await shown(world, ada, a_list) == [visible[stranger][n] for n in (3, 1, 0)] + visible[friend][3::-1]
    await world.did(f"accounts/{friend}/unfollow", ada)
    assert await shown(world, ada, a_list) == [visible[author][n] for author in (stranger, friend) for n in (3, 1, 0)]
    await remove(world, ada, a_list, friend)
    assert await shown(world, ada, a_list) == [visible[stranger][n] for n in (3, 1, 0)]


async def test_ones_own_posts_are_in_a_list_that_one_is_in(world: "World") -> None:
    (ada,) = await world.people("ada")
    a_list = await make_list(world, ada, ada, exclusive=True)
    post = await world.post(ada, visibility="private")
    assert await shown(world, ada, a_list) == await world.home(ada) == [post.post_id]
    await changed(world, "DELETE", f"lists/{a_list}", ada)
    assert await world.home(ada) == [post.post_id]


@pytest.mark.parametrize(
    ("policy", "answers"), [("none", {"own", "owner"}), ("list", {"own", "owner", "member"}), ("followed", {"own", "owner", "followed"})]
)
async def test_a_list_shows_answers_as_its_policy_says(world: "World", policy: str, answers: set[str]) -> None:
    ada, speaker, member, followed, stranger = await world.people("ada", "speaker", "member", "followed", "stranger")
    await world.follow(ada, followed)
    a_list = await make_list(world, ada, speaker, member, replies_policy=policy)
    asked = {name: await world.post(author) for name, author in (("owner", ada), ("followed", followed), ("stranger", stranger))}
    asked |= {"own": await world.post(speaker), "member": await world.post(member)}
    said = {name: (await world.answer(speaker, post)).post_id for name, post in asked.items()}
    found = await shown(world, ada, a_list)
    assert {name for name, post_id in said.items() if post_id in found} == answers
    assert {asked["own"].post_id, asked["member"].post_id} < set(found)


async def test_boosts_of_members_are_in_the_list_once_and_only_what_one_may_see(world: "World") -> None:
    ada, bob, cleo, author, blocked = await world.people("ada", "bob", "cleo", "author", "blocked")
    a_list = await make_list(world, ada, bob, cleo)
    post, bobs, unseen, private = await world.post(author), await world.post(bob), await world.post(blocked), await world.post(author)
    await world.did(f"accounts/{blocked}/block", ada)
    for booster in (bob, cleo):
        await world.did(f"statuses/{post.post_id}/reblog", booster)
        await world.did(f"statuses/{unseen.post_id}/reblog", booster)
    await world.did(f"statuses/{bobs.post_id}/reblog", cleo)
    await world.did(f"statuses/{private.post_id}/reblog", cleo, visibility="private")
    (entry, own) = await world.show(f"/api/v1/timelines/list/{a_list}", ada)
    assert (entry["account"]["acct"], entry["reblog"]["id"], own["id"]) == ("bob", str(post.post_id), str(bobs.post_id))
    await world.follow(ada, cleo)
    assert await shown(world, ada, a_list) == [private.post_id, post.post_id, bobs.post_id]
    await world.did(f"accounts/{cleo}/follow", ada, reblogs=False)
    await world.did(f"accounts/{bob}/mute", ada)
    assert await shown(world, ada, a_list) == []


async def test_whose_boosts_one_does_not_want_hide_nobody_elses(world: "World") -> None:
    ada, bob, cleo, author = await world.people("ada", "bob", "cleo", "author")
    a_list = await make_list(world, ada, bob, cleo)
    post = await world.post(author)
    for booster in (bob, cleo):
        await world.did(f"statuses/{post.post_id}/reblog", booster)
    await world.did(f"accounts/{bob}/follow", ada, reblogs=False)
    (entry,) = await world.show(f"/api/v1/timelines/list/{a_list}", ada)
    assert entry["account"]["acct"] == "cleo"


async def test_a_muted_member_is_silent_and_one_who_is_hidden_too(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    a_list = await make_list(world, ada, bob, cleo)
    bobs, cleos = await world.post(bob), await world.post(cleo)
    await world.did(f"accounts/{bob}/mute", ada)
    assert await shown(world, ada, a_list) == [cleos.post_id]
    await world.account(cleo, version=2, state="suspended")
    assert await shown(world, ada, a_list) == []
    assert await members(world, ada, a_list) == [bob]
    await world.did(f"accounts/{bob}/unmute", ada)
    assert await shown(world, ada, a_list) == [bobs.post_id]


async def test_what_speaks_of_somebody_whom_one_blocks_is_in_no_list_either(world: "World") -> None:
    ada, bob, cleo, eve = await world.people("ada", "bob", "cleo", "eve")
    a_list = await make_list(world, ada, bob, cleo)
    about, other = await world.post(bob, usernames=["eve"]), await world.post(bob)
    boosted = await world.post((await world.people("dora"))[0], usernames=["eve"])
    await world.did(f"statuses/{boosted.post_id}/reblog", cleo)
    assert await shown(world, ada, a_list) == [boosted.post_id, other.post_id, about.post_id]
    await world.did(f"accounts/{eve}/block", ada)
    assert await shown(world, ada, a_list) == [other.post_id]


# Exclusive lists


async def say_everything(world: "World", author: int, other: int) -> tuple[PostState, PostState]:
    """A post, and a boost of another's."""
    post, theirs = await world.post(author, tags=[TagState(name="tea", display="tea")]), await world.post(other)
    await world.did(f"statuses/{theirs.post_id}/reblog", author)
    return post, theirs


async def test_what_members_of_an_exclusive_list_say_is_not_at_home(world: "World") -> None:
    ada, bob, cleo, dora = await world.people("ada", "bob", "cleo", "dora")
    await world.follow(ada, bob, dora)
    a_list = await make_list(world, ada, bob, exclusive=True)
    await world.post(bob, visibility="direct", usernames=["ada"])
    posts = [post.post_id for post in await say_everything(world, bob, cleo)]
    doras = await world.post(dora)
    assert await world.home(ada) == await stored(world, ada) == [doras.post_id]
    assert await shown(world, ada, a_list) == posts[::-1]


@pytest.mark.parametrize("way", ["removed", "switched", "deleted"])
async def test_what_left_home_comes_back_when_the_list_is_exclusive_no_more(world: "World", way: str) -> None:
    ada, bob, cleo, dora = await world.people("ada", "bob", "cleo", "dora")
    await world.follow(ada, bob, dora)
    before = [post.post_id for post in await say_everything(world, bob, cleo)]
    doras = await world.post(dora)
    a_list = await make_list(world, ada, dora, bob)
    assert await world.home(ada) == [doras.post_id, *before[::-1]]
    await remove(world, ada, a_list, dora)
    for _ in range(2):
        await changed(world, "PUT", f"lists/{a_list}", ada, exclusive=True)
        assert await world.home(ada) == [doras.post_id]
    meanwhile = await world.post(bob)
    assert await world.home(ada) == [doras.post_id]
    if way == "removed":
        await remove(world, ada, a_list, bob)
    elif way == "switched":
        await changed(world, "PUT", f"lists/{a_list}", ada, exclusive=False)
    else:
        await changed(world, "DELETE", f"lists/{a_list}", ada)
    assert await world.home(ada) == [meanwhile.post_id, doras.post_id, *before[::-1]]
    now_again = await world.post(bob)
    assert await world.home(ada, limit=1) == [now_again.post_id]


async def test_who_is_in_two_exclusive_lists_comes_home_when_they_left_both(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    post = await world.post(bob)
    lists = [await make_list(world, ada, bob, exclusive=True) for _ in range(2)]
    await remove(world, ada, lists[0], bob)
    assert await world.home(ada) == []
    await changed(world, "DELETE", f"lists/{lists[1]}", ada)
    assert await world.home(ada) == [post.post_id]


async def test_following_a_member_of_an_exclusive_list_brings_nothing_home(world: "World") -> None:
    ada, bob, cleo = await world.people("ada", "bob", "cleo")
    a_list = await make_list(world, ada, bob, exclusive=True)
    posts = await say_everything(world, bob, cleo)
    await world.follow(ada, bob)
    assert await world.home(ada) == []
    later = await world.post(bob)
    assert await world.home(ada) == []
    await remove(world, ada, a_list, bob)
    assert await world.home(ada) == [later.post_id, posts[1].post_id, posts[0].post_id]


async def test_members_of_exclusive_lists_stay_out_of_feeds_that_are_filled_again(world: "World") -> None:
    ada, bob, cleo, dora = await world.people("ada", "bob", "cleo", "dora")
    await world.follow(ada, bob, dora)
    await world.did("tags/tea/follow", ada)
    await make_list(world, ada, bob, exclusive=True)
    await say_everything(world, bob, cleo)
    doras = await world.post(dora)
    assert await _fill_feeds(world.database) == 0
    assert await stored(world, ada) == [doras.post_id]
    await went_away(world, ada)
    assert await world.home(ada) == [doras.post_id]
    await world.run("DELETE FROM feed_entries")
    await _fill_feeds(world.database)
    assert await stored(world, ada) == [doras.post_id]


async def test_what_is_merged_in_on_reading_obeys_exclusive_lists(world: "World") -> None:
    ada, star, dora = await world.people("ada", "star", "dora")
    await world.follow(ada, star)
    await pulled(world, star)
    posts = await say_everything(world, star, dora)
    assert await world.home(ada) == [posts[1].post_id, posts[0].post_id]
    a_list = await make_list(world, ada, star, exclusive=True)
    assert await world.home(ada) == []
    await remove(world, ada, a_list, star)
    assert await world.home(ada) == [posts[1].post_id, posts[0].post_id]


async def test_others_boosts_of_a_member_of_an_exclusive_list_are_at_home(world: "World") -> None:
    ada, bob, dora = await world.people("ada", "bob", "dora")
    await world.follow(ada, bob, dora)
    await make_list(world, ada, bob, exclusive=True)
    post = await world.post(bob)
    await world.did(f"statuses/{post.post_id}/reblog", dora)
    (entry,) = await world.show("/api/v1/timelines/home", ada)
    assert (entry["account"]["acct"], entry["reblog"]["id"]) == ("dora", str(post.post_id))


async def test_an_exclusive_list_concerns_nobody_but_its_owner(world: "World") -> None:
    ada, bob, eve = await world.people("ada", "bob", "eve")
    await world.follow(ada, bob)
    await world.follow(eve, bob)
    await make_list(world, ada, bob, exclusive=True)
    post = await world.post(bob)
    assert (await world.home(ada), await world.home(eve)) == ([], [post.post_id])
