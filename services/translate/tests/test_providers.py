"""No provider says so; Microsoft's is spoken to by its contract."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fakes.server import serving
from fakes.translator import FakeTranslator
from translate import breaker, providers
from translate.domain import AnswerLost, NotConfigured, ProviderFailed, UnknownLanguage, UnknownSource
from translate.providers import Microsoft, translator_of
from translate.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def provider() -> FakeTranslator:
    return FakeTranslator()


@pytest.fixture
def settings(provider: FakeTranslator) -> Iterator[Settings]:
    with serving(provider.app()) as address:
        yield Settings(database_url="postgresql://", provider="microsoft", microsoft_key=provider.key, microsoft_endpoint=address)


@pytest.fixture
async def microsoft(settings: Settings) -> AsyncIterator[Microsoft]:
    made = Microsoft(settings)
    yield made
    await made.close()


class Later:
    """The breaker's clock, put forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    made = Later()
    monkeypatch.setattr(breaker, "time", made)
    return made


@contextmanager
def failing(kind: type[ProviderFailed] = ProviderFailed, *, retry_after: int | None = None) -> Iterator[None]:
    """What is asked inside fails in this way, and says (give or take a second) when to come back."""
    with pytest.raises(ProviderFailed) as caught:
        yield
    assert type(caught.value) is kind
    if retry_after is not None:
        assert abs(caught.value.extra["retry_after"] - retry_after) <= 1


async def ask(microsoft: Microsoft, source: str | None = "en", target: str = "de") -> str:
    return (await microsoft.translate(["tea"], source, target)).texts[0]


async def test_without_a_provider_it_says_so(settings: Settings) -> None:
    nobody = translator_of(settings.model_copy(update={"provider": "none"}))
    with pytest.raises(NotConfigured, match="the translation service is not configured"):
        await nobody.translate(["hello"], "en", "de")
    assert await nobody.languages() == []


def test_a_provider_without_its_key_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="TRANSLATE_MICROSOFT_KEY"):
        Settings(database_url="postgresql://", provider="microsoft")


async def test_a_wrong_key_is_a_failure_of_the_service(settings: Settings) -> None:
    wrong = Microsoft(settings.model_copy(update={"microsoft_key": type(settings.database_url)("wrong")}))
    with pytest.raises(ProviderFailed):
        await wrong.translate(["hello"], "en", "de")
    await wrong.close()


async def test_a_provider_that_is_not_there_is_a_failure(settings: Settings) -> None:
    away = Microsoft(settings.model_copy(update={"microsoft_endpoint": "http://127.0.0.1:1"}))
    with pytest.raises(ProviderFailed):
        await away.translate(["hello"], "en", "de")
    with pytest.raises(ProviderFailed):
        await away.languages()
    await away.close()


async def test_texts_come_back_in_their_order_and_charged_as_metered(microsoft: Microsoft) -> None:
    made = await microsoft.translate(["one", "three"], None, "de")
    assert (made.texts, made.detected, made.characters) == (["[de] one", "[de] three"], "en", 8)
    with pytest.raises(ProviderFailed, match="too long") as caught:
        await microsoft.translate(["x" * 45_001], "en", "de")
    assert caught.value.extra == {"retry_after": None}


async def test_posts_may_call_their_language_otherwise_than_the_provider(microsoft: Microsoft) -> None:
    assert await ask(microsoft, "zh") == await ask(microsoft, "zh-TW") == await ask(microsoft, "no") == "[de] tea"


async def test_languages_that_it_does_not_know_are_no_failures(microsoft: Microsoft) -> None:
    for _ in range(3):
        with pytest.raises(UnknownLanguage):
            await ask(microsoft, target="ceb")
        with pytest.raises(UnknownSource):
            await ask(microsoft, "ceb")
    assert await ask(microsoft) == "[de] tea"


# When it fails


@pytest.mark.parametrize("mode", ["limited", "away"])
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_it_is_left_alone_for_as_long_as_it_asks(
    microsoft: Microsoft, provider: FakeTranslator, later: Later, mode: str, as_date: bool
) -> None:
    told = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True) if as_date else "120"
    provider.mode, provider.retry_after = mode, told
    with failing(retry_after=120):
        await ask(microsoft)
    provider.mode = "ok"
    later.seconds = 115
    with failing(retry_after=5):
        await ask(microsoft)
    assert provider.calls == 1
    later.seconds = 121
    assert await ask(microsoft) == "[de] tea"


@pytest.mark.parametrize(("mode", "told", "seconds"), [("limited", "", 30), ("limited", "soon", 30), ("away", "9" * 12, 86_400)])
async def test_it_is_left_alone_for_a_while_when_it_names_no_time_and_never_for_more_than_a_day(
    microsoft: Microsoft, provider: FakeTranslator, mode: str, told: str, seconds: int
) -> None:
    provider.mode, provider.retry_after = mode, told
    for _ in range(2):
        with failing(retry_after=seconds):
            await ask(microsoft)
    assert provider.calls == 1


async def test_a_quota_that_is_used_up_is_not_asked_again_on_that_day(microsoft: Microsoft, provider: FakeTranslator, later: Later) -> None:
    left = breaker.seconds_until_tomorrow()
    provider.mode = "quota"
    for _ in range(3):
        with failing(retry_after=left):
            await ask(microsoft)
    provider.mode = "ok"
    assert provider.calls == 1
    later.seconds = left + 1
    assert await ask(microsoft) == "[de] tea"


@pytest.mark.parametrize("mode", ["error", "away", "broken"])
async def test_after_five_failures_it_rests_and_one_call_tries_it_first(
    microsoft: Microsoft, provider: FakeTranslator, later: Later, mode: str
) -> None:
    provider.mode = mode
    kind = AnswerLost if mode == "broken" else ProviderFailed
    for wait in (1, 1, 1, 1, 30):
        with failing(kind, retry_after=wait):
            await ask(microsoft)
    with failing(retry_after=30):
        await ask(microsoft)
    assert provider.calls == 5
    later.seconds = 31
    with failing(kind, retry_after=30):
        await ask(microsoft)
    with failing(retry_after=30):
        await ask(microsoft)
    assert provider.calls == 6

    later.seconds = 62
    provider.mode, provider.delay = "slow", 0.3
    probe = asyncio.ensure_future(ask(microsoft))
    async with asyncio.timeout(5):
        while provider.calls < 7:
            await asyncio.sleep(0.01)
    with failing(retry_after=1):
        await ask(microsoft)
    assert await probe == "[de] tea"
    assert provider.calls == 7
    assert await asyncio.gather(*(ask(microsoft) for _ in range(3))) == ["[de] tea"] * 3


async def test_a_probe_that_nobody_waits_for_any_more_keeps_nobody_out(
    microsoft: Microsoft, provider: FakeTranslator, later: Later
) -> None:
    provider.mode = "limited"
    with failing():
        await ask(microsoft)
    later.seconds = 31
    provider.mode, provider.delay = "slow", 0.5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await ask(microsoft)
    provider.mode = "ok"
    assert await ask(microsoft) == "[de] tea"


@pytest.mark.parametrize("mode", ["slow", "drip"])
async def test_an_answer_has_a_limit_in_all_however_it_comes(
    microsoft: Microsoft, provider: FakeTranslator, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    assert 2 + providers._PATIENCE < 10, "the gateway waits for ten seconds, two of which a version may take that is on its way"
    monkeypatch.setattr(providers, "_PATIENCE", 0.3)
    provider.mode, provider.delay = mode, 1.5
    began = time.monotonic()
    with failing(AnswerLost):
        await ask(microsoft)
    assert time.monotonic() - began < 1.2


async def test_languages_are_asked_for_once_and_not_at_once_again_after_a_failure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Microsoft(settings.model_copy(update={"microsoft_endpoint": "http://127.0.0.1:1"}))
    with pytest.raises(ProviderFailed):
        await away.languages()
    monkeypatch.setattr(away, "_client", Microsoft(settings)._client)
    with pytest.raises(ProviderFailed):
        await away.languages()
    monkeypatch.setattr(away, "_languages_until", 0.0)
    assert "zh-Hans" in await away.languages()
    monkeypatch.setattr(away, "_client", None)
    assert "zh-Hans" in await away.languages()
