"""The report's page in a real headless Chromium."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import said
from made_run import BESIDE
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tpt import records
from tpt.records import Verdict
from tpt.report import report
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

pytestmark = pytest.mark.slow

HOSTILE = "7"  # the number of the problem whose first sample in each round is hostile, see made_run.py


@pytest.fixture
def page(browser: Chrome, make_run: Callable[..., Run], tmp_path: Path) -> Chrome:
    """The page of a run of two rounds, open."""
    return opened(browser, [make_run()], tmp_path)


def opened(browser: Chrome, runs: list[Run], tmp_path: Path) -> Chrome:
    for kind in ("browser", "performance"):
        said(browser, kind)  # forget what earlier pages said
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(report(runs, tmp_path / "out").page.as_uri())
    return browser


def at(page: Chrome, name: str) -> WebElement:
    return page.find_element(By.ID, name)


def problems(page: Chrome) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, "#problems button")


def cards(page: Chrome) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, "#problem .sample")


def verdicts(page: Chrome) -> set[str]:
    return {one.text for one in page.find_elements(By.CSS_SELECTOR, ".sample .badge:first-child")}


def headings(page: Chrome) -> list[str]:
    return [one.text.splitlines()[0] for one in page.find_elements(By.CSS_SELECTOR, ".round h4")]


def choose(page: Chrome, name: str, choice: str) -> None:
    Select(at(page, name)).select_by_visible_text(choice)


def search(page: Chrome, text: str) -> None:
    at(page, "search").clear()
    at(page, "search").send_keys(text)


def press(page: Chrome, key: str) -> None:
    page.switch_to.active_element.send_keys(key)


def title(page: Chrome) -> str:
    return page.find_element(By.CSS_SELECTOR, "#problem h3").text


def test_it_opens_without_errors_and_asks_the_network_for_nothing(page: Chrome) -> None:
    assert said(page) == []
    sent = [one for one in said(page, "performance") if "Network.requestWillBeSent" in one]
    assert sent and not [one for one in sent if '"url":"http' in one]
    assert len(problems(page)) == 40
    assert headings(page) == ["baseline", "round 1", "round 2"]
    assert len(cards(page)) == 12
    assert page.find_element(By.CSS_SELECTOR, "#pass svg circle").is_displayed()


def test_samples_are_filtered_by_verdict_and_by_round(page: Chrome) -> None:
    choose(page, "verdict", "correct")
    assert verdicts(page) == {"correct"}
    choose(page, "round", "round 1")
    assert 0 < len(problems(page)) < 40
    assert headings(page) == ["round 1"]
    assert verdicts(page) == {"correct"}
    assert "hidden by the filters" in at(page, "problem").text or len(cards(page)) == 4
    choose(page, "set", "training problems (thinking)")
    choose(page, "verdict", "any verdict")
    assert "word_problems/train/" in title(page)
    while not page.find_elements(By.CSS_SELECTOR, ".badge.kept"):
        at(page, "next").click()
    assert "kept to train on" in at(page, "problem").text


def test_samples_of_a_benchmark_are_read_as_those_of_the_test_split(
    browser: Chrome, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    page = opened(browser, [make_run(*BESIDE)], tmp_path)
    choose(page, "set", "sums (benchmark)")
    assert "word_problems/sums/" in title(page)
    assert headings(page) == ["baseline", "round 1", "round 2"]
    assert len(problems(page)) == 40
    choose(page, "round", "round 2")
    choose(page, "verdict", "correct")
    assert verdicts(page) == {"correct"}
    choose(page, "set", "training problems (evaluation)")
    assert headings(page) == ["round 2"]
    assert "word_problems/train/" in title(page)
    assert said(page) == []


def test_runs_are_read_one_at_a_time_or_beside_each_other(
    browser: Chrome, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    page = opened(browser, [make_run(rounds=1), make_run("seed=3", rounds=2)], tmp_path)
    assert headings(page) == ["baseline", "round 1"]
    choose(page, "run", "seed=3")
    assert headings(page) == ["baseline", "round 1", "round 2"]
    choose(page, "run", "all runs")
    choose(page, "round", "round 1")
    assert headings(page) == ["seed=0, round 1", "seed=3, round 1"]


def test_a_sample_can_be_found_by_a_word_of_its_question_or_of_its_text(page: Chrome) -> None:
    search(page, "(23)")
    [found] = problems(page)
    assert "1 of 40 problems" in at(page, "found").text
    assert title(page) == "word_problems/test/23"
    assert found.get_attribute("aria-current") == "true"
    gold = page.find_element(By.CSS_SELECTOR, ".gold code").text
    search(page, f"#### {gold}")
    assert all(f"#### {gold}" in one.text for one in cards(page))
    marks = page.find_elements(By.CSS_SELECTOR, "#problem mark")
    assert {one.text for one in marks} == {f"#### {gold}"}
    search(page, "no such words")
    assert "No sample passes these filters" in at(page, "problem").text
    assert not at(page, "next").is_enabled()


def test_the_keyboard_alone_moves_between_problems(page: Chrome) -> None:
    body = page.find_element(By.TAG_NAME, "body")
    first = title(page)
    body.send_keys("j")
    second = title(page)
    body.send_keys("j", "k")
    assert title(page) == second != first
    body.send_keys("/")
    assert page.switch_to.active_element == at(page, "search")
    press(page, "j")
    assert at(page, "search").get_attribute("value") == "j", "keys are letters in a field"
    press(page, Keys.BACKSPACE)
    press(page, Keys.ESCAPE)
    problems(page)[0].send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.switch_to.active_element == problems(page)[2]
    assert problems(page)[2].get_attribute("aria-current") == "true"
    press(page, Keys.ARROW_UP)
    press(page, Keys.TAB)
    assert page.switch_to.active_element == problems(page)[2]
    press(page, Keys.ENTER)
    assert problems(page)[2].get_attribute("aria-current") == "true"
    outline = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_of_a_program_the_first_failed_test_is_said(
    browser: Chrome, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run(rounds=0, problems=2)
    for path in records.shards(run.folder(Stage(0, "evaluate")), "verdicts"):
        read = list(records.read(path, Verdict))
        failed = [replace(one, kind="time limit", first_failed=3, passed=2, total=10) for one in read]
        records.write(path, Verdict, failed)
    page = opened(browser, [run], tmp_path)
    assert "time limit at test 3; 2 of 10 tests passed" in cards(page)[0].text


def test_what_a_model_wrote_is_shown_and_does_nothing(page: Chrome) -> None:
    search(page, f"({HOSTILE})")
    shown = cards(page)[0].text
    assert "</script><img src=x onerror=" in shown
    assert "<b>bold?</b> & ]]> <!--" in shown
    assert page.find_elements(By.CSS_SELECTOR, "img, .sample b") == []
    assert page.execute_script("return window.hacked") is None
    assert "hacked" not in page.title
    search(page, "<img src=x onerror")
    assert {one.text for one in page.find_elements(By.TAG_NAME, "mark")} == {"<img src=x onerror"}
    assert said(page) == []


def test_the_policy_stops_a_script_that_is_not_the_pages_own(page: Chrome) -> None:
    page.execute_script(
        "const one = document.createElement('div'); one.innerHTML = '<img src=x onerror=\"window.hacked=1\">';"
        "document.body.append(one)"
    )
    assert any("Content Security Policy" in one for one in said(page))
    assert page.execute_script("return window.hacked") is None


def test_it_can_be_read_on_a_phone(browser: Chrome, make_run: Callable[..., Run], tmp_path: Path) -> None:
    runs = [make_run(rounds=3), make_run("prune=ground_truth", "train.schedule=constant", *BESIDE, rounds=1)]
    runs.append(make_run("prune=ground_truth", "seed=3", "train.schedule=constant", *BESIDE, rounds=1))
    page = opened(browser, runs, tmp_path)
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    wide = page.execute_script(
        "return [...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll, svg') && "
        "one.getBoundingClientRect().right > 361).map((one) => one.outerHTML.slice(0, 200))"
    )
    assert wide == []
    assert page.find_element(By.CSS_SELECTOR, "#pass .tick").size["height"] >= 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_in_dark(page: Chrome, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    pairs = page.execute_script(
        "const of = (one) => getComputedStyle(one);"
        "return ['.said li', '.aside', '.why', '.badge.correct', '.badge.wrong', 'th', 'nav a', '.tally span']"
        ".map((name) => document.querySelector(name)).filter(Boolean).map((one) => {"
        " let ground = one; while (of(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;"
        " return [one.className || one.tagName, of(one).color, of(ground).backgroundColor]; })"
    )
    assert len(pairs) >= 6
    for name, ink, ground in pairs:
        assert contrast(ink, ground) >= 4.5, (name, ink, ground)  # WCAG 2.2, 1.4.3


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two CSS colours, WCAG 2.2."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    shares = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
