"""Every sentence of the pages exists in every language, with the same placeholders."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from gateway.web import forms, i18n
from gateway.web.csrf import token_for
from starlette.datastructures import FormData

ROOT = Path(str(files("gateway.web")))
FOREIGN = [locale for locale in i18n.LOCALES if locale != "en"]
TOKEN = token_for("c" * 32, "somebody")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def extracted() -> set[str]:
    """What templates and code pass to `_()`."""
    methods = [("**.py", "python"), ("templates/**.html", "jinja2.ext.babel_extract")]
    return {str(found[2]) for found in extract_from_dir(str(ROOT), methods, keywords={"_": None})}


def of_forms() -> Iterator[str]:
    """What macros translate without naming it: labels and choices."""
    for form in forms.PageForm.__subclasses__():
        for field in form(meta={"csrf_context": "x"}):
            if field.name != "csrf_token":
                yield str(field.label.text)
                yield from (str(choice.label) for choice in getattr(field, "choices", ()) if field.name != "language" or not choice.value)


def said_of_wrong_input(*checked: type[forms.PageForm]) -> set[str]:
    """What WTForms can say of what was typed: nothing, too little, too much."""
    said: set[str] = set()
    for form in checked:
        for typed in ("", "x", "x" * 200_000):
            names = [field.name for field in form(meta={"csrf_context": "x"}) if field.name != "csrf_token"]
            sent = form(FormData([("csrf_token", TOKEN), *((name, typed) for name in names)]), meta={"csrf_context": TOKEN})
            sent.validate()
            said.update(sent.problems())
    return said


def catalogue(locale: str) -> Catalog:
    found = i18n.catalogue(locale)
    assert found is not None
    return found


def test_something_is_extracted_from_templates_and_from_code() -> None:
    assert {"Skip to the content", "You are logged out."} <= extracted()
    assert {"Keep me logged in for 30 days", "Everybody, but quietly"} <= set(of_forms())


@pytest.mark.parametrize("locale", FOREIGN)
def test_every_sentence_is_in_the_catalogue(locale: str) -> None:
    known = {message.id for message in catalogue(locale) if message.id}
    assert sorted((extracted() | set(of_forms())) - known) == []


@pytest.mark.parametrize("locale", FOREIGN)
def test_what_is_wrong_with_a_form_is_told_in_the_readers_language(locale: str) -> None:
    known = {message.id for message in catalogue(locale)}
    said = said_of_wrong_input(forms.Register, forms.LogIn, forms.AskReset, forms.UseReset, forms.ChangePassword, forms.Announce)
    assert "This field is required." in said
    assert sorted(said - known) == []


@pytest.mark.parametrize("locale", FOREIGN)
def test_everything_is_translated_with_its_placeholders(locale: str) -> None:
    entries = [message for message in catalogue(locale) if message.id]
    assert [message.id for message in entries if not message.string or message.fuzzy] == []
    unlike = [m.id for m in entries if sorted(PLACEHOLDER.findall(str(m.id))) != sorted(PLACEHOLDER.findall(str(m.string)))]
    assert unlike == []


@pytest.mark.parametrize("locale", FOREIGN)
def test_a_sentence_keeps_the_marks_at_its_end_and_no_stray_spaces(locale: str) -> None:
    entries = [(str(message.id), str(message.string)) for message in catalogue(locale) if message.id]
    assert [text for text, made in entries if made != made.strip() or text.endswith((".", ":")) != made.endswith((".", ":"))] == []


def test_the_catalogues_know_the_same_sentences() -> None:
    assert len({frozenset(message.id for message in catalogue(locale)) for locale in FOREIGN}) == 1


@pytest.mark.parametrize("locale", i18n.LOCALES)
@pytest.mark.parametrize("days", [0.01, 0.3, 5, 12, 28, 400])
def test_how_far_away_a_moment_is_can_be_said_of_both_sides_of_now(locale: str, days: float) -> None:
    now = datetime.now(UTC)
    past, future = (i18n.ago((now + timedelta(days=away)).isoformat(), locale) for away in (-days, days))
    assert re.search(r"\d", past)
    assert re.search(r"\d", future)
    assert past != future
