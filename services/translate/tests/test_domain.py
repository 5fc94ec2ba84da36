import pytest
from common.settings import load
from translate.domain import SameLanguage, UnknownLanguage, check_target, text_hash
from translate.languages import ALIASES, known_as
from translate.settings import Settings


@pytest.mark.parametrize("target", ["", "EN", "english", "e", "de_DE", "de-", "de-123", "de; DROP", "дe", "de\n"])
def test_what_is_no_language_is_refused(target: str) -> None:
    with pytest.raises(UnknownLanguage):
        check_target(target, None)


@pytest.mark.parametrize(("target", "source"), [("de", "en"), ("zh-Hans", "en"), ("ceb", None)])
def test_any_other_language_may_be_wanted(target: str, source: str | None) -> None:
    assert check_target(target, source) == target


@pytest.mark.parametrize(
    ("language", "code"),
    [
        *(("zh", "zh-Hans"), ("zh-CN", "zh-Hans"), ("zh-TW", "zh-Hant"), ("zh-hans", "zh-Hans"), ("no", "nb"), ("sr", "sr-Cyrl")),
        *(("de-AT", "de"), ("pt-BR", "pt"), ("pt-PT", "pt-pt"), ("fr-CA", "fr-ca"), ("en", "en"), ("iw", "he"), ("tl", "fil")),
    ],
)
def test_a_language_is_known_to_translators_by_one_code(language: str, code: str) -> None:
    assert known_as(language) == check_target(language, None) == code


def test_what_is_called_by_its_code_already_stays_so() -> None:
    assert [code for code in ALIASES.values() if known_as(code) != code] == []


@pytest.mark.parametrize(("target", "source"), [("de", "de"), ("pt-BR", "pt"), ("zh-Hans", "zh-Hant"), ("zh", "zh-TW"), ("nb", "no")])
def test_a_post_is_not_translated_into_its_own_language(target: str, source: str) -> None:
    with pytest.raises(SameLanguage):
        check_target(target, source)


def test_the_same_words_are_kept_under_the_same_key() -> None:
    assert text_hash("größer") == text_hash("größer") != text_hash("grösser")


def test_a_provider_without_its_key_is_refused_at_start_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSLATE_DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("TRANSLATE_PROVIDER", "microsoft")
    monkeypatch.delenv("TRANSLATE_MICROSOFT_KEY", raising=False)
    with pytest.raises(SystemExit):
        load(Settings)
    assert "TRANSLATE_MICROSOFT_KEY is needed" in capsys.readouterr().err
