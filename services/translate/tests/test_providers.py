"""No provider says so; Microsoft's is spoken to by its contract."""

from collections.abc import Iterator

import pytest
from fakes.server import serving
from fakes.translator import FakeTranslator
from translate.domain import NotConfigured, ProviderFailed, UnknownLanguage
from translate.providers import Microsoft, translator_of
from translate.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def provider() -> FakeTranslator:
    return FakeTranslator()


@pytest.fixture
def settings(database_url: str, provider: FakeTranslator) -> Iterator[Settings]:
    with serving(provider.app()) as address:
        yield Settings(database_url=database_url, provider="microsoft", microsoft_key=provider.key, microsoft_endpoint=address)


async def test_without_a_provider_it_says_so(settings: Settings) -> None:
    nobody = translator_of(settings.model_copy(update={"provider": "none"}))
    with pytest.raises(NotConfigured, match="the translation service is not configured"):
        await nobody.translate(["hello"], "en", "de")
    assert await nobody.languages() == []


def test_a_provider_without_its_key_is_refused_at_the_start(database_url: str) -> None:
    with pytest.raises(ValueError, match="TRANSLATE_MICROSOFT_KEY"):
        Settings(database_url=database_url, provider="microsoft")


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


async def test_texts_come_back_in_their_order_and_charged_as_metered(settings: Settings, provider: FakeTranslator) -> None:
    microsoft = Microsoft(settings)
    made = await microsoft.translate(["one", "three"], None, "de")
    assert (made.texts, made.detected, made.characters) == (["[de] one", "[de] three"], "en", 8)
    with pytest.raises(UnknownLanguage):
        await microsoft.translate(["one"], "en", "tlh")
    with pytest.raises(ProviderFailed, match="too long"):
        await microsoft.translate(["x" * 45_001], "en", "de")
    await microsoft.close()
