from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from auth.domain import OutdatedLink, Throttled
from auth.throttles import Limit, Throttles, address_range
from common.db import Database
from sqlalchemy import text

if TYPE_CHECKING:
    from .conftest import Doors

pytestmark = pytest.mark.anyio

THREE = Limit("three", 3, 900)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stands still one second into a window, until it is set on by some seconds."""
    stopped = SimpleNamespace(now=1_800_000_001.0)
    monkeypatch.setattr("auth.throttles.time", SimpleNamespace(time=lambda: stopped.now))

    def forward(seconds: float) -> None:
        stopped.now += seconds

    return forward


async def refusal(throttles: Throttles, subject: str = "ada") -> int | None:
    """Count a try: after how many seconds to come back, None when it was allowed."""
    try:
        await throttles.count(THREE, subject)
    except Throttled as error:
        return int(error.extra["retry_after"])
    return None


async def test_the_fourth_of_three_tries_is_refused_until_the_window_ends(database: Database, clock: Callable[[float], None]) -> None:
    throttles = Throttles(database, enabled=True)
    assert [await refusal(throttles) for _ in range(3)] == [None] * 3
    assert await refusal(throttles) == 899
    clock(898)
    assert await refusal(throttles) == 1
    clock(1)
    assert await refusal(throttles) is None


async def test_people_are_counted_apart_and_replicas_together(database: Database) -> None:
    one, other = Throttles(database, enabled=True), Throttles(database, enabled=True)
    for throttles in (one, other, one):
        await throttles.count(THREE, "ada")
    assert await refusal(other) is not None
    assert await refusal(other, "bob") is None
    await other.count(Limit("something else", 3, 900), "ada")


async def test_only_what_is_refused_counts_as_a_failure(database: Database) -> None:
    throttles = Throttles(database, enabled=True)
    for _ in range(10):
        async with throttles.failures(THREE, "ada"):
            pass
    for _ in range(3):
        with pytest.raises(OutdatedLink):
            async with throttles.failures(THREE, "ada"):
                raise OutdatedLink
    with pytest.raises(Throttled):
        async with throttles.failures(THREE, "ada"):
            pytest.fail("a right link must not be tried any more")


async def test_a_fault_of_ours_is_nobodys_failure(database: Database) -> None:
    throttles = Throttles(database, enabled=True)
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            async with throttles.failures(THREE, "ada"):
                raise ZeroDivisionError


async def test_without_throttles_nothing_is_counted(database: Database) -> None:
    throttles = Throttles(database, enabled=False)
    for _ in range(5):
        await throttles.count(THREE, "ada")
    async with database.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM throttles")) == 0


async def test_what_is_over_is_forgotten_and_no_address_is_stored(database: Database, clock: Callable[[float], None]) -> None:
    throttles = Throttles(database, enabled=True)
    await throttles.count(THREE, "192.0.2.1")
    clock(-1_000_000_000)
    await throttles.count(THREE, "192.0.2.1")
    await throttles.forget_old()
    async with database.sessions() as session:
        (left,) = (await session.execute(text("SELECT * FROM throttles"))).all()
    assert left.tries == 1
    assert "192.0.2.1" not in str(left)


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("a host", "unknown"),
    ],
)
def test_a_household_is_one_address(ip: str, counted: str) -> None:
    assert address_range(ip) == counted


async def test_guessing_one_persons_password_ends_after_ten_tries_even_with_the_right_one(doors: "Doors") -> None:
    await doors.register()
    answers = [await doors.log_in(" ADA" if n % 2 else "ada", "wrong") for n in range(10)]
    assert {answer.status_code for answer in answers} == {401}
    refused = await doors.log_in()
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "throttled", "899")
    assert (await doors.log_in("bob")).status_code == 401


@pytest.mark.parametrize("settings", [{"AUTH_SIGN_UPS_PER_HALF_HOUR": "2"}])
async def test_sign_ups_are_counted_by_address(doors: "Doors") -> None:
    async def sign_up(name: str, ip: str) -> int:
        fields = {"username": name, "email": f"{name}@example.org", "password": doors.password, "agreement": True}
        headers = doors.identities.gateway("auth") | {"x-forwarded-for": ip}
        return (await doors.client.post("/internal/registrations", json=fields, headers=headers)).status_code

    assert [await sign_up(name, "2001:db8::1") for name in ("ada", "bob")] == [200, 200]
    assert await sign_up("cleo", "2001:db8::2") == 429
    assert await sign_up("dora", "2001:db8:0:1::1") == 200


async def test_wrong_links_are_counted_and_right_ones_are_not(doors: "Doors") -> None:
    await doors.register()
    right = await doors.link("confirmation_requested")
    assert {(await doors.internal("confirmations/use", token=right)).status_code for _ in range(40)} == {200}
    answers = [(await doors.internal("confirmations/use", token=f"{right}x")).status_code for _ in range(31)]
    assert answers == [422] * 30 + [429]


async def test_asking_for_resets_ends_for_one_address_and_for_one_mailbox(doors: "Doors") -> None:
    async def ask(email: str, ip: str) -> int:
        headers = doors.identities.gateway("auth") | {"x-forwarded-for": ip}
        return (await doors.client.post("/internal/resets", json={"email": email}, headers=headers)).status_code

    assert [await ask("Nobody@example.org", f"192.0.2.{n}") for n in range(6)] == [202] * 5 + [429]
    assert [await ask(f"{n}@example.org", "198.51.100.1") for n in range(21)] == [202] * 20 + [429]


async def test_guessing_an_apps_secret_ends_for_one_address_and_good_clients_elsewhere_go_on(
    doors: "Doors", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.api.oauth.CLIENT_PER_ADDRESS", Limit("client-ip", 3, 900))
    app = await doors.app()
    wrong = {"client_id": app["client_id"], "client_secret": "guessed", "grant_type": "client_credentials"}
    right = {**wrong, "client_secret": app["client_secret"]}
    token = (await doors.client.post("/oauth/token", data=right)).json()["access_token"]

    async def ask(path: str, fields: dict[str, str], ip: str = "203.0.113.5") -> int:
        return (await doors.client.post(path, data=fields, headers={"X-Forwarded-For": ip})).status_code

    assert [await ask("/oauth/token", right) for _ in range(5)] == [200] * 5
    assert [await ask("/oauth/token", wrong), await ask("/oauth/revoke", {**wrong, "token": token})] == [401, 403]
    assert [await ask("/oauth/token", {**right, "grant_type": "authorization_code", "code": "guessed"})] == [400]
    assert [await ask("/oauth/token", right), await ask("/oauth/revoke", {**right, "token": token})] == [429, 429]
    assert await ask("/oauth/token", right, ip="203.0.113.6") == 200
