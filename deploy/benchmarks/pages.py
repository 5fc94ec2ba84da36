"""What the pages weigh and how soon they stand on an emulated phone: Debian's chromium, a processor slowed four times, 1.6 Mbit/s, 150 ms.

Weights are those of level 6 of gzip, as a browser gets them; the times are those of Web Vitals (https://web.dev/articles/vitals).
"""

import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from microblog_demo import LOGIN
from running import stack
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PORT: Final = 8650
RUNS: Final = 5
_FLAGS: Final = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-dev-shm-usage --lang=en-US"
)
_PHONE: Final = {"width": 390, "height": 844, "deviceScaleFactor": 3, "mobile": True}
_NETWORK: Final = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
_WATCH: Final = """
    window.vitals = { lcp: 0, cls: 0, inp: 0 };
    const watch = (type, note, more) => new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true, ...more });
    watch("largest-contentful-paint", (entry) => { vitals.lcp = entry.startTime; });
    watch("layout-shift", (entry) => { if (!entry.hadRecentInput) vitals.cls += entry.value; });
    watch("event", (entry) => { if (entry.interactionId) vitals.inp = Math.max(vitals.inp, entry.duration); }, { durationThreshold: 16 });
"""
_TOLD: Final = """
    const fetched = performance.getEntriesByType("resource").reduce((sum, entry) => sum + entry.transferSize, 0);
    const page = performance.getEntriesByType("navigation")[0];
    const pictures = performance.getEntriesByType("resource").filter((entry) => entry.initiatorType === "img");
    const photos = pictures.reduce((sum, entry) => sum + entry.transferSize, 0);
    return { ...vitals, bytes: fetched + page.transferSize - photos, photos, elements: document.getElementsByTagName("*").length,
             settled: document.readyState === "complete" };
"""


@contextmanager
def phone() -> Iterator[webdriver.Chrome]:
    """A browser that behaves like a phone of the middle class on a slow line."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (browser and driver):
        raise SystemExit("chromium and chromedriver aren't installed (Debian: apt install chromium chromium-driver)")
    options = Options()
    options.binary_location = browser
    for flag in _FLAGS.split():
        options.add_argument(flag)
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        running.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        running.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", dict(_PHONE))
        running.execute_cdp_cmd("Network.enable", {})
        running.execute_cdp_cmd("Network.emulateNetworkConditions", dict(_NETWORK))
        running.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 4})
        yield running
    finally:
        running.quit()


class Visitor:
    """Opens pages again and again and keeps the middle of what was measured."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self._browser = browser
        self._url = f"http://localhost:{PORT}"

    def log_in(self) -> None:
        self._browser.get(f"{self._url}/login")
        for name, value in zip(("identifier", "password"), LOGIN, strict=True):
            self._browser.find_element(By.NAME, name).send_keys(value)
        self._browser.find_element(By.CSS_SELECTOR, "main form button").click()
        WebDriverWait(self._browser, 30).until(lambda browser: not browser.current_url.endswith("/login"))

    def links(self) -> dict[str, str]:
        """A thread and a profile that Home leads to."""
        self._browser.get(f"{self._url}/")
        post = self._browser.find_element(By.CSS_SELECTOR, "article a[href*='/@'][href*='/1']").get_attribute("href") or ""
        return {"thread": post.removeprefix(self._url), "profile": "/" + post.removeprefix(self._url).split("/")[1]}

    def measure(self, path: str, *, cold: bool) -> dict[str, float]:
        return _middle([self._once(path, cold=cold) for _ in range(RUNS)])

    def weight(self) -> int:
        """Bytes of the open page's HTML, compressed."""
        asked = "return fetch(location.href).then((answer) => answer.text())"
        return len(gzip.compress(self._browser.execute_script(asked).encode(), 6))

    def press(self, selector: str) -> float:
        """How long the page takes to answer a press, in ms; 0 stands for less than 16, which browsers don't tell."""
        button = self._browser.find_element(By.CSS_SELECTOR, selector)
        before = button.get_attribute("aria-pressed")
        button.click()
        WebDriverWait(self._browser, 10).until(lambda _: button.get_attribute("aria-pressed") != before)
        return float(self._browser.execute_script("return new Promise((done) => setTimeout(() => done(vitals.inp), 300))"))

    def _once(self, path: str, *, cold: bool) -> dict[str, Any]:
        if cold:
            self._browser.execute_cdp_cmd("Network.clearBrowserCache", {})
        self._browser.get(self._url + path)
        WebDriverWait(self._browser, 30).until(lambda browser: browser.execute_script(_TOLD)["settled"])
        told: dict[str, Any] = self._browser.execute_script(_TOLD)
        return told


def _middle(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {name: sorted(float(run[name]) for run in runs)[len(runs) // 2] for name in runs[0]}


def main() -> int:
    with stack(PORT), phone() as browser:
        visitor = Visitor(browser)
        form = f"{'page':<10}{'HTML kB':>9}{'elements':>10}{'cold kB':>9}{'pictures':>10}{'LCP cold':>10}{'LCP warm':>10}{'CLS':>7}"
        rows = {"log-in": "/login"}
        print(form)
        _show(visitor, rows)
        visitor.log_in()
        _show(visitor, {"home": "/", **visitor.links(), "search": "/search?q=garden"})
        visitor.measure("/", cold=False)
        print(f"a favourite is answered after {visitor.press('article [data-toggle]'):.0f} ms (INP)")
        print(json.dumps(browser.capabilities.get("browserVersion")))
    return 0


def _show(visitor: Visitor, rows: dict[str, str]) -> None:
    for name, path in rows.items():
        cold, warm = visitor.measure(path, cold=True), visitor.measure(path, cold=False)
        print(
            f"{name:<10}{visitor.weight() / 1024:>9.1f}{cold['elements']:>10.0f}{cold['bytes'] / 1024:>9.1f}{cold['photos'] / 1024:>10.1f}"
            f"{cold['lcp']:>10.0f}{warm['lcp']:>10.0f}{max(cold['cls'], warm['cls']):>7.3f}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
