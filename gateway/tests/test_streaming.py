"""The door of the streams: who is let in, what they may hear, and that nobody who doesn't listen is waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from common.events import FeedMoment, NoticeTrigger, PostState
from common.identity import Identity
from common.times import now
from gateway.streaming.channels import Channel, Refused, channel, name_at
from gateway.streaming.clients import MOST_WAITING, Client, Message
from gateway.streaming.hub import MOST_OF_ONE, Hub
from gateway.streaming.listening import Heard

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, Town

pytestmark = pytest.mark.anyio

ADA = Identity(kind="user", account_id=7, name="ada", scopes=frozenset({"read"}), token_id=1)


@dataclass
class Socket:
    """A WebSocket as the application has it."""

    told: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    asked: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def say(self, **words: Any) -> None:
        await self.asked.put({"type": "websocket.receive", "text": json.dumps(words)})

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            return await self.told.get()

    async def text(self) -> Any:
        return json.loads((await self.next())["text"])


@asynccontextmanager
async def socket(door: "Door", query: str = "", token: str | None = "adas", path: str = "/api/v1/streaming") -> AsyncIterator[Socket]:
    made = Socket()
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": headers, "client": ("203.0.113.5", 4711)}
    await made.asked.put({"type": "websocket.connect"})
    running = asyncio.create_task(door.gateway(scope, made.asked.get, made.told.put))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.asked.put({"type": "websocket.disconnect", "code": 1000})
        with suppress(TimeoutError):
            await asyncio.wait_for(running, 5)


def hub_of(door: "Door") -> Hub:
    return door.gateway._hub


def post(**more: Any) -> PostState:
    return PostState(**{"post_id": 99, "version": 1, "author_id": 8, "created_at": now(), **more})


async def tell(door: "Door", *heard: tuple[str, Any]) -> None:
    await hub_of(door)._tell([Heard(happened, event) for happened, event in heard])


def entries(town: "Town", **found: dict[str, int]) -> None:
    told: dict[str, Any] = {name: found.get(name, {}) for name in ("home", "public", "lists", "conversations")}
    town.say("social", "POST", "/internal/streams/entries", told | {"shown": ['{"id":"99"}']})


@pytest.mark.parametrize(
    ("known", "status", "told"),
    [
        (None, 401, "Invalid access token"),
        ({"session": True}, 401, "Invalid access token"),
        ({"state": "suspended"}, 403, "Your login is currently disabled"),
        ({"state": "unconfirmed"}, 403, "Your login is currently disabled"),
    ],
)
async def test_only_tokens_of_apps_of_people_who_may_log_in_are_let_in(
    door: "Door", town: "Town", known: dict[str, Any] | None, status: int, told: str
) -> None:
    if known is not None:
        town.know("adas", **known)
    async with socket(door, "stream=user") as opened:
        refused = await opened.next()
        assert (refused["type"], refused["status"]) == ("websocket.http.response.start", status)
        assert json.loads((await opened.next())["body"]) == {"error": told}
    async with door.client("adas") as client:
        answer = await client.get("/api/v1/streaming/user")
        assert (answer.status_code, answer.json()) == (status, {"error": told})


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("nonsense", 400, "Unknown stream type"),
        ("", 400, "Unknown stream type"),
        ("hashtag", 400, "Missing tag name parameter"),
        ("list?list=x", 400, "Missing list name parameter"),
        ("list?list=5", 404, "Record not found"),
    ],
)
async def test_what_cannot_be_listened_to_is_named(door: "Door", town: "Town", path: str, status: int, told: str) -> None:
    town.know("adas")
    town.say("social", "GET", "/api/v1/lists/5", {"error": "Record not found"}, 404)
    async with door.client("adas") as client:
        answer = await client.get(f"/api/v1/streaming/{path}")
        assert (answer.status_code, answer.json()) == (status, {"error": told})
        assert (await client.post("/api/v1/streaming/user")).status_code == 405


def test_scopes_and_persons_are_asked_for() -> None:
    posts_only = Identity(kind="user", account_id=7, scopes=frozenset({"read:statuses"}))
    app = Identity(kind="app", scopes=frozenset({"read"}))
    assert channel("user", "", "", posts_only) == Channel("user", "7")
    assert channel("public", "", "", app) == Channel("public")
    assert channel("hashtag", "#Tea", "", app) == Channel("hashtag", "tea")
    for name, identity, status in (
        ("user:notification", posts_only, 403),
        ("list", posts_only, 403),
        ("user", Identity(kind="user", account_id=7, scopes=frozenset({"write"})), 403),
        ("user", app, 422),
        ("direct", app, 422),
    ):
        with pytest.raises(Refused) as refused:
            channel(name, "", "5", identity)
        assert refused.value.status == status, name


def test_paths_mean_streams() -> None:
    assert [name_at(path, only_media=True) for path in ("user", "public/local", "hashtag/local", "public/remote", "x")] == [
        "user",
        "public:local:media",
        "hashtag:local",
        "public:remote:media",
        "",
    ]


async def test_each_stream_of_a_socket_is_told_by_its_name(door: "Door", town: "Town") -> None:
    town.know("adas")
    entries(town, home={"7": 0}, public={"7": 0})
    async with socket(door, "stream=user") as opened:
        assert (await opened.next())["type"] == "websocket.accept"
        for words in ({"stream": "hashtag", "tag": "Tea"}, {"stream": "public"}, {"stream": "user:notification"}):
            await opened.say(type="subscribe", **words)
        await opened.say(type="unsubscribe", stream="public")
        await opened.say(type="subscribe", stream="nonsense")
        assert await opened.text() == {"error": "Unknown stream type", "status": 400}
        await tell(door, ("post.published", post(tags=[{"name": "tea", "display": "Tea"}])))
        told = [await opened.text(), await opened.text()]
        assert sorted(told, key=str) == [
            {"stream": ["hashtag", "tea"], "event": "update", "payload": '{"id":"99"}'},
            {"stream": ["user"], "event": "update", "payload": '{"id":"99"}'},
        ]
    asked = town.asked("social")[-1].json()
    assert asked == {"entry_id": 99, "version": 1, "home": [7], "public": [7], "lists": [], "conversations": []}
    assert hub_of(door)._clients == set()
    assert not any(hub_of(door)._listening.values())


async def test_nonsense_from_clients_says_nothing(door: "Door", town: "Town") -> None:
    town.know("adas")
    async with socket(door, "stream=user") as opened:
        await opened.next()
        for text in ("no json", "[1]", '{"type":"dance"}', '"user"', ""):
            await opened.asked.put({"type": "websocket.receive", "text": text})
        await opened.asked.put({"type": "websocket.receive", "bytes": b"\xff"})
        await opened.say(type="unsubscribe", stream="public")
        await tell(door, ("", FeedMoment(kind="filters_changed", account_id=7)))
        assert await opened.text() == {"stream": ["user"], "event": "filters_changed"}


async def test_what_is_only_published_again_is_told_to_nobody(door: "Door", town: "Town") -> None:
    town.know("adas")
    entries(town, home={"7": 0})
    town.say("social", "POST", "/internal/streams/gone", {"home": [7]})
    async with socket(door, "stream=user") as opened:
        await opened.next()
        await tell(door, ("post.republished", post()), ("post.republished", post(deleted=True)))
        await tell(door, ("post.edited", post()), ("post.deleted", post(deleted=True)))
        assert [(await opened.text())["event"] for _ in range(2)] == ["status.update", "delete"]


async def test_order_is_kept_and_what_fails_is_left_out(door: "Door", town: "Town") -> None:
    town.know("adas")
    town.say("social", "POST", "/internal/streams/entries", {"error": "away"}, 503)
    town.say("social", "POST", "/internal/streams/gone", {"home": [7]})
    async with socket(door, "stream=user") as opened:
        await opened.next()
        boosts = [("", FeedMoment(kind="unboosted", account_id=8, boost_id=number)) for number in range(1, 20)]
        await tell(door, ("post.published", post()), *boosts)
        assert [(await opened.text())["payload"] for _ in boosts] == [str(number) for number in range(1, 20)]


async def test_notifications_need_their_scope_and_old_ones_are_not_told_again(door: "Door", town: "Town") -> None:
    town.know("adas", scopes=["read"], token_id=1)
    town.know("narrow", scopes=["read:statuses"], token_id=2)
    town.say(
        "notify", "GET", "/internal/notification", {"id": "5", "type": "follow", "created_at": "", "account_id": "8", "status_id": None}
    )
    town.say("social", "POST", "/internal/render", {"statuses": {}, "accounts": {"8": {"id": "8"}}})
    given = {"dedupe": "follow:8:0", "kind": "follow", "account_id": 7, "actor_id": 8, "actor_username": "bert", "actor_name": "Bert"}
    old = NoticeTrigger(**given, happened_at="2020-01-01T00:00:00Z")
    async with socket(door, "stream=user") as wide, socket(door, "stream=user", token="narrow") as narrow:
        await wide.next()
        await narrow.next()
        await tell(door, ("notice.follow", old), ("notice.follow", NoticeTrigger(**given, happened_at=now())))
        told = await wide.text()
        assert (told["event"], json.loads(told["payload"])["id"]) == ("notification", "5")
        await tell(door, ("", FeedMoment(kind="filters_changed", account_id=7)))
        assert [(await one.text())["event"] for one in (wide, narrow)] == ["filters_changed"] * 2
    (asked,) = [asked.target for asked in town.asked("notify") if "dedupe" in asked.target]
    assert asked.startswith("/internal/notification?dedupe=follow%3A8%3A0&since=20")


async def test_a_revoked_token_ends_its_streams_only(door: "Door", town: "Town") -> None:
    town.know("adas", token_id=1)
    town.know("other", token_id=2)
    async with socket(door, "stream=user") as mine, socket(door, "stream=user", token="other") as others:
        await mine.next()
        await others.next()
        del town.tokens["adas"]
        for forget in (door.gateway._identities.forget, hub_of(door).look_again):
            forget(7, [1])
        assert (await mine.next())["type"] == "websocket.close"
        for forget in (door.gateway._identities.forget, hub_of(door).look_again):
            forget(7, None)
        await tell(door, ("", FeedMoment(kind="filters_changed", account_id=7)))
        assert (await others.text())["event"] == "filters_changed"


async def test_nobody_takes_all_connections(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(max_streams=MOST_OF_ONE + 1)
    for number, token in enumerate(("adas", "berts", "cleos")):
        town.know(token, account_id=str(7 + number))
    hub = hub_of(door)
    async with door.client("adas") as adas, door.client("cleos") as cleos:
        clients = [Client(ADA, "adas") for _ in range(MOST_OF_ONE)]
        contexts = [hub.connected(client) for client in clients]
        for context in contexts:
            await context.__aenter__()
        answer = await adas.get("/api/v1/streaming/user")
        assert (answer.status_code, answer.json()["error"]) == (429, "Too many streams at once")
        async with socket(door, "stream=user", token="berts") as last:
            assert (await last.next())["type"] == "websocket.accept"
            assert (await cleos.get("/api/v1/streaming/user")).status_code == 503
        for context in contexts:
            await context.__aexit__(None, None, None)
    assert not hub._connections


async def test_who_does_not_take_what_comes_is_let_go() -> None:
    client = Client(ADA, "adas")
    message = Message(Channel("user", "7"), "delete", "1")
    for _ in range(MOST_WAITING):
        client.give(message)
    assert not client.ended
    client.give(message)
    assert client.ended
    assert await client.next(0.1) == []


def test_events_are_written_as_both_ways_have_it() -> None:
    message = Message(Channel("hashtag", "tea"), "update", '{"a":"b\\nc"}')
    assert json.loads(message.frame()) == {"stream": ["hashtag", "tea"], "event": "update", "payload": '{"a":"b\\nc"}'}
    assert message.lines() == b'event: update\ndata: {"a":"b\\nc"}\n\n'
