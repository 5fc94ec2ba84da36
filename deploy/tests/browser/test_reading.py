"""Reading: liking, older and new posts, notifications, times that go on."""

import time
from collections.abc import Callable

import pytest
from chromium import NEEDED, Browser
from stack import Stack, wait_for

pytestmark = NEEDED


def test_liking_does_not_leave_the_page(stack: Stack, browse: Callable[..., Browser]) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("what do you think?")
    browser = browse()
    browser.log_in(reader)
    browser.open(f"/@{author.name}/{status['id']}")
    browser.run("window.stayed = true")
    for on, count in ((True, 1), (False, 0), (True, 1)):
        browser.click("article.post .act-heart")
        heart = f".act-heart[formaction$='/{'unfavourite' if on else 'favourite'}'][aria-pressed='{str(on).lower()}'] [data-number]"
        assert browser.waited(heart).text == (str(count) if count else "")
        assert author.get(f"/api/v1/statuses/{status['id']}")["favourites_count"] == count
    assert browser.run("return window.stayed") is True
    browser.look("liked")


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (390, "dark")])
def test_older_posts_come_in_place(stack: Stack, browse: Callable[..., Browser], width: int, look: str) -> None:
    author = stack.new_person("author")
    posts = [author.write(f"number {place}")["id"] for place in range(45)][::-1]
    browser = browse(width, look)
    browser.open(f"/@{author.name}")
    browser.run("window.stayed = true")
    for most in (40, 45):
        browser.click(".older a")
        wait_for(lambda most=most: len(browser.all("article.post")) == most, "older posts")
        first = posts[{40: 20, 45: 40}[most]]
        assert browser.run("return document.activeElement.id") == f"post-{first}"
        assert browser.path.startswith(f"/@{author.name}?max_id=")
        browser.look(f"older-{width}-{look}-{most}")
    assert [post.get_attribute("id") for post in browser.all("article.post")] == [f"post-{post}" for post in posts]
    assert "That is everything." in browser.text
    assert not browser.all(".older, [aria-busy], .bones")
    assert browser.run("return window.stayed") is True

    # Where they can't be fetched, the link leads on as any other.
    browser.open(f"/@{author.name}")
    browser.run("window.fetch = () => Promise.reject(new Error('away'))")
    browser.submit(".older a")
    assert browser.path.startswith(f"/@{author.name}?max_id=")
    assert len(browser.all("article.post")) == 20


@pytest.mark.parametrize(("language", "said"), [("en", "2 min. ago"), ("de", "vor 2 Min."), ("es", "hace 2 min")])
def test_times_grow_old_while_somebody_reads(stack: Stack, browse: Callable[..., Browser], language: str, said: str) -> None:
    author = stack.new_person("author")
    author.write("just now")
    browser = browse()
    # For this page a minute is half a second long, and the clock two minutes ahead.
    hasty = """
        const [every, now] = [setInterval, Date.now];
        window.setInterval = (what, length) => every(what, length / 120);
        Date.now = () => now() + 120000;
    """
    browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": hasty})
    browser.open("/about")
    browser.driver.add_cookie({"name": "language", "value": language})
    browser.open(f"/@{author.name}")
    moment = browser.find("article.post .when time")
    shown = moment.get_attribute("title")
    wait_for(lambda: moment.text == said, said)
    assert moment.get_attribute("title") == shown
    browser.look(f"minutes-{language}")


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (390, "dark")])
def test_an_open_page_says_that_there_is_something_new(stack: Stack, browse: Callable[..., Browser], width: int, look: str) -> None:
    reader, author = stack.new_person("reader"), stack.new_person("author")
    reader.follow(author)
    author.write("was there before")
    page = browse(width, look)
    page.log_in(reader)
    page.open("/")
    sent = 0

    def told() -> bool:
        """Whether the page hears already; until it does, something new happens again and again."""
        nonlocal sent
        sent += 1
        author.write(f"news {sent}")
        time.sleep(0.3)
        return page.find(".fresh").is_displayed()

    wait_for(told, "the band")
    known = int(page.find(".fresh").text.split()[0])
    reader.write("by myself, elsewhere")
    author.write(f"something for @{reader.name}")
    wait_for(lambda: page.find(".fresh").text == f"{known + 1} new posts", "one post more", 15)
    assert page.driver.title.startswith(f"({known + 2}) ")
    assert "news" not in page.find(".sheet").text.replace(page.find(".fresh").text, "")
    assert [count.text.split()[0] for count in page.all("[href='/notifications'] .count") if count.is_displayed()] == ["1"]
    page.look(f"new-{width}-{look}")
    page.find("body").send_keys(".")
    wait_for(lambda: "something for" in page.text, "the new posts")


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_what_happened_is_told_by_kind_and_put_away(stack: Stack, browse: Callable[..., Browser], width: int, look: str) -> None:
    author, fans = stack.new_person("author"), [stack.new_person(f"fan{number}") for number in range(4)]
    status = author.write("A post that many like, with more words than fit into a line or two of a phone: " + "and on and on, " * 20)
    browser = browse(width, look, scripts=False)
    browser.log_in(author)
    browser.open("/notifications")
    browser.look("nothing-new")
    fans[0].follow(author)
    wait_for(lambda: author.get("/api/v1/notifications") or None, "the first notification")
    browser.open("/notifications")
    for fan in fans:
        fan.post(f"/api/v1/statuses/{status['id']}/favourite")
    fans[1].write(f"@{author.name} a word with **weight**")
    fans[2].write("an answer behind a warning", in_reply_to_id=status["id"], spoiler_text="long story")
    wait_for(lambda: len(author.get("/api/v1/notifications")) == 7 or None, "the others")
    browser.open("/notifications")
    browser.look("notifications-new")
    assert len(browser.all(".row-line.unread, .told.unread")) == 3
    browser.submit(".row-line form button")
    assert len(author.get("/api/v1/notifications")) == 6
    browser.submit(".tabs a[href='/notifications?type=favourites']")
    browser.look("notifications-favourites")
    assert len(browser.all(".row-line")) == 1
    browser.open("/notifications")
    browser.click(".page-head .menu summary")
    browser.submit(".page-head .menu .danger")
    assert "Nothing new." in browser.text
