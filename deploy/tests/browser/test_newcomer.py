"""From signing up to reading, as somebody new goes through it."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import NEEDED, Browser
from pages import PASSWORD
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from stack import Stack, picture, wait_for

pytestmark = NEEDED


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_newcomer_finds_the_way(
    stack: Stack, browse: Callable[..., Browser], tmp_path: Path, width: int, look: str, scripts: bool
) -> None:
    """Register, post with a picture, follow, read, favourite, answer, edit, choose: each page that is passed is looked at."""
    author, name, word = stack.new_person("author"), f"fresh_{secrets.token_hex(3)}", f"lantern{secrets.token_hex(3)}"
    image = author.client.post("/api/v2/media", files={"file": ("a.jpg", picture("orange"), "image/jpeg")}, data={"description": "orange"})
    written = author.write(f"Guten Morgen, hier ist eine {word} für alle", language="de", media_ids=[image.json()["id"]])
    author.write("only for those who want to know", spoiler_text="the end of a film")
    author.write("which one?", poll={"options": ["tea", "coffee"], "expires_in": 3600})
    browser = browse(width, look, scripts=scripts)

    browser.open("/")
    browser.look("welcome")
    browser.submit("main a[href='/register']")
    browser.look("register")
    browser.fill(username=author.name, email="x@people.example", password=PASSWORD)
    browser.click("#agreement")
    browser.submit("main form button")
    assert browser.find("#username").get_attribute("aria-invalid") == "true"
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]  # a 422 is told there, too
    browser.look("register-refused")
    browser.fill(username=name, email=f"{name}@people.example", password=PASSWORD)
    browser.submit("main form button")
    assert "We sent you a mail with a link" in browser.text
    browser.look("unconfirmed")
    browser.open(stack.mailed_link(f"{name}@people.example", "/confirm?"))
    browser.look("confirm")
    browser.submit("main form button")
    assert "Your address is confirmed." in browser.text
    browser.look("empty-home")
    browser.submit("footer form[action='/logout'] button")
    assert "You are logged out." in browser.text
    browser.open("/login")
    browser.look("login")
    browser.fill(identifier=name, password=PASSWORD)
    browser.submit("main form button")
    assert browser.path == "/"

    browser.open("/write")
    browser.look("write")
    file = tmp_path / "teal.jpg"
    file.write_bytes(picture())
    browser.fill(status="My **first** post", pictures=str(file))
    if not scripts:
        browser.submit("button[name='add']")
    described = browser.waited(".describe textarea")
    described.send_keys("all teal")
    browser.look("described")
    wait_for(lambda: browser.find(".composer .btn-primary").is_enabled(), "the upload to end")
    browser.submit(".composer .btn-primary")
    post = browser.find("article.post")
    assert "My first post" in post.text
    assert post.find_element(By.CSS_SELECTOR, "strong").text == "first"
    assert post.find_element(By.CSS_SELECTOR, ".grid img").get_attribute("alt") == "all teal"

    browser.open(f"/@{author.name}")
    browser.look("profile")
    browser.submit(f"form[action='/@{author.name}/follow'] button")
    assert "Following" in browser.find(f"form[action='/@{author.name}/unfollow'] button").text
    browser.look("profile-followed")

    def home() -> bool:
        browser.open("/")
        return word in browser.text

    wait_for(home, "the post at home")
    assert {post.text for post in browser.all("article.post .handle")} == {f"@{name}", f"@{author.name}"}
    browser.look("home")

    browser.open(f"/@{author.name}/{written['id']}")
    browser.look("thread")
    favourite = f"[formaction='/posts/{written['id']}/favourite']"
    (browser.click if scripts else browser.submit)(favourite)
    assert browser.waited(f"[formaction='/posts/{written['id']}/unfavourite'][aria-pressed='true'] .num").text == "1"
    browser.find("#reply textarea[name='status']").send_keys("good morning to you")
    browser.submit("#reply .btn-primary")
    assert "good morning to you" in browser.find("article.focus").text
    browser.look("answered")

    browser.click("article.focus .menu summary")
    assert browser.find("article.focus .dropdown-menu").is_displayed()
    browser.submit("article.focus .dropdown-menu a[href$='/edit']")
    browser.look("edit")
    browser.fill(status="good evening to you")
    browser.submit("main form .btn-primary")
    assert "good evening to you" in browser.find("article.focus").text
    assert "Edited" in browser.find("article.focus .facts").text
    browser.submit("article.focus .facts a")
    assert "good morning to you" in browser.text
    browser.look("history")

    for path in (
        *("/public", "/notifications", "/messages", "/bookmarks", "/favourites", "/lists", "/settings", "/settings/profile"),
        *("/settings/filters", "/settings/hashtags", "/people", f"/@{author.name}/followers", f"/search?q={author.name}", "/about"),
    ):
        browser.open(path)
        browser.look(re.sub(r"[^a-z]", "", path))
    Select(browser.find("#language") if browser.all("#language") else browser.find("#choose-language")).select_by_value("de")
    browser.submit("footer form[action='/language'] button")
    assert browser.find("html").get_attribute("lang") == "de"
