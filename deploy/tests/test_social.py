"""social, end to end: what others see, at once."""

import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image
from stack import Stack, picture, wait_for


def ids(statuses: list[dict[str, str]]) -> list[str]:
    return [status["id"] for status in statuses]


def test_a_profile_with_an_avatar(stack: Stack) -> None:
    person = stack.new_person("profiled")
    before = person.account
    assert httpx.get(before["avatar"]).headers["content-type"] == "image/png"
    out = io.BytesIO()
    Image.new("RGB", (500, 300), "orange").save(out, "PNG")
    form = {
        "display_name": "A name",
        "note": "I *like* #tests",
        "fields_attributes[0][name]": "Web",
        "fields_attributes[0][value]": "https://example.org",
    }
    changed = person.client.patch(
        "/api/v1/accounts/update_credentials", data=form, files={"avatar": ("a.png", out.getvalue(), "image/png")}
    ).json()
    assert (changed["display_name"], changed["source"]["note"]) == ("A name", "I *like* #tests")
    assert changed["fields"][0]["value"].startswith('<a href="https://example.org"')
    assert changed["avatar"] != before["avatar"]
    assert Image.open(io.BytesIO(httpx.get(changed["avatar"]).content)).size == (400, 400)
    with stack.client() as anybody:
        assert anybody.get("/api/v1/accounts/lookup", params={"acct": person.name}).json()["display_name"] == "A name"


def test_following_brings_posts_and_unfollowing_takes_them(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    before = author.write("from before")
    relation = reader.follow(author)
    assert (relation["following"], relation["requested"]) == (True, False)
    after = author.write("from after")
    assert ids(reader.get("/api/v1/timelines/home")) == [after["id"], before["id"]]
    assert ids(author.get("/api/v1/timelines/home")) == [after["id"], before["id"]]
    assert [a["id"] for a in author.get(f"/api/v1/accounts/{author.id}/followers")] == [reader.id]
    assert author.get(f"/api/v1/accounts/{author.id}")["followers_count"] == 1
    reader.post(f"/api/v1/accounts/{author.id}/unfollow")
    assert reader.get("/api/v1/timelines/home") == []
    assert author.get(f"/api/v1/accounts/{author.id}")["followers_count"] == 0


def test_an_accounts_posts_and_the_public_feed(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    posts = [author.write(f"number {n}") for n in range(5)]
    reply = author.write("to somebody", in_reply_to_id=reader.write("hello")["id"])
    shown = reader.get(f"/api/v1/accounts/{author.id}/statuses")
    assert ids(shown) == [reply["id"], *reversed(ids(posts))]
    assert ids(reader.get(f"/api/v1/accounts/{author.id}/statuses", exclude_replies="true")) == list(reversed(ids(posts)))
    public = ids(reader.get("/api/v1/timelines/public", limit=40))
    assert posts[-1]["id"] in public
    assert reply["id"] not in public


def test_an_accounts_posts_are_chosen_by_switches(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    media = author.client.post("/api/v2/media", files={"file": ("p.jpg", picture())}).json()["id"]
    plain, tagged, shown = author.write("plain"), author.write("a #kite"), author.write("look", media_ids=[media])
    reply = author.write("an answer", in_reply_to_id=reader.write("hello")["id"])
    boost = author.post(f"/api/v1/statuses/{reader.write('worth it')['id']}/reblog")
    author.post(f"/api/v1/statuses/{plain['id']}/pin")
    everything = [boost["id"], reply["id"], shown["id"], tagged["id"], plain["id"]]
    for switches, left in (
        ({}, everything),
        ({"exclude_replies": "true"}, [boost["id"], *everything[2:]]),
        ({"exclude_reblogs": "true"}, everything[1:]),
        ({"exclude_replies": "true", "exclude_reblogs": "true"}, everything[2:]),
        ({"only_media": "true"}, [shown["id"]]),
        ({"tagged": "kite"}, [tagged["id"]]),
        ({"pinned": "true"}, [plain["id"]]),
    ):
        assert ids(reader.get(f"/api/v1/accounts/{author.id}/statuses", **switches)) == left, switches


def test_pages_lead_on_without_gaps_or_repeats(stack: Stack) -> None:
    author = stack.new_person("pager")
    written = [author.write(f"page {n}")["id"] for n in range(7)]
    found: list[str] = []
    address: str | None = f"/api/v1/accounts/{author.id}/statuses?limit=3"
    while address:
        answer = author.client.get(address)
        found += ids(answer.json())
        address = answer.links.get("next", {}).get("url")
        author.write("meanwhile")
    assert found == list(reversed(written))


def test_a_thread_is_shown_from_its_root(stack: Stack) -> None:
    one, two = stack.new_person("one"), stack.new_person("two")
    root = one.write("root")
    middle = two.write("middle", in_reply_to_id=root["id"])
    leaf = one.write("leaf", in_reply_to_id=middle["id"])
    context = two.get(f"/api/v1/statuses/{middle['id']}/context")
    assert ids(context["ancestors"]) == [root["id"]]
    assert ids(context["descendants"]) == [leaf["id"]]


def test_favourites_and_boosts_count_once_and_can_be_taken_back(stack: Stack) -> None:
    author, fan, follower = stack.new_person("author"), stack.new_person("fan"), stack.new_person("follower")
    follower.follow(fan)
    status = author.write("likeable")
    for _ in range(2):
        liked = fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    assert (liked["favourited"], liked["favourites_count"]) == (True, 1)
    boosted = fan.post(f"/api/v1/statuses/{status['id']}/reblog")
    assert (boosted["account"]["id"], boosted["reblog"]["id"], boosted["reblog"]["reblogged"]) == (fan.id, status["id"], True)
    assert fan.post(f"/api/v1/statuses/{status['id']}/reblog")["id"] == boosted["id"]
    assert [entry["reblog"]["id"] for entry in follower.get("/api/v1/timelines/home")] == [status["id"]]
    assert [a["id"] for a in author.get(f"/api/v1/statuses/{status['id']}/reblogged_by")] == [fan.id]
    taken = fan.post(f"/api/v1/statuses/{status['id']}/unreblog")
    assert (taken["id"], taken["reblogged"], taken["reblog"], taken["reblogs_count"]) == (status["id"], False, None, 0)
    assert follower.get("/api/v1/timelines/home") == []
    assert fan.post(f"/api/v1/statuses/{status['id']}/unfavourite")["favourites_count"] == 0


def test_counts_are_exact_whoever_changes_their_mind_at_the_same_time(stack: Stack) -> None:
    author, fans = stack.new_person("author"), [stack.new_person("fan") for _ in range(4)]
    status = author.write("divisive")["id"]
    undecided = [f"/api/v1/statuses/{status}/{verb}" for verb in ("favourite", "unfavourite", "reblog", "unreblog")]
    undecided += [f"/api/v1/accounts/{author.id}/{verb}" for verb in ("follow", "unfollow")]
    with ThreadPoolExecutor(8) as pool:  # two of everybody's requests at a time
        answers = [pool.submit(fan.client.post, path) for _ in range(5) for path in undecided for fan in fans for _ in range(2)]
        assert {answer.result().status_code for answer in answers} == {200}
    for fan in fans[:3]:
        for path in (undecided[0], undecided[2], undecided[4]):
            fan.post(path)
    for path in (undecided[1], undecided[3], undecided[5]):
        fans[3].post(path)
    shown, account = author.get(f"/api/v1/statuses/{status}"), author.get(f"/api/v1/accounts/{author.id}")
    assert (shown["favourites_count"], shown["reblogs_count"], account["followers_count"]) == (3, 3, 3)
    for listed in (
        f"/api/v1/statuses/{status}/favourited_by",
        f"/api/v1/statuses/{status}/reblogged_by",
        f"/api/v1/accounts/{author.id}/followers",
    ):
        assert {entry["id"] for entry in author.get(listed)} == {fan.id for fan in fans[:3]}
    counts = [
        (fan.get(f"/api/v1/accounts/{fan.id}")["following_count"], fan.get(f"/api/v1/accounts/{fan.id}")["statuses_count"]) for fan in fans
    ]
    assert counts == [(1, 1)] * 3 + [(0, 0)]


@pytest.mark.parametrize(
    ("visibility", "seen_by"),
    [
        ("public", {"follower", "mentioned", "stranger", "anybody"}),
        ("unlisted", {"follower", "mentioned", "stranger", "anybody"}),
        ("private", {"follower", "mentioned"}),
        ("direct", {"mentioned"}),
    ],
)
def test_only_those_may_see_a_post_whom_its_author_meant(stack: Stack, visibility: str, seen_by: set[str]) -> None:
    author = stack.new_person("author")
    people = {name: stack.new_person(name) for name in ("follower", "mentioned", "stranger")}
    people["follower"].follow(author)
    status = author.write(f"@{people['mentioned'].name} for some", visibility=visibility)
    clients = {name: person.client for name, person in people.items()} | {"anybody": stack.client()}
    for path in (
        f"/api/v1/statuses/{status['id']}",
        f"/api/v1/statuses/{status['id']}/context",
        f"/api/v1/statuses/{status['id']}/history",
    ):
        assert {name for name, client in clients.items() if client.get(path).status_code == 200} == seen_by, path
    listed = f"/api/v1/accounts/{author.id}/statuses"
    assert {name for name, client in clients.items() if client.get(listed).json()} == seen_by
    public = {
        name for name, client in clients.items() if status["id"] in ids(client.get("/api/v1/timelines/public", params={"limit": 40}).json())
    }
    assert public == (seen_by if visibility == "public" else set())
    in_home = status["id"] in ids(people["follower"].get("/api/v1/timelines/home"))
    assert in_home is (visibility != "direct")
    page = f"/@{author.name}/{status['id']}"
    assert (httpx.get(f"{stack.url}{page}").status_code == 200) is ("anybody" in seen_by)
    if "stranger" not in seen_by:
        assert people["stranger"].client.post(f"/api/v1/statuses/{status['id']}/favourite").status_code == 404


def test_a_block_works_both_ways(stack: Stack) -> None:
    one, other = stack.new_person("one"), stack.new_person("other")
    other.follow(one)
    status = one.write("before the quarrel")
    one.post(f"/api/v1/accounts/{other.id}/block")
    assert other.client.get(f"/api/v1/statuses/{status['id']}").status_code == 404
    assert other.get("/api/v1/timelines/home") == []
    assert other.client.post(f"/api/v1/accounts/{one.id}/follow").status_code == 403
    assert one.get("/api/v1/accounts/search", q=other.name)[0]["id"] == other.id


def test_a_locked_account_decides_who_follows(stack: Stack) -> None:
    locked, asker = stack.new_person("locked"), stack.new_person("asker")
    locked.client.patch("/api/v1/accounts/update_credentials", json={"locked": True})
    relation = asker.follow(locked)
    assert (relation["following"], relation["requested"]) == (False, True)
    assert [a["id"] for a in locked.get("/api/v1/follow_requests")] == [asker.id]
    assert locked.post(f"/api/v1/follow_requests/{asker.id}/authorize")["followed_by"] is True
    assert asker.get("/api/v1/accounts/relationships", **{"id[]": locked.id})[0]["following"] is True


def test_another_sees_at_once_what_was_written(stack: Stack) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    assert reader.get("/api/v1/accounts/search", q=author.name)[0]["id"] == author.id
    status = author.write("#instant_tag here")
    assert reader.get(f"/api/v1/statuses/{status['id']}")["id"] == status["id"]
    assert ids(reader.get("/api/v1/timelines/tag/instant_tag"))[0] == status["id"]
    assert reader.get("/api/v2/search", q="#instant_t", type="hashtags")["hashtags"][0]["name"] == "instant_tag"
    author.client.delete(f"/api/v1/statuses/{status['id']}")
    assert reader.client.get(f"/api/v1/statuses/{status['id']}").status_code == 404
    wait_for(lambda: ids(reader.get("/api/v1/timelines/tag/instant_tag")) == [], "the tag to be empty")
