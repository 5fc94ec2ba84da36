"""A real browser, for what only it can tell: what is seen, whether pictures load, whether scripts and policies get along."""

import base64
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.translator import FakeTranslator
from pages import PASSWORD
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
AXE = "axe-playwright-python==0.1.8 --hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
"""The wheel that brings axe-core 4.12.1 (MPL-2.0); of it, only that file is used, and nothing is installed."""
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


# Everything that can be opened is, but menus, which would cover what lies under them. Rules: WCAG 2.2 AA and what is good practice.
FAULTS = """
    const done = arguments[arguments.length - 1];
    if (arguments[0]) document.querySelectorAll("details:not(.menu)").forEach((d) => { d.open = true; });
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    axe.run(document, { runOnly: tags, resultTypes: ["violations"] }).then(
        (found) => done(found.violations.map((v) => [v.id, ...v.nodes.map((n) => n.html.slice(0, 200))])),
        (error) => done([["failed", String(error)]]),
    );
"""


class Browser:
    """Chromium in the hands of a person. Scripts of pages may be off; what tests look up runs all the same."""

    def __init__(self, driver: webdriver.Chrome, stack: Stack, folder: Path, axe: str, *, scripts: bool) -> None:
        self.driver, self._stack, self._folder, self._axe, self._scripts = driver, stack, folder, axe, scripts
        self._let_run(scripts)

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
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
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
        self.submit("main form button")
        assert self.all(f"a[href='/@{person.name}']")

    def look(self, name: str) -> None:
        """Take a picture of the page, and see that all its pictures are there, nothing is cut off, axe has no fault to find and the console
        is quiet; once as it is, and once with everything opened."""
        self.driver.save_screenshot(str(self._folder / f"{name}.png"))
        wait_for(lambda: self.run(BROKEN) is not None, "pictures to load")
        assert self.run(BROKEN) == [], name
        self._let_run(True)
        self.run(self._axe)
        for opened in (False, True):
            faults = self.driver.execute_async_script(FAULTS, opened)
            assert faults == [], f"{name}: {json.dumps(faults, indent=1)}"
            assert self.run(TOO_WIDE) == [], name
        self._let_run(self._scripts)
        assert [entry["message"] for entry in self._console() if entry["level"] in ("SEVERE", "WARNING")] == []

    def _let_run(self, yes: bool) -> None:
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not yes})

    def _console(self) -> list[dict[str, Any]]:
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]

    @staticmethod
    def _gone(element: WebElement) -> bool:
        try:
            element.is_enabled()
        except Exception:  # what is raised depends on how far the next page has come
            return True
        return False


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which finds what people can't use; skips when the package index can't be reached."""
    folder = tmp_path_factory.mktemp("axe")
    (folder / "wanted").write_text(f"{AXE}\n")
    load = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "-r", str(folder / "wanted"), "-d", str(folder)]
    done = subprocess.run(load, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        assert "HASH" not in done.stderr, done.stderr
        pytest.skip(f"axe-core can't be had: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return wheel.read("axe_playwright_python/axe.min.js").decode()


@pytest.fixture
def browse(stack: Stack, axe: str, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Opens browsers, 1280 pixels wide or as narrow as a phone, light or dark, with scripts or without, with letters of the size that somebody set."""
    drivers: list[webdriver.Chrome] = []

    def browser(width: int = 1280, look: str = "light", *, scripts: bool = True, letters: int = 16) -> Browser:
        options = Options()
        assert CHROMIUM is not None
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={tmp_path / f'profile{len(drivers)}'}"):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"webkit.webprefs.default_font_size": letters})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        drivers.append(driver)
        driver.set_page_load_timeout(30)
        driver.set_script_timeout(30)
        if width != 1280:
            metrics = {"width": width, "height": 812, "deviceScaleFactor": 2, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": look}]})
        return Browser(driver, stack, tmp_path, axe, scripts=scripts)

    yield browser
    for driver in drivers:
        driver.quit()


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


def test_what_is_left_to_write_is_counted_and_a_warning_unfolds(stack: Stack, browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.log_in(stack.new_person())
    browser.open("/write")
    browser.run("arguments[0].value = 'x'.repeat(4958)", browser.find("#status"))
    assert browser.find("#left").text == ""
    browser.find("#status").send_keys("yz")
    assert browser.find("#left").text == "40"
    browser.find("#status").send_keys(f" https://example.com/{'z' * 60}")
    assert browser.find("#left").text == "16"
    browser.find("#status").send_keys(" and far too much")
    assert browser.find("#left.over").text == "−1"
    assert not browser.find("#spoiler_text").is_displayed()
    browser.click("details.fold summary")
    browser.find("#spoiler_text").send_keys("boats")
    assert browser.find("#left.over").text == "−6"
    browser.look("counted")


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


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (390, "dark")])
def test_a_form_that_comes_back_says_first_what_is_wrong_and_leads_there(
    stack: Stack, browse: Callable[..., Browser], width: int, look: str
) -> None:
    browser = browse(width, look)
    browser.open("/register")
    browser.fill(username="", email="nowhere", password="x")
    browser.submit("main form button")
    assert browser.run("return document.activeElement.matches('.wrong[role=alert]')")
    assert [link.get_attribute("hash") for link in browser.all(".wrong a")] == ["#username", "#password", "#agreement"]
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]  # a 422 is told there, too
    browser.look(f"summary-{width}-{look}")
    browser.find(".wrong a[href='#password']").send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "password"
    browser.log_in(stack.new_person())
    browser.open("/write")
    browser.submit(".composer .btn-primary")
    assert "Text can" in browser.driver.switch_to.active_element.text
    browser.driver.get_log("browser")  # type: ignore[no-untyped-call]
    browser.look(f"summary-composer-{width}-{look}")
    browser.find(".wrong a").send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "status"


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


FILES = """
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(arguments[2]), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], "a.jpg", { type: "image/jpeg" }));
    const more = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
    const event = arguments[1] === "paste" ? new ClipboardEvent("paste", more) : new DragEvent(arguments[1], more);
    return !arguments[0].dispatchEvent(event);
"""


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_a_draft_waits_until_it_is_sent_or_discarded(stack: Stack, browse: Callable[..., Browser], width: int, look: str) -> None:
    person, author = stack.new_person("writer"), stack.new_person("author")
    status = author.write("what do you think?")
    browser = browse(width, look)
    browser.log_in(person)

    def drafts() -> list[str]:
        return sorted(browser.run("return Object.keys(localStorage)"))

    def written() -> str:
        return str(browser.find("#status").get_attribute("value"))

    new, reply = f"draft:{person.id}:new", f"draft:{person.id}:{status['id']}"
    browser.open("/write")
    assert not browser.find(".draft").is_displayed()
    browser.find("#status").send_keys("half a thought")
    Select(browser.find("#visibility")).select_by_value("private")
    assert drafts() == []
    wait_for(lambda: "Draft kept at" in browser.find(".draft").text, "the draft to be kept")
    assert drafts() == [new]
    browser.look(f"draft-kept-{width}-{look}")
    browser.open(f"/@{author.name}/{status['id']}")
    assert written() == f"@{author.name} "
    browser.find("#status").send_keys("a lot")
    wait_for(lambda: drafts() == [reply, new] or drafts() == [new, reply], "the second draft")

    browser.open("/write")
    assert written() == "half a thought"
    assert "Your draft of" in browser.find(".draft").text
    assert Select(browser.find("#visibility")).first_selected_option.get_attribute("value") == "private"
    browser.look(f"draft-back-{width}-{look}")
    browser.find("#status").send_keys(Keys.CONTROL, Keys.ENTER)
    wait_for(lambda: browser.path == "/", "what follows the post")
    assert person.get(f"/api/v1/accounts/{person.id}/statuses")[0]["visibility"] == "private"
    assert drafts() == [reply]

    browser.open(f"/@{author.name}/{status['id']}")
    assert written() == f"@{author.name} a lot"
    browser.click(".draft button")
    assert written() == f"@{author.name} "
    assert drafts() == []
    assert not browser.find(".draft").is_displayed()

    # What is refused isn't lost, either; but nothing is left to who comes next.
    browser.open("/write")
    browser.run("arguments[0].value = 'x'.repeat(5000)", browser.find("#status"))
    browser.find("#status").send_keys("y", Keys.CONTROL, Keys.ENTER)
    browser.waited(".wrong")
    assert drafts() == [new]
    browser.open("/write")
    assert written() == "x" * 5000 + "y"
    browser.find("#status").send_keys("z")
    browser.submit("footer form[action='/logout'] button")
    browser.log_in(author)
    browser.open("/write")
    assert written() == ""
    assert drafts() == []


def test_pictures_are_pasted_and_dropped(stack: Stack, browse: Callable[..., Browser]) -> None:
    person = stack.new_person()
    browser = browse()
    browser.log_in(person)
    browser.open("/write")
    for kind, colour in (("paste", "teal"), ("drop", "orange")):
        sent = base64.b64encode(picture(colour)).decode()
        assert browser.run(FILES, browser.find("#status"), kind, sent), "the browser would have done something else with it"
    wait_for(lambda: len(browser.all(".describe textarea")) == 2, "both pictures")
    for place, area in enumerate(browser.all(".describe textarea")):
        area.send_keys(f"picture {place}")
    browser.look("pasted")
    browser.find("#status").send_keys("two pictures", Keys.CONTROL, Keys.ENTER)
    wait_for(lambda: browser.path == "/", "what follows the post")
    media = person.get(f"/api/v1/accounts/{person.id}/statuses")[0]["media_attachments"]
    assert [one["description"] for one in media] == ["picture 0", "picture 1"]


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


@pytest.mark.parametrize(("width", "look"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_deleting_asks_in_a_dialog_and_keeping_is_the_first_answer(
    stack: Stack, browse: Callable[..., Browser], width: int, look: str
) -> None:
    person = stack.new_person("writer")
    image = person.client.post("/api/v2/media", files={"file": ("a.jpg", picture("orange"), "image/jpeg")}, data={"description": "orange"})
    status = person.write("not my best", media_ids=[image.json()["id"]])
    path = f"/@{person.name}/{status['id']}"
    browser = browse(width, look)
    browser.log_in(person)
    browser.open(path)
    browser.run("window.stayed = true")

    def ask() -> None:
        browser.click("article.focus .menu summary")
        browser.click("article.focus .dropdown-item.danger")
        browser.waited("dialog[open]:not(#key-map)")

    ask()
    assert browser.find("dialog[open] h1").text == "Delete this post?"
    assert browser.find("dialog[open] .post-text").text == "not my best"
    assert browser.driver.switch_to.active_element.text == "Keep it"
    browser.look(f"delete-{width}-{look}")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert not browser.all("dialog[open]")
    assert browser.run("return document.activeElement.matches('article.focus .menu summary')")
    ask()
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_for(lambda: not browser.all("dialog[open]"), "the dialog to close")
    assert browser.run("return window.stayed") is True
    assert browser.path == path
    assert person.get(f"/api/v1/statuses/{status['id']}")["content"]
    ask()
    browser.submit("dialog[open] .btn-danger")
    assert "The post is gone." in browser.text
    assert person.client.get(f"/api/v1/statuses/{status['id']}").status_code == 404

    made = person.client.post("/api/v1/lists", json={"title": "Neighbours"}).json()
    browser.open(f"/lists/{made['id']}/edit")
    browser.click("a[data-ask]")
    assert browser.waited("dialog[open] h1").text == "Delete this list?"
    browser.submit("dialog[open] .btn-danger")
    assert browser.path == "/lists"
    assert person.get("/api/v1/lists") == []


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
