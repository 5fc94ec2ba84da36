"""A provider that fails is left alone, and asked again by one call first."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from translate import breaker
from translate.breaker import Breaker, seconds_of, seconds_until_tomorrow
from translate.domain import ProviderFailed

DAY = 86_400.0


class Clock:
    """What the breaker takes for the time."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(breaker, "time", made)
    return made


def fail(switch: Breaker, times: int) -> list[int]:
    told = []
    for _ in range(times):
        with switch.call():
            told.append(switch.failed())
    return told


def refused(switch: Breaker) -> int | None:
    """In how many seconds to come back; None where a call may be made, which then tells nothing."""
    try:
        with switch.call():
            return None
    except ProviderFailed as error:
        return int(error.extra["retry_after"])


def test_five_failures_in_a_row_open_it_for_half_a_minute(clock: Clock) -> None:
    switch = Breaker()
    assert fail(switch, 4) == [1] * 4
    with switch.call():
        switch.succeeded()
    assert fail(switch, 5) == [1, 1, 1, 1, 30]
    clock.now += 10.5
    assert refused(switch) == 20


def test_one_call_tries_first_and_the_others_wait_for_what_it_finds(clock: Clock) -> None:
    switch = Breaker()
    fail(switch, 5)
    clock.now += 30
    with switch.call():
        assert refused(switch) == 1
        assert switch.failed() == 30
    assert refused(switch) == 30
    clock.now += 30
    with switch.call():
        switch.succeeded()
    assert fail(switch, 4) == [1] * 4


def test_it_stays_open_for_as_long_as_the_provider_asks_and_no_shorter(clock: Clock) -> None:
    switch = Breaker()
    with switch.call():
        assert switch.open(90) == 90
    assert switch.open(5) == 90
    clock.now += 89.5
    assert refused(switch) == 1
    clock.now += 0.5
    with switch.call():
        assert refused(switch) == 1


def test_calls_from_before_it_opened_neither_close_it_nor_end_its_rest(clock: Clock) -> None:
    switch = Breaker()
    with switch.call():
        fail(switch, 5)
        switch.succeeded()
    assert refused(switch) == 30
    with_late = Breaker()
    with with_late.call():
        fail(with_late, 5)
        clock.now += 10
        assert with_late.failed() == 30


@pytest.mark.anyio
async def test_a_probe_that_is_cancelled_leaves_the_next_one_to_try(clock: Clock) -> None:
    switch = Breaker()
    fail(switch, 5)
    clock.now += 30

    async def probe() -> None:
        with switch.call():
            await asyncio.Event().wait()

    asked = asyncio.ensure_future(probe())
    await asyncio.sleep(0)
    assert refused(switch) == 1
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert refused(switch) is None
    with switch.call():
        assert refused(switch) == 1
        switch.succeeded()
    assert refused(switch) is None


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7.0), ("0", 0.0), ("90000", DAY), ("9" * 40, DAY), ("", None), ("-1", None), ("soon", None), ("1.5", None), ("٣", None)],
)
def test_how_long_to_wait_may_be_told_in_seconds(told: str, seconds: float | None) -> None:
    assert seconds_of(told) == seconds


@pytest.mark.parametrize(("away", "seconds"), [(20, 20.0), (-20, 0.0), (3 * DAY, DAY)])
def test_how_long_to_wait_may_be_told_as_a_date(away: float, seconds: float) -> None:
    told = format_datetime(datetime.now(UTC) + timedelta(seconds=away), usegmt=True)
    found = seconds_of(told)
    assert found is not None
    assert seconds - 2 <= found <= seconds


@pytest.mark.parametrize(
    "told", ["Mon, 99 Jan 2026 00:00:00 GMT", f"Mon, 1 Jan {'9' * 30} 00:00:00 GMT", "Mon, 1 Jan 2026 00:00:00 +99999999999"]
)
def test_a_date_that_is_none_says_nothing(told: str) -> None:
    assert seconds_of(told) is None


def test_a_day_ends_within_a_day() -> None:
    assert 0 < seconds_until_tomorrow() <= DAY
