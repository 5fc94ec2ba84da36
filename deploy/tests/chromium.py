"""A real browser, for what only it can tell: what is seen, whether pictures load, whether scripts and policies get along."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pages import PASSWORD
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from stack import Person, Stack, wait_for

CHROMIUM, CHROMEDRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
NEEDED = [pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver aren't installed"), pytest.mark.slow]
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
