"""Feeds on the pages: home, hashtags, announcements, older posts."""

import re
import secrets
from html import unescape
from urllib.parse import unquote

from pages import Browse, words
from stack import Stack, wait_for


def test_a_hashtag_is_followed_on_its_page(stack: Stack, browse: Browse) -> None:
    reader, author, word = stack.new_person("reader"), stack.new_person("author"), f"größe{secrets.token_hex(3)}"
    author.write(f"look at #{word}")
    browser, path = browse(reader), f"/tags/{word}"
    assert "Follow" not in words(browse().get(path)).split()
    assert "look at" not in words(browser.get("/"))
    followed = stack.submit(browser, path)
    assert unquote(followed.headers["location"]) == path
    assert "Unfollow" in words(browser.get(path))
    assert "look at" in words(browser.get("/"))
    assert f"#{word}" in words(browser.get("/lists"))
    assert stack.submit(browser, path).status_code == 303
    assert "look at" not in words(browser.get("/"))
    assert f"#{word}" not in words(browser.get("/lists"))


def test_announcements_are_read_by_all_and_written_by_admins_only(stack: Stack, browse: Browse) -> None:
    browser = browse(stack.new_person())
    assert "<textarea" not in browser.get("/announcements").text
    hidden, _ = stack.form(browser, "/", "/posts")
    assert browser.post("/announcements", data={**hidden, "text": "forged news"}).status_code == 403
    assert "forged news" not in words(browse().get("/announcements"))


def test_hashtags_in_any_script_have_a_page(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    for tag in (f"größe{secrets.token_hex(3)}", f"東京{secrets.token_hex(3)}"):
        status = person.write(f"hello #{tag}")
        link = re.search(r'href="([^"]*/tags/[^"]+)"', status["content"])
        assert link is not None
        page = browse().get(unescape(link[1]))
        assert page.status_code == 200
        assert "hello" in words(page)


def test_older_posts_are_a_click_away(stack: Stack, browse: Browse) -> None:
    person = stack.new_person()
    for number in range(23):
        person.write(f"number {number:02}.")
    browser = browse()
    first = browser.get(f"/@{person.name}")
    older = re.search(r'<p class="older" data-fill><a[^>]*href="([^"]+)"', first.text)
    assert older is not None
    second = browser.get(unescape(older[1]))
    assert re.findall(r"number \d\d", words(first) + words(second)) == [f"number {number:02}" for number in range(22, -1, -1)]
    assert "Older posts" not in second.text


def test_home_says_where_one_was_and_what_is_newer(stack: Stack, browse: Browse) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    reader.follow(author)
    for text in ("older one", "seen last"):
        author.write(text)
    browser = browse(reader)
    wait_for(lambda: "seen last" in browser.get("/").text, "the posts at home")
    assert "You were here" not in words(browser.get("/"))
    author.write("brand new")
    shown = wait_for(lambda: (text := words(browser.get("/"))) and "brand new" in text and text, "the newest post at home")
    assert shown.index("brand new") < shown.index("You were here") < shown.index("seen last") < shown.index("older one")
    assert "That is everything." in shown
    assert "You were here" not in words(browser.get("/"))
