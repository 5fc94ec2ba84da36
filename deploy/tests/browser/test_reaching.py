"""That everybody reaches everything: on a phone, with longer words and larger letters, with the keyboard alone."""

import re
from collections.abc import Callable

import pytest
from chromium import NEEDED, Browser
from selenium.webdriver.common.keys import Keys
from stack import Stack, picture, wait_for

pytestmark = NEEDED


def test_nothing_is_cut_off_on_a_phone(stack: Stack, browse: Callable[..., Browser]) -> None:
    person, reader = stack.new_person("x" * 21), stack.new_person("reader")
    long = "Donaudampfschifffahrtsgesellschaft" * 8
    person.client.patch(
        "/api/v1/accounts/update_credentials",
        json={"display_name": "W" * 30, "note": long, "fields_attributes": [{"name": "a" * 60, "value": "b" * 200}]},
    )
    media = [
        person.client.post("/api/v2/media", files={"file": ("a.jpg", picture(colour), "image/jpeg")}).json()["id"]
        for colour in ("teal", "red")
    ]
    status = person.write(f"{long}\n\n```\n{long} {long}\n```\n\n> {long}\n\nhttps://example.com/{long}", media_ids=media)
    person.write("hidden", spoiler_text=long[:400])
    reader.write(f"@{person.name} {long}", in_reply_to_id=status["id"])
    reader.follow(person)
    browser = browse(320)
    for path in ("/", "/public", "/login", "/register", "/reset", "/about", f"/@{person.name}", f"/@{person.name}/{status['id']}"):
        browser.open(path)
        browser.look(f"phone-stranger-{re.sub(r'[^a-z]', '', path)}")
    browser.log_in(person)
    for path in (
        "/",
        f"/@{person.name}",
        f"/@{person.name}/media",
        f"/@{person.name}/followers",
        f"/@{person.name}/{status['id']}",
        f"/posts/{status['id']}/edit",
        f"/posts/{status['id']}/delete",
        "/notifications",
        f"/search?q={long}",
        f"/search?q={person.name}",
        "/settings",
        "/settings/profile",
        "/announcements",
        "/bookmarks",
        "/api/docs",
    ):
        browser.open(path)
        browser.look(f"phone-{re.sub(r'[^a-z]', '', path)[:40]}")


@pytest.mark.parametrize("language", ["de", "es"])
def test_longer_words_of_other_languages_fit_on_a_phone_and_twice_as_large_beside_it(
    stack: Stack, browse: Callable[..., Browser], language: str
) -> None:
    person, author = stack.new_person("reader"), stack.new_person("author")
    person.follow(author)
    status = author.write("hello", poll={"options": ["tea", "coffee"], "expires_in": 3600})
    for width, letters in ((320, 16), (1280, 32)):
        browser = browse(width, letters=letters)
        browser.log_in(person)
        browser.driver.add_cookie({"name": "language", "value": language})
        for path in ("/", "/write", f"/@{author.name}", f"/@{author.name}/{status['id']}", "/settings", "/settings/profile", "/people"):
            browser.open(path)
            assert browser.find("html").get_attribute("lang") == language
            assert browser.run("return getComputedStyle(document.documentElement).fontSize") == f"{letters}px"
            browser.look(f"{language}-{width}-{re.sub(r'[^a-z]', '', path)}")


def test_the_pages_are_at_hand_without_a_mouse(stack: Stack, browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.log_in(stack.new_person())
    browser.open("/")
    browser.find("body").send_keys(Keys.TAB)
    first = browser.driver.switch_to.active_element
    assert first.text == "Skip to the content"
    first.send_keys(Keys.ENTER)
    assert browser.driver.current_url.endswith("#content")
    assert (
        browser.run("return [...document.querySelectorAll('a, button, input, select, textarea')].filter((e) => e.tabIndex > 0).length") == 0
    )


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_keys_lead_from_post_to_post_and_do_what_stands_below_them(
    stack: Stack, browse: Callable[..., Browser], width: int, look: str
) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    image = author.client.post("/api/v2/media", files={"file": ("a.jpg", picture("orange"), "image/jpeg")}, data={"description": "orange"})
    posts = [
        author.write("the first"),
        author.write("what is hidden", spoiler_text="the end of a film"),
        author.write("the last", media_ids=[image.json()["id"]]),
    ]
    browser = browse(width, look)
    browser.log_in(reader)
    browser.open(f"/@{author.name}")

    def press(*keys: str) -> None:
        for key in keys:
            browser.driver.switch_to.active_element.send_keys(key)

    def stands_at() -> str:
        return str(browser.run("return document.activeElement.matches('article.is-here') ? document.activeElement.id : ''"))

    def type_as(key: str, code: str, **more: bool) -> None:
        event = {"key": key, "code": code, "bubbles": True, "cancelable": True, **more}
        browser.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', arguments[0]))", event)

    for key, post in (("j", 2), ("j", 1), ("j", 0), ("j", 0), ("k", 1)):
        press(key)
        assert stands_at() == f"post-{posts[post]['id']}"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert not browser.find(f"#{stands_at()} .cw .post-text").is_displayed()
    press("x")
    assert browser.find(f"#{stands_at()} .cw .post-text").is_displayed()
    browser.look(f"keys-{width}-{look}")

    browser.open(f"/@{author.name}")
    press("j", "a")
    assert browser.find(f"#{stands_at()} .alt p").is_displayed()
    for key, verb in (("f", "favourite"), ("b", "reblog"), ("s", "bookmark")):
        press(key)
        browser.waited(f"#post-{posts[2]['id']} [formaction$='/un{verb}'][aria-pressed='true']")
        assert stands_at() == f"post-{posts[2]['id']}"
    assert reader.get(f"/api/v1/statuses/{posts[2]['id']}")["favourited"] is True

    # In another alphabet the key's place counts; modifiers are the browser's.
    type_as("о", "KeyJ")
    assert stands_at() == f"post-{posts[1]['id']}"
    for modifier in ("ctrlKey", "metaKey", "altKey"):
        type_as("j", "KeyJ", **{modifier: True})
    type_as("J", "KeyJ", shiftKey=True)
    type_as("ø", "KeyJ")
    assert stands_at() == f"post-{posts[1]['id']}"

    press("?")
    assert browser.find("#key-map").is_displayed()
    assert browser.run("return document.activeElement.textContent") == "Close"
    browser.look(f"keys-listed-{width}-{look}")
    press("j")
    press(Keys.ESCAPE)
    assert not browser.find("#key-map").is_displayed()
    assert stands_at() == f"post-{posts[1]['id']}"

    press(Keys.ENTER)
    wait_for(lambda: browser.path == f"/@{author.name}/{posts[1]['id']}", "the post by Enter")
    press("j", "r")
    wait_for(lambda: browser.run("return document.activeElement.matches('#reply textarea')"), "the reply box")
    press("j", "k", "?")
    assert str(browser.find("#status").get_attribute("value")).endswith("jk?")
    assert not browser.find("#key-map").is_displayed()
    browser.run("document.activeElement.blur()")
    press("u")
    wait_for(lambda: browser.path == f"/@{author.name}", "the way back")
    for keys, path in ((("g", "n"), "/notifications"), (("g", "s"), "/bookmarks"), (("g", "p"), f"/@{reader.name}"), (("g", "h"), "/")):
        press(*keys)
        wait_for(lambda path=path: browser.path == path, path)
        wait_for(lambda: browser.run("return document.readyState === 'complete'"), "the page to be complete")
    press("n")
    if width == 390:
        wait_for(lambda: browser.path == "/write", "the page to write on")
    else:
        wait_for(lambda: browser.run("return document.activeElement.id") == "status", "the box to write in")

    browser.open("/settings")
    browser.click("#keys")
    browser.submit("form[action='/settings/look'] .btn-primary")
    assert not browser.find("#keys").is_selected()
    browser.open(f"/@{author.name}")
    press("j", "?")
    assert stands_at() == ""
    assert browser.all("dialog") == []
