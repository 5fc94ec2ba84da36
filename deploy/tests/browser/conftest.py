"""Opens browsers."""

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import CHROMEDRIVER, CHROMIUM, FLAGS, Browser
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from stack import Stack

AXE = "axe-playwright-python==0.1.8 --hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
"""The wheel that brings axe-core 4.12.1 (MPL-2.0); of it, only that file is used, and nothing is installed."""


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
