"""A real browser, for what only it can tell: what is seen, whether pictures load, whether scripts and policies get along."""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select
from stack import Person, Stack, picture, wait_for

CHROMIUM, CHROMEDRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver aren't installed"), pytest.mark.slow]
PASSWORD = "correct horse battery"
FLAGS = """
    --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
    --disable-sync --disable-dev-shm-usage --lang=en-US --window-size=1280,900
""".split()
BROKEN = """
    const images = [...document.images].filter((i) => i.offsetParent !== null);
    images.forEach((i) => { i.loading = "eager"; });
    return images.every((i) => i.complete) ? images.filter((i) => !i.naturalWidth).map((i) => i.src) : null;
"""
TOO_WIDE = """
    const most = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > most + 1 && !e.closest("pre"));
    return document.documentElement.scrollWidth > most ? wide.map((e) => e.outerHTML.slice(0, 200)) : [];
"""


class Browser:
    """Chromium in the hands of a person."""

    def __init__(self, driver: webdriver.Chrome, stack: Stack, folder: Path) -> None:
        self.driver, self._stack, self._folder = driver, stack, folder

    def open(self, path: str) -> None:
        self.driver.get(path if path.startswith("http") else f"{self._stack.url}{path}")

    @property
    def text(self) -> str:
        return str(self.find("main").text)

    @property
    def path(self) -> str:
        return str(self.driver.current_url).removeprefix(self._stack.url)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def waited(self, selector: str) -> WebElement:
        """What will stand there in a moment."""
        return wait_for(lambda: self.all(selector) or None, selector)[0]

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            element = self.find(f"main [name='{name}']")
            if element.get_attribute("type") != "file":
                element.clear()
            element.send_keys(value)

    def click(self, selector: str) -> None:
        """Click, and wait for the page that it leads to, if it leads to one."""
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def submit(self, selector: str) -> None:
        """Press a button that leads to another page, and wait until that is there."""
        before = self.find("html")
        self.click(selector)
        wait_for(lambda: self._gone(before), "the next page")
        wait_for(lambda: self.run("return document.readyState === 'complete'"), "the next page to be complete")

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def log_in(self, person: Person) -> None:
        self.open("/login")
        self.fill(identifier=person.name, password=PASSWORD)
        self.submit("main button")
        assert f"@{person.name}" in self.find("aside").text

    def look(self, name: str) -> None:
        """Take a picture of the page, and see that all its pictures are there, that nothing is cut off and the console is quiet."""
        self.driver.save_screenshot(str(self._folder / f"{name}.png"))
        wait_for(lambda: self.run(BROKEN) is not None, "pictures to load")
        assert self.run(BROKEN) == []
        assert self.run(TOO_WIDE) == []
        assert [entry["message"] for entry in self._console() if entry["level"] in ("SEVERE", "WARNING")] == []

    def _console(self) -> list[dict[str, Any]]:
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]

    @staticmethod
    def _gone(element: WebElement) -> bool:
        try:
            element.is_enabled()
        except Exception:  # what is raised depends on how far the next page has come
            return True
        return False


@pytest.fixture
def browse(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Opens browsers, 1280 pixels wide or as narrow as a phone."""
    drivers: list[webdriver.Chrome] = []

    def browser(width: int = 1280) -> Browser:
        options = Options()
        assert CHROMIUM is not None
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={tmp_path / f'profile{len(drivers)}'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        drivers.append(driver)
        driver.set_page_load_timeout(30)
        if width != 1280:
            metrics = {"width": width, "height": 812, "deviceScaleFactor": 2, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        return Browser(driver, stack, tmp_path)

    yield browser
    for driver in drivers:
        driver.quit()


def test_a_newcomer_finds_the_way(stack: Stack, browse: Callable[..., Browser], tmp_path: Path) -> None:
    author, name, word = stack.new_person("author"), f"fresh_{secrets.token_hex(3)}", f"lantern{secrets.token_hex(3)}"
    uploaded = author.client.post(
        "/api/v2/media", files={"file": ("a.jpg", picture("orange"), "image/jpeg")}, data={"description": "orange"}
    )
    author.write(f"Guten Morgen, hier ist eine {word} für alle", language="de", media_ids=[uploaded.json()["id"]])
    browser = browse()
    browser.open("/")
    browser.look("welcome")
    browser.click("main a[href='/register']")
    browser.fill(username=name, email=f"{name}@people.example", password=PASSWORD)
    browser.click("#agreement")
    browser.submit("main form button")
    assert "We sent you a mail with a link" in browser.text
    browser.look("unconfirmed")

    browser.open(stack.mailed_link(f"{name}@people.example", "/confirm?"))
    browser.submit("main form button")
    assert "Your address is confirmed." in browser.text
    browser.submit("footer form[action='/logout'] button")
    assert "You are logged out." in browser.text
    browser.open("/login")
    browser.fill(identifier=name, password=PASSWORD)
    browser.submit("main form button")
    assert browser.path == "/"
    assert f"@{name}" in browser.find("aside").text

    file = tmp_path / "teal.jpg"
    file.write_bytes(picture())
    browser.fill(status="My **first** post", pictures=str(file))
    assert "teal.jpg" in browser.find("#chosen").text
    assert browser.find("#left").text == str(5000 - len("My **first** post"))
    browser.click("details.more summary")
    browser.fill(description="all teal")
    Select(browser.find("#language")).select_by_value("en")
    browser.submit(".composer button")
    post = browser.find("article.post")
    assert "My first post" in post.text
    assert post.find_element(By.CSS_SELECTOR, "strong").text == "first"
    assert post.find_element(By.CSS_SELECTOR, ".pictures img").get_attribute("alt") == "all teal"
    browser.look("first-post")

    browser.open(f"/@{author.name}")
    browser.submit(f"form[action='/@{author.name}/follow'] button")
    assert browser.find(f"form[action='/@{author.name}/unfollow'] button").text == "Unfollow"
    browser.look("profile")

    def home() -> bool:
        browser.open("/")
        return word in browser.text

    wait_for(home, "the post at home")
    assert [post.find_element(By.CSS_SELECTOR, ".who .small").text for post in browser.all("article.post")] == [
        f"@{name}",
        f"@{author.name}",
    ]
    browser.look("home")

    def found() -> bool:
        browser.open("/search")
        browser.find("#q").send_keys(word.replace("lantern", "lantren"), Keys.ENTER)
        return bool(wait_for(lambda: browser.path.startswith("/search?q="), "the answer") and browser.all(".found em"))

    wait_for(found, "the post to be found with a typo")
    assert browser.find(".found em").text == word
    browser.look("search")

    browser.submit("article.post form[action*='/translate'] button")
    assert f"Guten Morgen, hier ist eine {word} für alle" in browser.find(".translation[lang='en']").text
    assert "Translated from German" in browser.find(".translation").text
    assert f"hier ist eine {word}" in browser.find("article.post.main .words").text
    browser.look("translation")


def test_liking_does_not_leave_the_page(stack: Stack, browse: Callable[..., Browser]) -> None:
    author, reader = stack.new_person("author"), stack.new_person("reader")
    status = author.write("what do you think?")
    browser = browse()
    browser.log_in(reader)
    browser.open(f"/@{author.name}/{status['id']}")
    browser.run("window.stayed = true")
    for on, count in ((True, 1), (False, 0), (True, 1)):
        browser.click("article.post form[action$='favourite'] button")
        star = (
            f"article.post form[action$='/{'unfavourite' if on else 'favourite'}'] button[aria-pressed='{str(on).lower()}'] [data-number]"
        )
        assert browser.waited(star).text == (str(count) if count else "")
        assert author.get(f"/api/v1/statuses/{status['id']}")["favourites_count"] == count
    assert browser.run("return window.stayed") is True
    browser.look("liked")


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
    browser = browse(375)
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
