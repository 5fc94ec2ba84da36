"""Streams, end to end: what happens reaches those who listen, at once, as WebSocket and as server-sent events."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from mastodon import Mastodon, StreamListener
from operating import operate
from stack import Person, Stack, wait_for
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


@dataclass
class Ear:
    """Somebody's WebSocket."""

    socket: ClientConnection
    heard: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, event: str, stream: str | None = None, patience: float = 10.0) -> Any:
        """The payload of the next such event; what came before it stays in `heard`."""
        deadline = time.monotonic() + patience
        while True:
            told = json.loads(self.socket.recv(timeout=max(0.1, deadline - time.monotonic())))
            self.heard.append(told)
            if told.get("event") == event and stream in (None, told["stream"][0]):
                payload = told.get("payload")
                return payload if event == "delete" or payload is None else json.loads(payload)

    def ask(self, kind: str, stream: str, **more: str) -> None:
        self.socket.send(json.dumps({"type": kind, "stream": stream, **more}))

    @property
    def streams(self) -> list[list[str]]:
        return [told["stream"] for told in self.heard]


def address(stack: Stack, **query: str) -> str:
    return f"{stack.url.replace('http', 'ws', 1)}/api/v1/streaming?{httpx.QueryParams(query)}"


@pytest.fixture
def listen(stack: Stack) -> Iterator[Any]:
    with ExitStack() as opened:

        def ear(person: Person, **query: str) -> Ear:
            return Ear(opened.enter_context(connect(address(stack, access_token=person.token, **query), open_timeout=20)))

        yield ear


def test_home_tells_of_posts_edits_boosts_and_what_is_gone(stack: Stack, listen: Any) -> None:
    author, fan, other = stack.new_person("author"), stack.new_person("fan"), stack.new_person("other")
    fan.follow(author)
    ear = listen(fan, stream="user")
    other.write("nothing to the fan")
    status = author.write("hello **you**", visibility="private")
    told = ear.hear("update")
    assert told == fan.get(f"/api/v1/statuses/{status['id']}")
    author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": "hello again"})
    edited = ear.hear("status.update")
    assert (edited["id"], edited["content"]) == (status["id"], "<p>hello again</p>")
    boosted = author.post(f"/api/v1/statuses/{other.write('worth it')['id']}/reblog")
    assert ear.hear("update")["id"] == boosted["id"]
    author.post(f"/api/v1/statuses/{boosted['reblog']['id']}/unreblog")
    assert ear.hear("delete") == boosted["id"]
    author.client.delete(f"/api/v1/statuses/{status['id']}")
    assert ear.hear("delete") == status["id"]
    assert ear.streams == [["user"]] * 5


def test_notifications_come_whole_and_once(stack: Stack, listen: Any) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    status = author.write("hello")
    ear = listen(author, stream="user:notification")
    fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    told = ear.hear("notification")
    assert (told["type"], told["account"]["id"], told["status"]["id"]) == ("favourite", fan.id, status["id"])
    assert told == author.get(f"/api/v1/notifications/{told['id']}")
    fan.follow(author)
    assert ear.hear("notification")["type"] == "follow"
    fan.post(f"/api/v1/statuses/{status['id']}/unfavourite")
    fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    again = ear.hear("notification")
    assert (again["type"], int(again["id"]) > int(told["id"])) == ("favourite", True)
    assert len(ear.heard) == 3


def test_one_connection_has_many_streams_and_says_which(stack: Stack, listen: Any) -> None:
    reader, author = stack.new_person("reader"), stack.new_person("author")
    tag = f"tea{secrets.token_hex(3)}"
    listed = reader.post("/api/v1/lists", title="a list")["id"]
    reader.post(f"/api/v1/lists/{listed}/accounts", account_ids=[author.id])
    ear = listen(reader)
    for stream, more in (("public:local", {}), ("hashtag", {"tag": f"#{tag.upper()}"}), ("list", {"list": listed}), ("direct", {})):
        ear.ask("subscribe", stream, **more)
    ear.ask("subscribe", "nonsense")
    assert json.loads(ear.socket.recv(timeout=10)) == {"error": "Unknown stream type", "status": 400}
    status = author.write(f"a cup of #{tag}")
    for _ in range(3):
        assert ear.hear("update")["id"] == status["id"]
    assert sorted(ear.streams) == [["hashtag", tag], ["list", listed], ["public:local"]]
    answer = author.write("in answer", in_reply_to_id=reader.write("me")["id"])
    ear.ask("unsubscribe", "list", list=listed)
    direct = author.write(f"psst @{reader.name}", visibility="direct")
    told = ear.hear("conversation", "direct")
    assert (told["last_status"]["id"], told["unread"]) == (direct["id"], True)
    assert answer["id"] not in [json.loads(one["payload"])["id"] for one in ear.heard if one["stream"] == ["public:local"]]


def test_who_may_not_see_something_is_not_told_of_it(stack: Stack, listen: Any) -> None:
    author, stranger, blocked = stack.new_person("author"), stack.new_person("stranger"), stack.new_person("blocked")
    blocked.follow(author)
    author.post(f"/api/v1/accounts/{blocked.id}/block")
    ears = [listen(person) for person in (stranger, blocked)]
    for ear in ears:
        for stream in ("user", "public"):
            ear.ask("subscribe", stream)
    for visibility in ("private", "unlisted", "direct"):
        author.write("not for everybody", visibility=visibility)
    public = author.write("for everybody")
    last = stack.new_person("last").write("the last word")
    for ear, expected in zip(ears, ([public["id"], last["id"]], [last["id"]]), strict=True):
        while ear.hear("update")["id"] != last["id"]:
            pass
        mine = [json.loads(one["payload"])["id"] for one in ear.heard]
        assert [an_id for an_id in mine if an_id in (public["id"], last["id"])] == expected
        assert not [one for one in ear.heard if "not for everybody" in one["payload"]]


def test_a_token_that_ends_ends_its_streams_and_no_others(stack: Stack, listen: Any) -> None:
    reader, other = stack.new_person("reader"), stack.new_person("other")
    ear, others = listen(reader, stream="user"), listen(other, stream="user")
    began = time.monotonic()
    app, _ = stack.app_token()
    named = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    assert other.client.post("/oauth/revoke", data={**named, "token": reader.token}).status_code == 200
    with pytest.raises(ConnectionClosed):
        ear.socket.recv(timeout=10)
    assert time.monotonic() - began < 5
    assert others.socket.ping().wait(5)
    with pytest.raises(InvalidStatus) as refused:
        connect(address(stack, access_token=reader.token, stream="user"))
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"stream": "user"}, 401, "Missing access token"),
        ({"stream": "user", "access_token": "nonsense"}, 401, "Invalid access token"),
    ],
)
def test_without_a_good_token_nothing_is_streamed(stack: Stack, query: dict[str, str], status: int, told: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(address(stack, **query))
    assert (refused.value.response.status_code, json.loads(refused.value.response.body)["error"]) == (status, told)
    answer = httpx.get(f"{stack.url}/api/v1/streaming/user", params=query)
    assert (answer.status_code, answer.json()["error"], answer.headers["access-control-allow-origin"]) == (status, told, "*")


def test_a_token_may_come_as_protocol_of_the_socket(stack: Stack) -> None:
    reader = stack.new_person("reader")
    with connect(address(stack, stream="user"), subprotocols=[reader.token]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == reader.token
        reader.write("to myself")
        assert json.loads(socket.recv(timeout=10))["event"] == "update"


class Heard(StreamListener):  # type: ignore[misc]
    """What Mastodon.py hears."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []

    def on_update(self, status: Any) -> None:
        self.log.append(("update", str(status.id)))

    def on_status_update(self, status: Any) -> None:
        self.log.append(("status.update", str(status.id)))

    def on_delete(self, status_id: Any) -> None:
        self.log.append(("delete", str(status_id)))

    def on_notification(self, notification: Any) -> None:
        self.log.append((notification.type, notification.account.acct))

    def on_filters_changed(self) -> None:
        self.log.append(("filters_changed", None))

    def on_announcement(self, announcement: Any) -> None:
        self.log.append(("announcement", announcement.content))


@contextmanager
def hearing(stream: Any, *arguments: Any) -> Iterator[Heard]:
    heard = Heard()
    handle = stream(*arguments, heard, run_async=True, timeout=30)
    wait_for(lambda: handle.is_receiving(), "the stream")
    yield heard
    handle.close()


def test_mastodon_py_hears_everything_as_server_sent_events(stack: Stack) -> None:
    author, fan = stack.new_person("author"), stack.new_person("fan")
    fan.follow(author)
    api = Mastodon(access_token=fan.token, api_base_url=stack.url)
    with hearing(api.stream_user) as home, hearing(api.stream_hashtag, "coffee") as coffee, hearing(api.stream_public) as public:
        status = author.write(f"for @{fan.name} with #coffee")
        wait_for(lambda: len(home.log) == 2, "post and mention")
        assert sorted(home.log) == [("mention", author.name), ("update", status["id"])]
        author.client.put(f"/api/v1/statuses/{status['id']}", json={"status": "without"})
        wait_for(lambda: home.log[2:] == [("status.update", status["id"])], "the edit")
        author.client.delete(f"/api/v1/statuses/{status['id']}")
        wait_for(lambda: home.log[3:] == [("delete", status["id"])], "the deletion")
        fan.post("/api/v1/filters", phrase="tea", context=["home"])
        wait_for(lambda: home.log[4:] == [("filters_changed", None)], "the filter")
        wait_for(lambda: ("delete", status["id"]) in coffee.log and ("delete", status["id"]) in public.log, "the deletion in public")
        assert coffee.log[0] == ("update", status["id"])
        assert ("update", status["id"]) in public.log


def test_announcements_are_streamed(stack: Stack) -> None:
    reader, text = stack.new_person("reader"), f"Soon: {secrets.token_hex(4)}"
    api = Mastodon(access_token=reader.token, api_base_url=stack.url)
    with hearing(api.stream_user) as heard:
        wait_for(lambda: reader.get("/api/v1/announcements") is not None, "announcements")
        operate(stack, "announcements", "announce", text)
        wait_for(lambda: ("announcement", f"<p>{text}</p>") in heard.log, "the announcement", 25)


def test_the_server_says_where_its_streams_are(stack: Stack) -> None:
    socket = stack.url.replace("http", "ws", 1)
    assert httpx.get(f"{stack.url}/api/v1/instance").json()["urls"]["streaming_api"] == socket
    assert httpx.get(f"{stack.url}/api/v2/instance").json()["configuration"]["urls"]["streaming"] == socket
    assert httpx.get(f"{stack.url}/api/v1/streaming/health").text == "OK"
