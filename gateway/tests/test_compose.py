"""Writes that `social` hears of before Kafka tells it, lists that it makes whole, and what the server says of itself."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from common import telemetry
from common.events import AccountState, MediaState, PostState, TagState
from common.ids import time_of
from gateway.compose import discovery

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, Town

pytestmark = pytest.mark.anyio

HOME = "https://microblog.example"
NOWHERE = "http://127.0.0.1:1"
POST_ID = 113_000_000_000_000_000
AWAY = {"error": "The service is temporarily unavailable"}
CARRIED = ("social", "POST", "/internal/carried/posts")


def event(**more: Any) -> dict[str, Any]:
    """What `posts` committed, as it tells it."""
    state = PostState(
        post_id=POST_ID,
        version=1,
        author_id=7,
        author_username="ada",
        created_at=time_of(POST_ID),
        html="<p>hello</p>",
        plain="hello",
        language="en",
        tags=[TagState(name="tea", display="Tea")],
        media=[
            MediaState(media_id=9, url="/a", preview_url="/b", description="A cup", width=1, height=1, preview_width=1, preview_height=1)
        ],
    )
    told: dict[str, Any] = json.loads(state.model_copy(update=more).model_dump_json())
    return told


@pytest.fixture
def rendered(town: "Town") -> dict[str, Any]:
    """A status as `social` renders it, with everything that a status has."""
    status = {"id": str(POST_ID), "content": "<p>hello</p>", "account": {"id": "7", "username": "ada"}}
    for method, path in (("POST", "/api/v1/statuses"), ("PUT", f"/api/v1/statuses/{POST_ID}")):
        town.say("posts", method, path, {"event": event()})
    town.say(*CARRIED, status)
    return status


def steps(town: "Town") -> list[tuple[str, str, str]]:
    return [asked.what for asked in town.asked()]


async def test_a_post_is_carried_to_social_which_renders_the_answer(door: "Door", town: "Town", rendered: dict[str, Any]) -> None:
    async with door.client(town.know("adas")) as client:
        answer = await client.post("/api/v1/statuses", data={"status": "hello", "media_ids[]": ["9"]}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()) == (200, rendered)
    assert steps(town) == [("posts", "POST", "/api/v1/statuses"), CARRIED]
    written, carried = town.asked()
    assert (written.identity.name, written.headers["idempotency-key"]) == ("ada", "k1")
    assert written.json() == {"status": "hello", "media_ids": ["9"]}
    assert (carried.identity.kind, carried.identity.name) == ("service", "gateway")
    assert PostState.model_validate(carried.json()) == PostState.model_validate(event())


@pytest.mark.parametrize("page", [False, True])
async def test_all_that_a_request_asks_of_services_belongs_to_its_trace(
    door: "Door", town: "Town", rendered: dict[str, Any], monkeypatch: pytest.MonkeyPatch, page: bool
) -> None:
    monkeypatch.setattr(telemetry, "_enabled", True)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with door.client(town.know("adas")) as client:
        if page:
            assert (await client.get("/public", headers={"traceparent": trace})).status_code == 200
        else:
            await client.post("/api/v1/statuses", json={"status": "hello"}, headers={"traceparent": trace})
    assert {one.service for one in town.log} >= ({"social"} if page else {"auth", "posts", "social"})
    assert {one.headers.get("traceparent", "")[:36] for one in town.log} == {trace[:36]}


async def test_a_reply_is_written_to_the_post_that_is_meant_once_its_writer_may_see_it(
    door: "Door", town: "Town", rendered: dict[str, Any]
) -> None:
    town.say("social", "GET", "/internal/guard/55", {"post_id": "44", "author_id": "8", "version": 3})
    town.say("social", "GET", "/internal/guard/66", {"error": "Record not found"}, 404)
    async with door.client(town.know("adas")) as client:
        sent = {"status": "hello", "in_reply_to_id": "55"}
        answer = await client.post("/api/v1/statuses", json=sent, headers={"X-Microblog-Reply-Author": "1"})
        assert answer.json() == rendered
        for hidden in ("66", "nonsense", "../55"):
            refused = await client.post("/api/v1/statuses", json={"status": "x", "in_reply_to_id": hidden})
            assert (refused.status_code, refused.json()) == (404, {"error": "Record not found"})
    guard, written, _, _ = town.asked()
    assert (guard.what, guard.identity.name) == (("social", "GET", "/internal/guard/55"), "ada")
    assert (written.json()["in_reply_to_id"], written.headers["x-microblog-reply-author"]) == ("44", "8")
    assert steps(town)[1:] == [("posts", "POST", "/api/v1/statuses"), CARRIED, ("social", "GET", "/internal/guard/66")]


async def test_while_social_is_away_a_post_is_answered_with_all_that_clients_need(
    make_door: "MakeDoor", town: "Town", rendered: dict[str, Any]
) -> None:
    door = await make_door(social_url=NOWHERE)
    async with door.client(town.know("adas")) as client:
        answer = await client.post("/api/v1/statuses", json={"status": "hello"})
        reply = await client.post("/api/v1/statuses", json={"status": "hello", "in_reply_to_id": "55"})
        edited = await client.put(f"/api/v1/statuses/{POST_ID}", json={"status": "hello"})
    assert (reply.status_code, reply.json()) == (503, AWAY)
    assert steps(town) == [("posts", "POST", "/api/v1/statuses"), ("posts", "PUT", f"/api/v1/statuses/{POST_ID}")]
    assert answer.status_code == edited.status_code == 200
    status = answer.json()
    assert (status["id"], status["content"], status["visibility"], status["language"]) == (str(POST_ID), "<p>hello</p>", "public", "en")
    assert (status["url"], status["account"]["id"], status["account"]["acct"]) == (f"{HOME}/@ada/{POST_ID}", "7", "ada")
    assert (status["media_attachments"][0]["description"], status["tags"]) == ("A cup", [{"name": "tea", "url": f"{HOME}/tags/tea"}])
    assert datetime.fromisoformat(status["created_at"]) <= time_of(POST_ID).astimezone(UTC)


async def test_a_minimal_status_has_every_key_that_a_whole_one_has(make_door: "MakeDoor", town: "Town", rendered: dict[str, Any]) -> None:
    """The keys are those that the documentation of the Mastodon API calls neither optional nor older than version 3."""
    door = await make_door(social_url=NOWHERE)
    async with door.client(town.know("adas")) as client:
        status = (await client.post("/api/v1/statuses", json={"status": "hello"})).json()
    keys = """
        id uri created_at account content visibility sensitive spoiler_text media_attachments mentions tags emojis reblogs_count
        favourites_count replies_count url in_reply_to_id in_reply_to_account_id reblog poll card language edited_at
        favourited reblogged muted bookmarked filtered
    """
    assert set(keys.split()) <= set(status)
    keys = """
        id username acct url display_name note avatar avatar_static header header_static locked fields emojis bot group discoverable
        created_at last_status_at statuses_count followers_count following_count
    """
    assert set(keys.split()) <= set(status["account"])


async def test_while_social_is_away_a_poll_is_answered_as_its_author_sees_it(make_door: "MakeDoor", town: "Town") -> None:
    asked = {"options": ["tea", "coffee"], "expires_at": "2126-01-01T00:00:00Z", "multiple": True, "hide_totals": False, "revision": 1}
    town.say("posts", "POST", "/api/v1/statuses", {"post_id": str(POST_ID), "event": event() | {"poll": asked}, "repeated": False})
    removed = {"event": event() | {"deleted": True}, "text": "hello", "spoiler": "", "media": [], "poll": asked | {"hide_totals": True}}
    town.say("posts", "DELETE", f"/api/v1/statuses/{POST_ID}", removed)
    door = await make_door(social_url=NOWHERE)
    async with door.client(town.know("adas")) as client:
        made = (await client.post("/api/v1/statuses", json={"status": "hello"})).json()["poll"]
        gone = (await client.delete(f"/api/v1/statuses/{POST_ID}")).json()["poll"]
    assert made == {
        "id": str(POST_ID),
        "expires_at": "2126-01-01T00:00:00.000Z",
        "expired": False,
        "multiple": True,
        "votes_count": 0,
        "voters_count": 0,
        "options": [{"title": "tea", "votes_count": 0}, {"title": "coffee", "votes_count": 0}],
        "emojis": [],
        "voted": True,
        "own_votes": [],
    }
    assert [option["votes_count"] for option in gone["options"]] == [None, None]


async def test_a_refused_post_is_carried_nowhere(door: "Door", town: "Town") -> None:
    told = {"error": "Validation failed: Text can't be blank", "code": "empty_post"}
    town.say("posts", "POST", "/api/v1/statuses", told, 422)
    async with door.client(town.know("adas")) as client:
        answer = await client.post("/api/v1/statuses", json={"status": ""})
    assert (answer.status_code, answer.json(), steps(town)) == (422, told, [("posts", "POST", "/api/v1/statuses")])


async def test_what_is_no_form_and_no_object_is_refused_in_words(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        for body in (b'{"status": ', b"[1]", b"\xff\xfe"):
            answer = await client.post("/api/v1/statuses", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 422)
            assert isinstance(answer.json()["error"], str)
    assert town.asked() == []


async def test_what_no_service_could_be_told_is_refused_in_words(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        answers = [
            await client.post("/api/v1/statuses", files={"status": ("status.txt", b"a file", "text/plain")}),
            await client.post("/api/v1/statuses", files={"poll[options][]": ("status.txt", b"a file", "text/plain")}),
            await client.post(
                "/api/v1/statuses", content=b"--x\r\nA\xc2: b\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}
            ),
            await client.put(f"/api/v1/statuses/{POST_ID}", content=b'{"status": "\\ud800"}', headers={"Content-Type": "application/json"}),
        ]
    told = [(answer.status_code, answer.json()["error"]) for answer in answers]
    assert told == [
        (422, "Validation failed: status: should be text, not a file"),
        (422, "Validation failed: poll.options.0: should be text, not a file"),
        (422, "Validation failed: body: Invalid multipart data."),
        (422, "Validation failed: body: not valid JSON"),
    ]
    assert town.asked() == []


async def test_an_edit_is_carried_like_a_new_post(door: "Door", town: "Town", rendered: dict[str, Any]) -> None:
    async with door.client(town.know("adas")) as client:
        answer = await client.put(f"/api/v1/statuses/{POST_ID}", json={"status": "hello"})
    assert (answer.json(), steps(town)) == (rendered, [("posts", "PUT", f"/api/v1/statuses/{POST_ID}"), CARRIED])


@pytest.mark.parametrize("social", [True, False])
async def test_a_deleted_post_is_answered_as_it_was_with_its_source(make_door: "MakeDoor", town: "Town", social: bool) -> None:
    door = await make_door(**({} if social else {"social_url": NOWHERE}))
    path = f"/api/v1/statuses/{POST_ID}"
    media = [{"id": "9", "type": "image"}]
    gone = event(deleted=True, version=2, html="", media=[], tags=[])
    town.say("social", "GET", path, {"id": str(POST_ID), "content": "<p>hello</p>"})
    town.say("posts", "DELETE", path, {"event": gone, "text": "*hello*", "spoiler": "tea", "media": media})
    async with door.client(town.know("adas")) as client:
        answer = await client.delete(path)
    assert answer.status_code == 200
    status = answer.json()
    assert (status["id"], status["text"], status["spoiler_text"], status["media_attachments"]) == (str(POST_ID), "*hello*", "tea", media)
    if social:
        assert status["content"] == "<p>hello</p>"
        assert steps(town) == [("social", "GET", path), ("posts", "DELETE", path), CARRIED]
        assert town.asked("social")[-1].json()["deleted"] is True


async def test_a_deletion_that_posts_refuses_is_carried_nowhere(door: "Door", town: "Town") -> None:
    town.say("posts", "DELETE", "/api/v1/statuses/5", {"error": "Record not found"}, 404)
    async with door.client(town.know("adas")) as client:
        assert (await client.delete("/api/v1/statuses/5")).status_code == 404
    assert CARRIED not in steps(town)


@pytest.mark.parametrize("social", [True, False])
async def test_a_new_account_is_carried_to_social_and_answered_with_its_token(make_door: "MakeDoor", town: "Town", social: bool) -> None:
    state = AccountState(account_id=7, version=1, username="ada", created_at=datetime.now(UTC))
    token = {"access_token": "fresh", "token_type": "Bearer", "scope": "read", "created_at": 1}
    town.say("auth", "POST", "/api/v1/accounts", {"event": json.loads(state.model_dump_json()), "token": token})
    door = await make_door(**({} if social else {"social_url": NOWHERE}))
    async with door.client(town.know("apps", kind="app", account_id="0", username="")) as client:
        answer = await client.post(
            "/api/v1/accounts", data={"username": "ada", "agreement": "true"}, headers={"X-Forwarded-For": "6.6.6.6"}
        )
    assert (answer.status_code, answer.json()) == (200, token)
    assert town.asked("auth")[0].headers["x-forwarded-for"] == "203.0.113.5"
    if social:
        assert AccountState.model_validate(town.asked("social")[0].json()) == state
        assert town.asked("social")[0].what == ("social", "POST", "/internal/carried/accounts")


# Lists made whole


def notification(number: int, account: str = "8", status: str | None = None) -> dict[str, Any]:
    row = {"id": str(number), "type": "mention" if status else "follow", "created_at": "2026-01-01T00:00:00.000Z"}
    return row | {"account_id": account, "status_id": status}


async def test_notifications_come_whole_and_without_what_their_reader_may_not_see(door: "Door", town: "Town") -> None:
    rows = [notification(9, status="1"), notification(8, status="2"), notification(7, account="666"), notification(6)]
    town.say("notify", "GET", "/internal/notifications", {"notifications": rows})
    shown = {"accounts": {"8": {"id": "8"}}, "statuses": {"1": {"status": {"id": "1"}, "version": 1}}}
    town.say("social", "POST", "/internal/render", shown)
    async with door.client(town.know("adas")) as client:
        answer = await client.get("/api/v1/notifications", params={"types[]": "mention"})
    assert [(entry["id"], entry["account"], entry.get("status")) for entry in answer.json()] == [
        ("9", {"id": "8"}, {"id": "1"}),
        ("6", {"id": "8"}, None),
    ]
    assert 'rel="prev"' in answer.headers["link"]
    assert f"<{HOME}/api/v1/notifications?types%5B%5D=mention&min_id=9>" in answer.headers["link"]
    assert town.asked("social")[0].identity.name == "ada"


async def test_a_search_gives_only_what_its_reader_may_see_at_the_version_that_was_found(door: "Door", town: "Town") -> None:
    hits = [{"post_id": str(n), "version": version, "highlight": f"<em>{n}</em>"} for n, version in ((1, 1), (2, 1), (3, 1))]
    town.say("social", "GET", "/internal/find", {"accounts": [], "statuses": [], "hashtags": []})
    town.say("search", "GET", "/internal/posts", {"hits": hits})
    town.say("search", "GET", "/internal/accounts", {"hits": []})
    town.say("search", "GET", "/internal/hashtags", {"hits": [{"name": "tea"}]})
    visible = {"1": {"status": {"id": "1"}, "version": 1}, "2": {"status": {"id": "2"}, "version": 2}}
    town.say("social", "POST", "/internal/render", {"accounts": {}, "statuses": visible})
    async with door.client(town.know("adas")) as client:
        found = (await client.get("/api/v2/search", params={"q": "tea"})).json()
    assert (found["statuses"], found["highlights"]) == ([{"id": "1"}], {"1": "<em>1</em>"})
    assert [tag["url"] for tag in found["hashtags"]] == [f"{HOME}/tags/tea"]
    assert {asked.identity.name for asked in town.asked()} == {"ada"}


async def test_while_search_is_away_people_are_still_found(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(search_url=NOWHERE)
    town.say("social", "GET", "/internal/find", {"accounts": [{"id": "8"}], "statuses": [], "hashtags": []})
    async with door.client() as client:
        found = await client.get("/api/v2/search", params={"q": "bob"})
        posts = await client.get("/api/v2/search", params={"q": "bob", "type": "statuses"})
    assert (found.status_code, found.json()["accounts"], found.json()["unavailable"]) == (200, [{"id": "8"}], ["statuses"])
    assert (posts.status_code, posts.json()) == (503, AWAY)


async def test_a_translation_is_of_what_its_reader_may_see_at_the_version_that_they_see(door: "Door", town: "Town") -> None:
    town.say("social", "GET", "/internal/guard/55", {"post_id": "44", "author_id": "8", "version": 3})
    town.say("social", "GET", "/internal/guard/66", {"error": "Record not found"}, 404)
    town.say("translate", "POST", "/api/v1/statuses/44/translate", {"content": "<p>hallo</p>"})
    async with door.client(town.know("adas")) as client:
        answer = await client.post("/api/v1/statuses/55/translate", data={"lang": "de"}, headers={"X-Microblog-Version": "1"})
        assert answer.json() == {"content": "<p>hallo</p>"}
        assert (await client.post("/api/v1/statuses/66/translate")).status_code == 404
    (asked,) = town.asked("translate")
    assert (asked.json(), asked.headers["x-microblog-version"], asked.identity.name) == ({"lang": "de"}, "3", "ada")


# What the server says of itself


async def test_the_server_describes_itself_from_what_services_tell_and_goes_on_without_them(
    make_door: "MakeDoor", town: "Town", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_cached", {})
    town.say("posts", "GET", "/internal/instance", {"configuration": {"statuses": {"max_characters": 5000}}})
    town.say("auth", "GET", "/internal/instance", {"registrations": {"enabled": True}})
    half, whole = await make_door(auth_url=NOWHERE), await make_door(title="Tea house")
    async with half.client() as client:
        told = (await client.get("/api/v2/instance")).json()
        assert (told["registrations"]["enabled"], told["configuration"]["statuses"]) == (False, {"max_characters": 5000})
    town.log.clear()
    async with whole.client() as client:
        new = (await client.get("/api/v2/instance")).json()
        old = (await client.get("/api/v1/instance")).json()
    assert (new["title"], new["domain"], new["registrations"]["enabled"]) == ("Tea house", "microblog.example", True)
    assert (old["title"], old["uri"], old["registrations"], old["max_toot_chars"]) == ("Tea house", "microblog.example", True, 5000)
    assert "stats" in old
    assert len(town.log) == 6, "what services tell is remembered for a while"
    assert {asked.identity.kind for asked in town.log} == {"service"}


async def test_people_of_this_server_are_found_by_webfinger_and_no_others(door: "Door", town: "Town") -> None:
    town.say("social", "GET", "/api/v1/accounts/lookup", {"username": "ada", "url": f"{HOME}/@ada"})
    async with door.client() as client:
        for resource in ("acct:ada@microblog.example", "acct:ADA@Microblog.Example"):
            answer = await client.get("/.well-known/webfinger", params={"resource": resource})
            assert answer.headers["content-type"].startswith("application/jrd+json")
            assert answer.json()["subject"] == "acct:ada@microblog.example"
        for resource in ("acct:ada@evil.example", "acct:@microblog.example", "ada", ""):
            assert (await client.get("/.well-known/webfinger", params={"resource": resource})).status_code == 404


@pytest.mark.parametrize("allowed", [False, True])
async def test_discovery_names_the_password_grant_only_where_it_is_allowed(make_door: "MakeDoor", allowed: bool) -> None:
    async with (await make_door(password_grant=allowed)).client() as client:
        told = (await client.get("/.well-known/oauth-authorization-server")).json()
    assert ("password" in told["grant_types_supported"]) is allowed
    assert (told["issuer"], told["code_challenge_methods_supported"]) == (f"{HOME}/", ["S256"])
