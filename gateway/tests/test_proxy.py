"""What a service sees of a client's request, what a client sees of its answer, and what is said when there is none."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
from common.identity import HEADER, Identity, Signer, generate_key

from gateway import services

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, MakePeer, Peer, Town

pytestmark = pytest.mark.anyio

OPEN = "/api/v1/timelines/public"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AWAY = (503, "The service is temporarily unavailable")
TOO_LARGE = (413, "The request is too large")


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and sentence of an error, in the form that clients of the Mastodon API read."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status_code, answer.json()["error"]


async def chunks(size: int, fill: bytes = b"x") -> AsyncIterator[bytes]:
    for start in range(0, size, 65_536):
        yield fill * min(65_536, size - start)


# What goes on to a service


async def test_a_service_sees_what_the_client_said_and_nothing_meant_for_the_door(door: "Door", town: "Town") -> None:
    for_the_service = {
        "Accept": "application/json",
        "Accept-Language": "de",
        "User-Agent": "Tusky/1",
        "Idempotency-Key": "k1",
        "If-None-Match": '"x"',
    }
    for_the_door = {
        "Connection": "keep-alive",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Trailer": "X-Sum",
        "Upgrade": "h2c",
        "Proxy-Authorization": "Basic eDp5",
        "Expect": "100-continue",
        "Cookie": "session=abc",
        "Accept-Encoding": "gzip",
        "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    async with door.client(town.know("adas")) as client:
        await client.get(OPEN, headers=for_the_service | for_the_door)
    seen = town.asked("social")[0].headers
    assert {name: seen[name] for name in for_the_service} == for_the_service
    assert {name.lower() for name in for_the_door} & set(seen) <= {"accept-encoding"}
    assert "authorization" not in seen


async def test_no_service_is_asked_to_compress_what_the_door_cannot_read(door: "Door", town: "Town") -> None:
    async with door.client(headers={"Accept-Encoding": "identity"}) as client:
        await client.get(OPEN)
    assert town.asked()[0].headers.get("accept-encoding", "identity") == "identity"


async def test_headers_that_the_connection_header_names_stay_at_the_door(door: "Door", town: "Town") -> None:
    async with door.client() as client:
        await client.get(OPEN, headers={"Connection": "close, X-Hop", "X-Hop": "1"})
    assert "x-hop" not in town.asked()[0].headers


@pytest.mark.parametrize("name", [HEADER, HEADER.upper(), HEADER.replace("-", "_"), "X_Microblog-Identity"])
async def test_who_calls_is_never_taken_from_a_clients_header(door: "Door", town: "Town", keys: tuple[str, str], name: str) -> None:
    root = Identity(kind="user", account_id=1, name="root", role="admin", scopes=frozenset({"read", "write"}))
    for key in (keys[0], generate_key("gateway")[0]):
        forged = {name: Signer(key).sign(root, "social"), "X-Microblog-Reply-Author": "1", "x-microblog-version": "9"}
        async with door.client(headers=forged) as nobody, door.client(town.know("adas"), headers=forged) as ada:
            assert (await nobody.get(OPEN)).status_code == (await ada.get(OPEN)).status_code == 200
            assert told(await nobody.get("/api/v1/timelines/home")) == (401, "The access token is invalid")
    assert [asked.identity.name for asked in town.asked()] == ["", "ada"] * 2
    for asked in town.asked():
        assert [header for header in asked.headers if "microblog" in header] == [HEADER]


async def test_an_identity_is_for_one_service_only_and_signed_once_for_many_calls(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        for path in (OPEN, OPEN, "/api/v1/markers"):
            assert (await client.get(path)).status_code == 200
    first, second, other = (asked.headers[HEADER] for asked in town.asked())
    assert first == second != other


async def test_where_a_call_comes_from_is_said_by_the_door_alone(door: "Door", town: "Town") -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;host=evil.example",
        "Host": "evil.example",
    }
    async with door.client(headers=lies) as client:
        await client.get(OPEN)
    seen = town.asked()[0].headers
    assert seen.get_list("x-forwarded-for") == ["203.0.113.5"]
    assert not {"x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded"} & set(seen)
    assert seen["host"] == town.url.removeprefix("http://")


@pytest.mark.parametrize("name", ["X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Scheme"])
async def test_no_header_of_the_forwarded_family_passes(door: "Door", town: "Town", name: str) -> None:
    async with door.client(headers={name: "evil"}) as client:
        await client.get(OPEN)
    assert name.lower() not in town.asked()[0].headers


async def test_a_trusted_proxy_says_where_a_call_comes_from(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(trusted_proxies=["203.0.113.0/24"])
    async with door.client() as client:
        for hops in ("198.51.100.1", "6.6.6.6, 198.51.100.1", "198.51.100.1, 203.0.113.9", "nonsense"):
            await client.get(OPEN, headers={"X-Forwarded-For": hops})
    assert [asked.headers["x-forwarded-for"] for asked in town.asked()] == ["198.51.100.1"] * 3 + ["nonsense"]


async def test_oauth_gets_the_apps_own_credentials_and_nobody_else_gets_any(door: "Door", town: "Town") -> None:
    async with door.client(headers={"Authorization": "Basic YXBwOnNlY3JldA=="}) as client:
        for path in ("/oauth/token", "/oauth/revoke", "/api/v1/apps"):
            await client.post(path, data={"token": "x"})
    assert [asked.headers.get("authorization") for asked in town.asked("auth")] == ["Basic YXBwOnNlY3JldA=="] * 2 + [None]


async def test_bodies_and_addresses_arrive_as_they_were_sent(door: "Door", town: "Town") -> None:
    body = bytes(range(256)) * 40
    async with door.client(town.know("adas")) as client:
        await client.post("/api/v1/markers?a=%2F%20+%C3%B6&a=&b", content=body, headers={"Content-Type": "application/octet-stream"})
        await client.post("/api/v1/markers/", content=chunks(200_000), headers={"Content-Type": "text/plain"})
        await client.get("/api/v1/timelines/tag/gr%C3%B6%C3%9Fe%2Fx%3F")
        await client.get("/api/v1/timelines/tag/gr%C3%B6%C3%9Fe%3F")
    whole, chunked, tag = town.asked()
    assert (whole.target, whole.body) == ("/api/v1/markers?a=%2F%20+%C3%B6&a=&b", body)
    assert whole.headers["content-type"] == "application/octet-stream"
    assert (chunked.target, chunked.body) == ("/api/v1/markers", b"x" * 200_000)
    assert (chunked.headers["content-length"], "transfer-encoding" in chunked.headers) == ("200000", False)
    assert tag.target == "/api/v1/timelines/tag/gr%C3%B6%C3%9Fe%3F"


@pytest.mark.parametrize("wrong", ["1%3Fa=b", "1%23x", "1%20x", "1%0d%0aX-Foo:%20bar", "%C3%B6", "%2e%2e"])
async def test_an_id_that_is_none_is_found_nowhere(door: "Door", town: "Town", wrong: str) -> None:
    async with door.client(town.know("adas")) as client:
        answers = [
            await client.get(f"/api/v1/notifications/{wrong}"),
            await client.put(f"/api/v1/statuses/{wrong}", data={"status": "x"}),
            await client.delete(f"/api/v1/statuses/{wrong}"),
        ]
    assert [told(answer) for answer in answers] == [(404, "Record not found")] * 3
    assert town.asked() == []


# How much may be sent


async def test_a_body_may_have_a_million_bytes_and_not_one_more(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        for most, path in ((1_000_000, "/api/v1/markers"), (34_000_000, "/api/v2/media")):
            assert (await client.post(path, content=b"x" * most)).status_code == 200
            assert told(await client.post(path, content=b"x" * (most + 1))) == TOO_LARGE
            assert told(await client.post(path, content=chunks(most + 1))) == TOO_LARGE
        assert told(await client.patch("/api/v1/accounts/update_credentials", content=b"x" * 34_000_001)) == TOO_LARGE
    assert [len(asked.body) for asked in town.asked()] == [1_000_000, 34_000_000]


async def raw(door: "Door", path: str, parts: list[dict[str, Any]], headers: dict[str, str]) -> tuple[int, int]:
    """POST with a body that comes in parts; the status (0 for no answer), and how many of the parts were taken."""
    left, sent = list(parts), []

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.5", 4711),
        "server": ("microblog.example", 443),
    }
    await door.gateway(scope, receive, send)
    return next((message["status"] for message in sent if message["type"] == "http.response.start"), 0), len(parts) - len(left)


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_that_says_it_is_too_large_is_not_even_read(door: "Door", town: "Town") -> None:
    headers = {"Authorization": f"Bearer {town.know('adas')}", "Content-Length": "1000001"}
    assert await raw(door, "/api/v1/markers", [part(b"x" * 65_536) for _ in range(16)], headers) == (413, 0)


async def test_an_endless_body_is_read_no_further_than_its_limit(door: "Door", town: "Town") -> None:
    headers = {"Authorization": f"Bearer {town.know('adas')}", "Transfer-Encoding": "chunked"}
    status, taken = await raw(door, "/api/v1/markers", [part(b"x" * 100_000) for _ in range(100)], headers)
    assert status == 413
    assert taken <= 11


@pytest.mark.parametrize("framing", [{"Content-Length": "500"}, {"Transfer-Encoding": "chunked"}])
async def test_what_a_client_did_not_finish_saying_is_not_said(door: "Door", town: "Town", framing: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {town.know('adas')}", **FORM, **framing}
    await raw(door, "/api/v1/statuses", [part(b"status=I+never+said+that+I+like+")], headers)
    await raw(door, "/api/v1/markers", [part(b"home[last_read_id]=12")], headers)
    assert town.asked() == []


# Services with faults


@pytest.mark.parametrize(
    ("method", "path"), [("GET", OPEN), ("POST", "/api/v1/statuses/1/favourite"), ("GET", "/api/v1/statuses/1/history")]
)
async def test_a_service_that_is_away_is_told_as_such(make_door: "MakeDoor", town: "Town", method: str, path: str) -> None:
    door = await make_door(social_url="http://127.0.0.1:1")
    async with door.client(town.know("adas")) as client:
        answer = await client.request(method, path)
        assert told(answer) == AWAY
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/api/v1/markers")).status_code == 200


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *answers: bytes) -> None:
    """Give the answers one after the other and hang up."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        if not answers:
            await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Type: appl", id="half a head"),
        pytest.param(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"id": "1"}', id="half a body"),
        pytest.param(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{"id', id="half a chunk"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", id="two lengths"),
        pytest.param(b"HTTP/1.1 99999 ?\r\n\r\n", id="no status"),
    ],
)
async def test_an_answer_that_is_none_is_a_service_that_is_away(make_door: "MakeDoor", peer: "MakePeer", answer: bytes) -> None:
    door = await make_door(social_url=await peer(lambda reader, writer: answering(reader, writer, answer)))
    async with door.client() as client:
        assert told(await client.get(OPEN)) == AWAY


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]"])
async def test_a_service_that_is_too_slow_is_told_as_such(
    make_door: "MakeDoor", peer: "MakePeer", town: "Town", monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    asked = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            writer.write(begun)
            await reader.read()
        writer.close()

    assert services._TIMEOUT.total == 10
    monkeypatch.setattr(services, "_TIMEOUT", aiohttp.ClientTimeout(total=0.3, connect=0.3))
    door = await make_door(social_url=await peer(slow))
    async with door.client() as client:
        answer = await client.get(OPEN)
        assert told(answer) == (504, "The service did not answer in time")
        assert int(answer.headers["retry-after"]) > 0
        assert asked == 1, "what is slow is not asked twice"
        assert (await client.get("/api/v1/announcements")).status_code == 200


class Closing:
    """A peer that answers one request on each connection, and hangs up at the second, as if it had been idle for too long."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for answer in (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]", b""):
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.split(b" ", 1)[0].decode())
                writer.write(answer)
        writer.close()


@pytest.mark.parametrize(("method", "path", "want", "arrived"), [("GET", OPEN, 200, 3), ("POST", "/api/v1/statuses/1/favourite", 503, 2)])
async def test_what_may_be_repeated_is_when_an_idle_connection_was_closed_and_nothing_else(
    make_door: "MakeDoor", peer: "MakePeer", town: "Town", method: str, path: str, want: int, arrived: int
) -> None:
    closing = Closing()
    behave: Peer = closing
    door = await make_door(social_url=await peer(behave))
    async with door.client(town.know("adas")) as client:
        assert (await client.get(OPEN)).status_code == 200
        assert (await client.request(method, path)).status_code == want
    assert closing.requests == ["GET", method, method][:arrived]


# What comes back


async def test_a_client_sees_what_was_answered_and_nothing_of_the_machinery(door: "Door", town: "Town") -> None:
    town.say(
        "social",
        "GET",
        OPEN,
        b"[]",
        content_type="application/json; charset=utf-8",
        link='<https://microblog.example/x>; rel="next"',
        cache_control="public, max-age=5",
        set_cookie="session=stolen",
        x_powered_by="uvicorn",
        x_microblog_identity="inside",
        access_control_allow_origin="https://other.example",
        x_request_id="theirs",
    )
    async with door.client(headers={"X-Request-Id": "mine"}) as client:
        first, second = await client.get(OPEN), await client.get(OPEN)
    assert first.content == b"[]"
    assert (first.headers["content-type"], first.headers["link"]) == (
        "application/json; charset=utf-8",
        '<https://microblog.example/x>; rel="next"',
    )
    assert first.headers["cache-control"] == "public, max-age=5"
    assert not {"set-cookie", "x-powered-by", HEADER, "server"} & set(first.headers)
    assert first.headers.get_list("access-control-allow-origin") == ["*"]
    assert len({first.headers["x-request-id"], second.headers["x-request-id"], "mine", "theirs"}) == 4


@pytest.mark.parametrize("status", [201, 400, 404, 410, 422, 429, 500])
async def test_a_services_own_verdict_passes_unchanged(door: "Door", town: "Town", status: int) -> None:
    town.say("social", "GET", OPEN, {"error": "So it is", "details": {"a": []}}, status, retry_after="7")
    async with door.client() as client:
        answer = await client.get(OPEN)
    assert (answer.status_code, answer.json()) == (status, {"error": "So it is", "details": {"a": []}})
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("7", "private, no-store")


async def test_a_service_leads_the_door_nowhere_else(door: "Door", town: "Town") -> None:
    town.say("social", "GET", OPEN, b"", 302, location=f"{town.url}/posts/internal/instance")
    async with door.client() as client:
        answer = await client.get(OPEN)
    assert (answer.status_code, "location" in answer.headers) == (302, False)
    assert len(town.log) == 1


async def test_long_json_is_compressed_for_those_who_ask(door: "Door", town: "Town") -> None:
    long, short = [{"id": str(n), "content": "<p>hello</p>"} for n in range(200)], [{"id": "1"}]
    town.say("social", "GET", OPEN, long)
    town.say("social", "GET", "/api/v1/statuses", short)
    town.say("posts", "GET", "/media/posts/a.png", b"\x89PNG" * 1000, content_type="image/png")
    async with door.client(headers={"Accept-Encoding": "deflate, gzip;q=0.8, br"}) as client:
        answer = await client.get(OPEN)
        assert (answer.headers["content-encoding"], answer.json()) == ("gzip", long)
        assert {"Accept-Encoding", "Authorization"} <= set(answer.headers["vary"].split(", "))
        async with client.stream("GET", OPEN) as streamed:
            sent = b"".join([part async for part in streamed.aiter_raw()])
        assert (int(streamed.headers["content-length"]), json.loads(gzip.decompress(sent))) == (len(sent), long)
        for path in ("/api/v1/statuses", "/media/posts/a.png"):
            assert "content-encoding" not in (await client.get(path)).headers
        plain = await client.get(OPEN, headers={"Accept-Encoding": "identity"})
        assert ("content-encoding" in plain.headers, plain.json()) == (False, long)


async def test_who_refuses_gzip_gets_none(door: "Door", town: "Town") -> None:
    town.say("social", "GET", OPEN, ["x" * 2000])
    async with door.client(headers={"Accept-Encoding": "identity, gzip;q=0"}) as client:
        assert "content-encoding" not in (await client.get(OPEN)).headers


async def test_a_head_request_is_a_get_without_its_body(door: "Door", town: "Town") -> None:
    town.say("social", "GET", OPEN, [{"id": "1"}])
    async with door.client() as client:
        answer = await client.head(OPEN)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "12")
    assert [asked.method for asked in town.asked()] == ["GET"]


async def test_an_address_that_is_too_long_is_refused(door: "Door", town: "Town") -> None:
    async with door.client() as client:
        assert told(await client.get(OPEN, params={"x": "y" * 8_000})) == (414, "The address is too long")
    assert town.log == []


# Health


async def test_readiness_names_who_is_not_ready_and_why(make_door: "MakeDoor", town: "Town") -> None:
    for name in ("auth", "posts", "social", "search", "translate"):
        town.say(name, "GET", "/health/self", {"ready": True, "reasons": []})
    town.say("notify", "GET", "/health/self", {"ready": False, "reasons": ["no database"]}, 503)
    door = await make_door(worker_urls={"posts": f"{town.url}/posts", "search": "http://127.0.0.1:1"})
    async with door.client() as client:
        answer = await client.get("/health/ready")
        assert answer.status_code == 503
        waiting = answer.json()["waiting"]
        assert set(waiting) == {"notify api", "search worker"}
        assert waiting["notify api"] == ["no database"]
        assert waiting["search worker"][0].startswith("no answer")
        for path in ("/health/live", "/health/self"):
            assert (await client.get(path)).json() == {"name": "gateway", "ready": True, "reasons": []}
    assert all(not asked.identity.is_user for asked in town.log)
