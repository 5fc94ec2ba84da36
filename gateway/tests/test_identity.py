"""From a client's token to who calls: asked once, remembered, forgotten in time; and what callers without rights are told."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from common.events import SecurityEvent
from gateway.identity import FRESH_FOR, KEPT_FOR

from gateway import identity

if TYPE_CHECKING:
    from .conftest import Door, MakeDoor, MakePeer, Town

pytestmark = pytest.mark.anyio

HOME = "/api/v1/timelines/home"
NOWHERE = "http://127.0.0.1:1"
INVALID = (401, "The access token is invalid")


@dataclass
class Clock:
    """A clock for what the gateway remembers."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(identity, "time", made)
    return made


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_who_makes_up_tokens_has_auth_asked_no_more_often_than_they_may_call(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(rate_limits=True)
    async with door.client(town.know("adas")) as known, door.client() as stranger:
        assert (await known.get(HOME)).status_code == 200
        answers = [await stranger.get(HOME, headers={"Authorization": f"Bearer made-up-{number}"}) for number in range(310)]
        assert [answer.status_code for answer in answers] == [401] * 300 + [429] * 10
        assert 0 < int(answers[-1].headers["retry-after"]) <= 300
        assert sum(town.introspections.values()) == 1 + 300
        assert (await known.get(HOME)).status_code == 200  # who is known isn't asked about, whoever else has the address


async def test_tokens_that_are_good_leave_an_address_what_it_has(make_door: "MakeDoor", town: "Town") -> None:
    door = await make_door(rate_limits=True)
    for number in range(310):
        async with door.client(town.know(f"token-{number}", account_id=str(number + 1))) as person:
            assert (await person.get(HOME)).status_code == 200


async def test_auth_is_asked_once_a_minute_and_not_more_often(door: "Door", town: "Town", clock: Clock) -> None:
    async with door.client(town.know("adas")) as client:
        for _ in range(3):
            assert (await client.get(HOME)).status_code == 200
        assert town.introspections["adas"] == 1
        clock.now += FRESH_FOR - 0.1
        await client.get(HOME)
        assert town.introspections["adas"] == 1
        clock.now += 0.2
        await client.get(HOME)
    assert town.introspections["adas"] == 2


async def test_many_calls_at_once_ask_auth_once(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        answers = await asyncio.gather(*(client.get(HOME) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert town.introspections["adas"] == 1


async def test_people_are_not_mixed_up_however_many_call_at_once(door: "Door", town: "Town") -> None:
    names = [town.know(f"token-{n}", account_id=str(n), username=f"person{n}") for n in range(1, 16)]
    async with door.client() as client:
        await asyncio.gather(*(client.get(HOME, params={"n": name}, headers={"Authorization": f"Bearer {name}"}) for name in names * 2))
    seen = {(asked.target.rsplit("=", 1)[1], asked.identity.account_id) for asked in town.asked("social")}
    assert seen == {(name, n) for n, name in enumerate(names, 1)}


async def test_who_is_unknown_is_asked_about_again_soon(door: "Door", town: "Town", clock: Clock) -> None:
    async with door.client("later") as client:
        assert [told(await client.get(HOME)) for _ in range(3)] == [INVALID] * 3
        assert town.introspections["later"] == 1
        town.know("later")
        clock.now += 5
        assert (await client.get(HOME)).status_code == 200


async def test_a_revoked_token_ends_within_a_minute_even_if_nobody_hears_of_it(door: "Door", town: "Town", clock: Clock) -> None:
    async with door.client(town.know("adas")) as client:
        assert (await client.get(HOME)).status_code == 200
        del town.tokens["adas"]
        clock.now += FRESH_FOR
        assert told(await client.get(HOME)) == INVALID


async def test_a_token_revoked_through_this_gateway_ends_at_once(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas")) as client:
        assert (await client.get(HOME)).status_code == 200
        del town.tokens["adas"]
        form = {"client_id": "app", "client_secret": "kept", "token": "adas"}
        assert (await client.post("/oauth/revoke", data=form)).status_code == 200
        assert town.asked("auth")[-1].body == b"client_id=app&client_secret=kept&token=adas"
        assert told(await client.get(HOME)) == INVALID


async def test_a_token_that_auth_did_not_end_is_still_remembered(door: "Door", town: "Town") -> None:
    town.say("auth", "POST", "/oauth/revoke", {"error": "unauthorized_client"}, 403)
    async with door.client(town.know("adas")) as client:
        await client.get(HOME)
        assert (await client.post("/oauth/revoke", data={"token": "adas"})).status_code == 403
        await client.get(HOME)
    assert town.introspections["adas"] == 1


async def test_what_auth_publishes_is_heard_at_once_by_every_replica(make_door: "MakeDoor", town: "Town", kafka_servers: str) -> None:
    doors = [await make_door(kafka=kafka_servers) for _ in range(2)]
    town.know("adas", token_id=1)
    town.know("adas-phone", token_id=2)
    town.know("bobs", account_id="8", username="bob", token_id=3)
    clients = [door.client() for door in doors]
    producer = AIOKafkaProducer(bootstrap_servers=kafka_servers)
    await producer.start()

    async def publish(value: bytes) -> None:
        await producer.send_and_wait(SecurityEvent.topic, value)

    def event(kind: str, **more: Any) -> bytes:
        return SecurityEvent(kind=kind, account_id=7, happened_at=datetime.now(UTC), **more).model_dump_json().encode()

    async def statuses(token: str) -> list[int]:
        return [(await client.get(HOME, headers={"Authorization": f"Bearer {token}"})).status_code for client in clients]

    async def heard(kind: str, token: str, want: int, **more: Any) -> None:
        """Repeat the event until both have it: whoever has only begun to listen doesn't hear of the past."""
        async with asyncio.timeout(30):
            while await statuses(token) != [want, want]:
                await publish(event(kind, **more))

    for token in town.tokens:
        assert await statuses(token) == [200, 200]
    await publish(b"nonsense")
    del town.tokens["adas"]
    await heard("tokens_revoked", "adas", 401, token_ids=[1])
    asked = town.introspections
    assert await statuses("adas-phone") == await statuses("bobs") == [200, 200]
    assert (town.introspections["adas-phone"], town.introspections["bobs"]) == (asked["adas-phone"], asked["bobs"]) == (2, 2)
    town.know("adas-phone", token_id=2, state="suspended")
    await heard("account_changed", "adas-phone", 403)
    del town.tokens["adas-phone"]
    await heard("tokens_revoked", "adas-phone", 401)
    assert town.introspections["bobs"] == 2
    await producer.stop()
    for client in clients:
        await client.aclose()


async def test_while_auth_is_away_who_is_known_goes_on_for_a_quarter_of_an_hour(door: "Door", town: "Town", clock: Clock) -> None:
    async with door.client(town.know("adas")) as client, door.client(town.know("bobs")) as newcomer:
        assert (await client.get(HOME)).status_code == 200
        town.say("auth", "POST", "/internal/introspect", {"error": "down"}, 503)
        for later in (FRESH_FOR + 1, KEPT_FOR - FRESH_FOR - 2):
            clock.now += later
            assert (await client.get(HOME)).status_code == 200
        clock.now += 2
        for answer in (await client.get(HOME), await newcomer.get(HOME)):
            assert told(answer) == (503, "The service is temporarily unavailable")
            assert int(answer.headers["retry-after"]) > 0
        town.answers.clear()
        assert (await newcomer.get(HOME)).status_code == (await client.get(HOME)).status_code == 200


async def test_while_auth_hangs_who_is_known_hardly_waits(make_door: "MakeDoor", town: "Town", peer: "MakePeer", clock: Clock) -> None:
    town.know("adas")
    body, answering = orjson.dumps(town.tokens["adas"]), True

    async def auth(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b'"adas"}'):
                if answering:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    identities = (await make_door(auth_url=await peer(auth))).gateway._identities
    known = await identities.resolve("adas")
    answering, clock.now = False, clock.now + FRESH_FOR + 1
    began = asyncio.get_running_loop().time()
    assert await asyncio.gather(*(identities.resolve("adas") for _ in range(20))) == [known] * 20
    for _ in range(20):
        assert await identities.resolve("adas") == known
    assert asyncio.get_running_loop().time() - began < 5


async def test_while_auth_is_away_nobody_needs_a_token_for_what_is_open(make_door: "MakeDoor", town: "Town") -> None:
    async with (await make_door(auth_url=NOWHERE)).client() as client:
        assert (await client.get("/api/v1/timelines/public")).status_code == 200
        assert told(await client.get(HOME)) == INVALID


async def test_a_token_revoked_while_auth_answers_is_not_remembered(make_door: "MakeDoor", town: "Town", peer: "MakePeer") -> None:
    town.know("adas")
    body = orjson.dumps(town.tokens["adas"])
    asked, go_on = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def auth(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b'"adas"}'):
                asked.release()
                await go_on.acquire()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    identities = (await make_door(auth_url=await peer(auth))).gateway._identities
    first = asyncio.create_task(identities.resolve("adas"))
    await asked.acquire()
    identities.forget(7, None)
    go_on.release()
    await first
    second = asyncio.create_task(identities.resolve("adas"))
    asked_again = asyncio.create_task(asked.acquire())
    await asyncio.wait([second, asked_again], return_when=asyncio.FIRST_COMPLETED)
    assert not second.done(), "what auth said before the token was revoked is remembered for a minute after it"
    go_on.release()
    await second


@pytest.mark.parametrize(
    ("who", "path", "refusal"),
    [
        ({}, HOME, None),
        ({"scopes": ["read"]}, HOME, None),
        ({"scopes": ["read:statuses"]}, HOME, None),
        ({"scopes": ["write", "read:accounts"]}, HOME, (403, "This action is outside the authorized scopes")),
        ({"scopes": ["follow"]}, "/api/v1/blocks", None),
        ({"scopes": ["follow"]}, HOME, (403, "This action is outside the authorized scopes")),
        ({"state": "suspended"}, HOME, (403, "Your login is currently disabled")),
        ({"state": "disabled"}, "/api/v1/timelines/public", (403, "Your login is currently disabled")),
        ({"state": "unconfirmed"}, HOME, (403, "Your login is missing a confirmed e-mail address")),
        ({"state": "unconfirmed"}, "/api/v1/timelines/public", None),
        ({"kind": "app", "account_id": "0", "username": ""}, HOME, (422, "This method requires an authenticated user")),
        ({"kind": "app", "account_id": "0", "username": ""}, "/api/v1/apps/verify_credentials", None),
        ({"session": True}, HOME, INVALID),
    ],
)
async def test_a_token_opens_what_it_is_for(
    door: "Door", town: "Town", who: dict[str, Any], path: str, refusal: tuple[int, str] | None
) -> None:
    async with door.client(town.know("token", **who)) as client:
        answer = await client.get(path)
    assert (None if answer.status_code == 200 else told(answer)) == refusal
    assert len(town.asked()) == (0 if refusal else 1)


async def test_only_admins_do_what_admins_do_whatever_the_token_says(door: "Door", town: "Town") -> None:
    path = "/api/v1/admin/announcements"
    async with door.client(town.know("adas")) as ada, door.client(town.know("root", role="admin", scopes=["write"])) as half:
        assert told(await ada.post(path)) == (403, "This action is not allowed")
        assert told(await half.post(path)) == (403, "This action is outside the authorized scopes")
    assert town.asked() == []
    async with door.client(town.know("admins", role="admin")) as admin:
        assert (await admin.post(path)).status_code == 200


async def test_an_unconfirmed_person_may_ask_for_the_mail_again(door: "Door", town: "Town") -> None:
    async with door.client(town.know("adas", state="unconfirmed")) as client:
        assert (await client.post("/api/v1/emails/confirmations")).status_code == 200


@pytest.mark.parametrize("given", ["adas", "Basic adas", "Bearer", "Bearer  ", "Token adas", "bearer adas adas"])
async def test_only_a_bearer_token_in_its_header_counts(door: "Door", town: "Town", given: str) -> None:
    town.know("adas")
    async with door.client(headers={"Authorization": given}) as client:
        assert told(await client.get(HOME)) == INVALID
        assert told(await client.get(HOME, params={"access_token": "adas"})) == INVALID
    assert town.asked() == []


async def test_a_token_longer_than_any_of_ours_is_invalid_and_nothing_worse(door: "Door", town: "Town") -> None:
    async with door.client("x" * 400) as client:
        assert told(await client.get(HOME)) == INVALID
