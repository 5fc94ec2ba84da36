"""How often somebody may call: the counting, and what the door answers when it is too often."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from common.identity import generate_key
from common.settings import SharedSettings
from gateway.limits import Limits
from gateway.main import Gateway
from gateway.settings import Settings

pytestmark = pytest.mark.anyio

OPEN_TO_ALL = "/api/v1/custom_emojis"
NOWHERE = {f"{name}_url": "http://127.0.0.1:1" for name in ("auth", "posts", "social", "search", "notify", "translate")}


def caller(gateway: Gateway, address: str = "203.0.113.5") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(gateway, client=(address, 4711)), base_url="http://microblog.example")


def door(*trusted: str) -> Gateway:
    private, public = generate_key("gateway")
    shared = SharedSettings(
        public_url="http://microblog.example", kafka_servers="127.0.0.1:1", identity_keys=json.dumps({"keys": [public]}), replica="test-0"
    )
    return Gateway(
        shared, Settings.model_validate({**NOWHERE, "signing_key": private, "cookie_secret": "c" * 32, "trusted_proxies": trusted})
    )


def test_each_caller_has_a_window_of_their_own_for_each_kind_of_call() -> None:
    limits = Limits(enabled=True)
    assert [limits.count("media", "ada").allowed for _ in range(31)] == [True] * 30 + [False]
    assert limits.count("media", "bob").allowed
    assert limits.count("delete", "ada").allowed
    assert limits.count("api", "ada").headers["x-ratelimit-limit"] == "300"


def test_the_headers_count_down_to_a_reset_that_is_near() -> None:
    limits = Limits(enabled=True)
    told = [limits.count("media", "ada").headers for _ in range(3)]
    assert [headers["x-ratelimit-remaining"] for headers in told] == ["29", "28", "27"]
    left = datetime.fromisoformat(told[-1]["x-ratelimit-reset"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30, seconds=1)


def test_probes_are_never_counted_and_limits_can_be_switched_off() -> None:
    assert Limits(enabled=True).count("none", "ada").headers == {}
    limits = Limits(enabled=False)
    assert all(limits.count("media", "ada").allowed for _ in range(100))


async def test_too_many_calls_are_told_when_to_come_back() -> None:
    async with caller(gateway := door()) as client:
        answers = [await client.get(OPEN_TO_ALL) for _ in range(301)]
        assert [answer.status_code for answer in answers] == [200] * 300 + [429]
        refused = answers[-1]
        assert refused.json() == {"error": "Too many requests"}
        assert 0 < int(refused.headers["retry-after"]) <= 300
        assert (refused.headers["x-ratelimit-remaining"], refused.headers["access-control-allow-origin"]) == ("0", "*")
        assert (await client.get("/health/live")).status_code == 200
    async with caller(gateway, "203.0.113.6") as somebody_else:
        assert (await somebody_else.get(OPEN_TO_ALL)).status_code == 200


async def test_a_forwarded_address_counts_only_when_a_trusted_proxy_says_it() -> None:
    async with caller(door()) as liar:
        told = [(await liar.get(OPEN_TO_ALL, headers={"X-Forwarded-For": f"198.51.100.{n}"})).headers for n in range(3)]
    assert [headers["x-ratelimit-remaining"] for headers in told] == ["299", "298", "297"]
    async with caller(door("10.0.0.0/8"), "10.1.2.3") as proxy:
        told = [
            (await proxy.get(OPEN_TO_ALL, headers={"X-Forwarded-For": hops})).headers
            for hops in ("198.51.100.1", "6.6.6.6, 198.51.100.1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.2")
        ]
    assert [headers["x-ratelimit-remaining"] for headers in told] == ["299", "298", "297", "299"]


async def test_pages_are_limited_in_plain_words_and_their_files_are_not() -> None:
    async with caller(door()) as client:
        answers = [await client.get("/about") for _ in range(601)]
        assert [answer.status_code for answer in answers] == [200] * 600 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await client.get("/static/0/site.css")).status_code == 200
