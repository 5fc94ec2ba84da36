"""Who sees what, on every way that leads to a post."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from common.events import MediaState, PostState, TagState

if TYPE_CHECKING:
    from .conftest import World

pytestmark = pytest.mark.anyio

PICTURE = MediaState(media_id=1, url="/m", preview_url="/p", width=4, height=3, preview_width=4, preview_height=3)

EVERYBODY = {"author", "follower", "mentioned", "stranger", "nobody"}
MAY_OPEN = {
    "public": EVERYBODY,
    "unlisted": EVERYBODY,
    "private": {"author", "follower", "mentioned"},
    "direct": {"author", "mentioned"},
}


async def cast(world: "World") -> dict[str, int]:
    author, follower, mentioned, stranger = await world.people("author", "follower", "mentioned", "stranger")
    await world.follow(follower, author)
    return {"author": author, "follower": follower, "mentioned": mentioned, "stranger": stranger, "nobody": 0}


async def publish(world: "World", author: int, visibility: str) -> tuple[PostState, PostState]:
    """A public post, and the author's answer to it that the tests look for."""
    root = await world.post(author)
    more: dict[str, Any] = {"usernames": ["mentioned"], "tags": [TagState(name="tag", display="Tag")], "media": [PICTURE]}
    return root, await world.answer(author, root, visibility=visibility, **more)


async def who_sees(world: "World", viewers: dict[str, int], root: PostState, post: PostState) -> dict[str, set[str]]:
    """By way of looking: the viewers who find the post there."""
    post_id, seen = post.post_id, defaultdict(set)
    lists = {
        "statuses by id": ("/api/v1/statuses", {"id[]": post_id}),
        "account": (f"/api/v1/accounts/{post.author_id}/statuses", {}),
        "account, media": (f"/api/v1/accounts/{post.author_id}/statuses", {"only_media": "true"}),
        "account, tagged": (f"/api/v1/accounts/{post.author_id}/statuses", {"tagged": "tag"}),
        "public": ("/api/v1/timelines/public", {}),
        "tag": ("/api/v1/timelines/tag/tag", {}),
    }
    for name, viewer in viewers.items():

        def look(way: str, found: bool, name: str = name) -> None:
            seen[way] |= {name} if found else set()

        for way in ("guard", "status", "favourited_by", "reblogged_by", "context"):
            path = f"/internal/guard/{post_id}" if way == "guard" else f"/api/v1/statuses/{post_id}{'' if way == 'status' else f'/{way}'}"
            answer = await world.get(path, viewer)
            assert answer.status_code in (200, 404)
            look(way, answer.status_code == 200)
        rendered = await world.client.post("/internal/render", json={"statuses": [post_id]}, headers=world.headers(viewer))
        look("render", str(post_id) in rendered.json()["statuses"])
        if (await world.get(f"/api/v1/statuses/{root.post_id}/context", viewer)).status_code == 200:
            context = await world.show(f"/api/v1/statuses/{root.post_id}/context", viewer)
            look("answers", post_id in world.ids(context["descendants"]))
        found = await world.client.get(
            "/internal/find", params={"q": f"https://microblog.example/@author/{post_id}"}, headers=world.headers(viewer)
        )
        look("address", post_id in world.ids(found.json()["statuses"]))
        for way, (path, query) in lists.items():
            answer = await world.get(path, viewer, **query)
            assert answer.status_code in (200, 404)
            look(way, answer.status_code == 200 and post_id in world.ids(answer.json()))
        if viewer:
            look("home", post_id in await world.home(viewer))
            for way in ("favourite", "bookmark"):
                answer = await world.do(f"statuses/{post_id}/{way}", viewer)
                assert answer.status_code in (200, 404)
                look(way, answer.status_code == 200)
            for way in ("favourites", "bookmarks"):
                look(way, post_id in world.ids(await world.show(f"/api/v1/{way}", viewer)))
    return dict(seen)


@pytest.mark.parametrize("visibility", MAY_OPEN)
async def test_a_post_is_seen_by_those_it_is_for_whichever_way_they_look(world: "World", visibility: str) -> None:
    viewers = await cast(world)
    root, post = await publish(world, viewers["author"], visibility)
    may_open = MAY_OPEN[visibility]
    seen = await who_sees(world, viewers, root, post)
    special = {
        "public": may_open if visibility == "public" else set(),
        "tag": may_open if visibility == "public" else set(),
        "home": {"author", "follower"} & may_open,
        **dict.fromkeys(("favourite", "bookmark", "favourites", "bookmarks"), may_open - {"nobody"}),
    }
    assert seen == {way: special.get(way, may_open) for way in seen}
    assert len(seen) == 19


@pytest.mark.parametrize("visibility", MAY_OPEN)
async def test_a_block_hides_posts_both_ways(world: "World", visibility: str) -> None:
    viewers = await cast(world)
    root, post = await publish(world, viewers["author"], visibility)
    await world.did(f"accounts/{viewers['follower']}/block", viewers["author"])
    await world.did(f"accounts/{viewers['author']}/block", viewers["mentioned"])
    blocked = {name: viewers[name] for name in ("follower", "mentioned")}
    assert {way for way, seen in (await who_sees(world, blocked, root, post)).items() if seen} == set()


@pytest.mark.parametrize("state", [{"state": "suspended"}, {"state": "disabled"}, {"deleted": True}], ids=str)
async def test_posts_of_somebody_who_is_hidden_are_seen_by_nobody(world: "World", state: dict[str, Any]) -> None:
    viewers = await cast(world)
    _, post = await publish(world, viewers["author"], "public")
    await world.account(viewers.pop("author"), version=2, **state)
    ways = await who_sees_hidden(world, viewers, post)
    assert {way for way, seen in ways.items() if seen} == set()


async def who_sees_hidden(world: "World", viewers: dict[str, int], post: PostState) -> dict[str, set[str]]:
    """The ways that are left when the author's page itself is gone."""
    seen = defaultdict(set)
    for name, viewer in viewers.items():
        for path in (f"/api/v1/statuses/{post.post_id}", f"/internal/guard/{post.post_id}", f"/api/v1/accounts/{post.author_id}/statuses"):
            seen[path] |= {name} if (await world.get(path, viewer)).status_code != 404 else set()
        for path in ("/api/v1/timelines/public", "/api/v1/timelines/tag/tag"):
            seen[path] |= {name} if await world.show(path, viewer) else set()
        if viewer:
            seen["home"] |= {name} if await world.home(viewer) else set()
    return seen


async def test_a_mute_hides_posts_from_feeds_and_threads_but_not_when_they_are_opened(world: "World") -> None:
    viewers = await cast(world)
    root, post = await publish(world, viewers["author"], "public")
    await world.did(f"accounts/{viewers['author']}/mute", viewers["follower"])
    seen = await who_sees(world, {"follower": viewers["follower"]}, root, post)
    assert {way for way, names in seen.items() if not names} == {"home", "public", "tag", "answers"}
    await world.did(f"accounts/{viewers['author']}/unmute", viewers["follower"])
    assert await world.home(viewers["follower"]) == [post.post_id, root.post_id]


@pytest.mark.parametrize("deed", ["block", "mute"])
async def test_posts_that_name_somebody_hidden_stay_out_of_the_home_feed(world: "World", deed: str) -> None:
    ada, friend, hidden = await world.people("ada", "friend", "hidden")
    await world.follow(ada, friend)
    naming, plain = await world.post(friend, usernames=["hidden"]), await world.post(friend)
    own = await world.post(ada, usernames=["hidden"])
    assert await world.home(ada) == [own.post_id, plain.post_id, naming.post_id]
    await world.did(f"accounts/{hidden}/{deed}", ada)
    assert await world.home(ada) == [own.post_id, plain.post_id]
    assert (await world.status(naming, ada))["id"] == str(naming.post_id)
    await world.did(f"accounts/{hidden}/un{deed}", ada)
    assert await world.home(ada) == [own.post_id, plain.post_id, naming.post_id]


async def test_who_reacted_is_told_but_for_people_who_are_blocked_or_muted_or_whose_boost_is_for_others(world: "World") -> None:
    ada, author, blocked, blocker, muted, quiet, fan = await world.people("ada", "author", "blocked", "blocker", "muted", "quiet", "fan")
    post = await world.post(author)
    for person in (blocked, blocker, muted, quiet, fan):
        await world.did(f"statuses/{post.post_id}/favourite", person)
        visibility = "private" if person == quiet else "public"
        await world.did(f"statuses/{post.post_id}/reblog", person, visibility=visibility)
    await world.did(f"accounts/{blocked}/block", ada)
    await world.did(f"accounts/{ada}/block", blocker)
    await world.did(f"accounts/{muted}/mute", ada)
    for how, found in (("favourited_by", [fan, quiet]), ("reblogged_by", [fan])):
        assert world.ids(await world.show(f"/api/v1/statuses/{post.post_id}/{how}", ada)) == found
    await world.follow(ada, quiet)
    assert world.ids(await world.show(f"/api/v1/statuses/{post.post_id}/reblogged_by", ada)) == [fan, quiet]


@pytest.mark.parametrize("which", ["followers", "following"])
async def test_lists_of_others_leave_out_whom_one_blocks_or_mutes(world: "World", which: str) -> None:
    ada, owner, blocked, blocker, muted, other = await world.people("ada", "owner", "blocked", "blocker", "muted", "other")
    for person in (blocked, blocker, muted, other):
        await world.follow(*((person, owner) if which == "followers" else (owner, person)))
    await world.did(f"accounts/{blocked}/block", ada)
    await world.did(f"accounts/{ada}/block", blocker)
    await world.did(f"accounts/{muted}/mute", ada, duration=60)
    path = f"/api/v1/accounts/{owner}/{which}"
    assert world.ids(await world.show(path, ada)) == [other]
    assert world.ids(await world.show(path, owner)) == world.ids(await world.show(path)) == [other, muted, blocker, blocked]
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second'")
    assert world.ids(await world.show(path, ada)) == [other, muted]


async def test_a_mute_ends_by_itself(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    await world.follow(ada, bob)
    post = await world.post(bob)
    muted = await world.did(f"accounts/{bob}/mute", ada, duration=60)
    assert (muted["muting"], muted["muting_expires_at"] is not None) == (True, True)
    assert await world.home(ada) == []
    await world.run("UPDATE mutes SET ends_at = now() - interval '1 second'")
    assert await world.home(ada) == [post.post_id]
    (relation,) = await world.show("/api/v1/accounts/relationships", ada, **{"id[]": bob})
    assert relation["muting"] is False


async def test_a_boost_shows_a_post_to_nobody_who_may_not_see_it(world: "World") -> None:
    author, booster, blocked = await world.people("author", "booster", "blocked")
    await world.follow(blocked, booster)
    await world.did(f"accounts/{blocked}/block", author)
    post = await world.post(author)
    boost = int((await world.did(f"statuses/{post.post_id}/reblog", booster))["id"])
    for viewer, found in ((0, True), (booster, True), (blocked, False)):
        assert (await world.get(f"/api/v1/statuses/{boost}", viewer)).status_code == (200 if found else 404)
        assert (await world.get(f"/internal/guard/{boost}", viewer)).status_code == (200 if found else 404)
        assert (boost in world.ids(await world.show(f"/api/v1/accounts/{booster}/statuses", viewer))) is found
    assert await world.home(blocked) == []


async def test_a_boost_for_followers_is_seen_by_followers(world: "World") -> None:
    author, booster, follower, stranger = await world.people("author", "booster", "follower", "stranger")
    await world.follow(follower, booster)
    post = await world.post(author)
    boost = int((await world.did(f"statuses/{post.post_id}/reblog", booster, visibility="private"))["id"])
    found = {
        viewer: world.ids(await world.show(f"/api/v1/accounts/{booster}/statuses", viewer)) for viewer in (booster, follower, stranger, 0)
    }
    assert found == {booster: [boost], follower: [boost], stranger: [], 0: []}
    assert await world.home(follower) == [post.post_id]


async def test_a_boosts_own_id_opens_it_only_for_those_it_is_for(world: "World") -> None:
    author, booster, follower, stranger, blocked = await world.people("author", "booster", "follower", "stranger", "blocked")
    await world.follow(follower, booster)
    await world.did(f"accounts/{blocked}/block", booster)
    for_followers, for_all = [await world.post(author) for _ in range(2)]
    private = (await world.did(f"statuses/{for_followers.post_id}/reblog", booster, visibility="private"))["id"]
    public = (await world.did(f"statuses/{for_all.post_id}/reblog", booster))["id"]

    async def found(an_id: str) -> set[int]:
        return {
            viewer
            for viewer in (booster, follower, stranger, blocked, 0)
            if await world.show("/api/v1/statuses", viewer, **{"id[]": an_id})
        }

    assert await found(private) == {booster, follower}
    assert await found(public) == {booster, follower, stranger, 0}


async def test_who_is_named_is_who_exists(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")

    def link(name: str) -> str:
        return f'<span class="h-card"><a href="https://microblog.example/@{name}" class="u-url mention">@<span>{name}</span></a></span>'

    post = await world.post(ada, html=f"<p>{link('bob')} {link('ghost')}</p>", usernames=["bob", "ghost"])
    status = await world.status(post)
    assert status["content"] == f"<p>{link('bob')} @ghost</p>"
    assert [(mention["id"], mention["acct"]) for mention in status["mentions"]] == [(str(bob), "bob")]


async def test_only_people_have_flags_and_they_are_their_own(world: "World") -> None:
    ada, bob = await world.people("ada", "bob")
    post = await world.post(ada)
    for action in ("favourite", "bookmark", "reblog"):
        await world.did(f"statuses/{post.post_id}/{action}", bob)
    flags = ("favourited", "bookmarked", "reblogged")
    assert [(await world.status(post, bob))[flag] for flag in flags] == [True] * 3
    assert [(await world.status(post, ada))[flag] for flag in flags] == [False] * 3
    assert not {"favourited", "muted", "pinned"} & (await world.status(post)).keys()
    assert ("pinned" in await world.status(post, ada), "pinned" in await world.status(post, bob)) == (True, False)
