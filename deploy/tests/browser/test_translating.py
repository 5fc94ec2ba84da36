"""Translations in the place of the words, and below them."""

import secrets
from collections.abc import Callable

from chromium import NEEDED, Browser
from fakes.translator import FakeTranslator
from selenium.webdriver.common.keys import Keys
from stack import Stack, picture, wait_for

pytestmark = NEEDED


def test_a_post_is_found_with_a_typo_and_translated(stack: Stack, browse: Callable[..., Browser], translator: FakeTranslator) -> None:
    author, word = stack.new_person("author"), f"lantern{secrets.token_hex(3)}"
    author.write(f"Guten Morgen, hier ist eine {word} für alle", language="de")
    browser = browse()
    browser.log_in(stack.new_person("reader"))

    def found() -> bool:
        browser.open("/search")
        browser.find("#q").send_keys(word.replace("lantern", "lantren"), Keys.ENTER)
        return bool(wait_for(lambda: browser.path.startswith("/search?q="), "the answer") and browser.all("article mark"))

    wait_for(found, "the post to be found with a typo")
    assert browser.find("article mark").text == word
    browser.look("search")
    line = "article.post .translated"
    original = browser.find("article .post-text").text
    browser.find(f"{line} button").send_keys(Keys.ENTER)
    wait_for(lambda: browser.find(f"{line} [aria-live]").text == "Translated from German by Microsoft", "the translation")
    assert browser.find("article .post-text[lang='en']").text == f"[en] {original}"
    assert browser.run("return document.activeElement.innerText.trim()") == "Show original"
    browser.look("translation")
    calls = translator.calls
    for said, language, name in ((original, "de", "Translate"), (f"[en] {original}", "en", "Show original")):
        browser.run("return document.activeElement").send_keys(Keys.ENTER)
        assert browser.find(f"article .post-text[lang='{language}']").text == said
        assert browser.find(f"{line} button").text == name
    assert (browser.path.startswith("/search"), translator.calls) == (True, calls)


def test_a_translation_takes_the_place_of_warning_poll_and_descriptions_and_gives_it_back(
    stack: Stack, browse: Callable[..., Browser], translator: FakeTranslator
) -> None:
    author, word = stack.new_person("author"), secrets.token_hex(4)
    media = author.client.post("/api/v2/media", files={"file": ("a.jpg", picture(), "image/jpeg")}, data={"description": "Katze"}).json()
    pictured = author.write(f"Bild {word}", language="de", spoiler_text="Vorsicht", media_ids=[media["id"]])
    asked = author.write(f"Frage {word}", language="de", poll={"options": ["Tee", "Kaffee"], "expires_in": 600})
    browser = browse()
    browser.log_in(stack.new_person("reader"))

    def words() -> list[str]:
        found = "return [...document.querySelectorAll('.focus :is(.who, .post-text, .alt p)')].map((e) => e.textContent.trim())"
        return [*browser.run(found), *browser.run("return [...document.querySelectorAll('.focus .shot img')].map((i) => i.alt)")]

    for status, sign in ((pictured, "Vorsicht"), (asked, "Tee")):
        browser.open(f"/@{author.name}/{status['id']}")
        before = words()
        assert sign in before
        browser.click(".focus .translated button")
        wait_for(lambda: "Translated from" in browser.find(".focus .translated").text, "the translation")
        assert words() == [f"[en] {said}" for said in before]
        browser.click(".focus .translated button")
        assert words() == before

    translator.mode = "error"
    try:
        browser.open(f"/@{author.name}/{author.write(f'Fehler {word}', language='de')['id']}")
        browser.click(".focus .translated button")
        wait_for(lambda: browser.find(".focus .translated [aria-live]").text == "the translation service failed", "why there is none")
    finally:
        translator.mode = "ok"
    assert browser.find(".focus .post-text").text == f"Fehler {word}"
    assert browser.find(".focus .translated button").text == "Try again"
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]  # Chromium writes down every 503
    browser.look("untranslated")
    browser.click(".focus .translated button")
    wait_for(lambda: browser.find(".focus .post-text").text == f"[en] Fehler {word}", "the translation")


def test_without_scripts_a_translation_stands_below_the_words(stack: Stack, browse: Callable[..., Browser]) -> None:
    author = stack.new_person("author")
    status = author.write("Guten Morgen", language="de")
    browser = browse(scripts=False)
    browser.log_in(stack.new_person("reader"))
    browser.open(f"/@{author.name}/{status['id']}")
    browser.submit(".focus [formaction*='/translate']")
    assert browser.find(".translation[lang='en'] .post-text").text == "[en] Guten Morgen"
    assert "Translated from German by Microsoft" in browser.find("#translation").text
    assert browser.find(".focus .post-text").text == "Guten Morgen"
    browser.look("translation-below")
