"""Every mail is whole in every language, as text and as HTML; what people wrote stays text."""

import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from notify.mail.messages import _SUBJECTS, LOCALES, Message, catalogue_of, compose

FOREIGN = [locale for locale in LOCALES if locale != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)s")
UNSUBSCRIBE = "https://microblog.example/unsubscribe?token=abc"
HOSTILE = '<script>alert(1)</script> & "x"'


def extracted() -> set[str]:
    """What templates and subjects say."""
    methods = [("templates/**", "jinja2.ext.babel_extract")]
    return {str(found[2]) for found in extract_from_dir(str(Path(str(files("notify")))), methods, keywords={"_": None})} | set(
        _SUBJECTS.values()
    )


def catalogue(locale: str) -> Catalog:
    found = catalogue_of(locale)
    assert found is not None
    return found


def written(kind: str, locale: str = "en", **more: Any) -> Message:
    told = {
        "title": "Microblog",
        "public_url": "https://microblog.example",
        "username": "ada",
        "link": "https://microblog.example/confirm?token=t",
    }
    told |= {"actor": "Bob", "actor_username": "bob", "excerpt": "an answer", "post_id": 5, "plain": "news\n\nof two lines"}
    refusable = kind in ("follow", "comment", "announcement")
    return compose(kind, "k", "ada@example.org", locale, told | more, UNSUBSCRIBE if refusable else None, 7)


class Read(HTMLParser):
    """The words and addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.links, self.tags = "", list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("locale", FOREIGN)
def test_the_catalogue_holds_what_mails_say_and_nothing_else(locale: str) -> None:
    assert len(extracted()) > 10
    assert {str(message.id) for message in catalogue(locale) if message.id} == extracted()


@pytest.mark.parametrize("locale", FOREIGN)
def test_everything_is_translated_with_its_placeholders(locale: str) -> None:
    entries = [message for message in catalogue(locale) if message.id]
    assert [message.id for message in entries if not message.string or message.fuzzy or message.string == message.id] == []
    assert [m.id for m in entries if sorted(PLACEHOLDER.findall(str(m.id))) != sorted(PLACEHOLDER.findall(str(m.string)))] == []


@pytest.mark.parametrize("kind", _SUBJECTS)
@pytest.mark.parametrize("locale", LOCALES)
def test_html_says_what_the_text_says(kind: str, locale: str) -> None:
    mail = written(kind, locale)
    read = Read(mail.html)
    assert mail.html.startswith(f'<!doctype html>\n<html lang="{locale}">')
    assert mail.subject in read.words
    assert [line for line in mail.text.splitlines() if line and line not in read.words] == []
    assert read.links == re.findall(r"https://\S+", mail.text)
    assert (UNSUBSCRIBE in read.links) == (kind in ("follow", "comment", "announcement"))
    assert "%(" not in mail.text + mail.subject


@pytest.mark.parametrize("kind", ["follow", "comment", "announcement"])
def test_what_people_wrote_is_no_markup(kind: str) -> None:
    mail = written(kind, actor=HOSTILE, excerpt=HOSTILE, plain=HOSTILE, title=HOSTILE, username=HOSTILE)
    read = Read(mail.html)
    assert "script" not in read.tags
    assert HOSTILE in read.words
    assert HOSTILE in mail.text
