"""A real headless Chromium, and what it logged."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def started(profile: Path) -> Iterator[Chrome]:
    """A browser with an empty profile, for the block; the test is skipped if there is none on this machine."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver here: `make browser`")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def said(browser: Chrome, kind: str = "browser") -> list[str]:
    """What Chromium logged since it was last asked."""
    return [one["message"] for one in browser.get_log(kind)]  # type: ignore[no-untyped-call]
