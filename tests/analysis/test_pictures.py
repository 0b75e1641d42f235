"""The figures and the page of the analyses can be read: nothing runs into what is beside it, or over the edge."""

from itertools import pairwise
from pathlib import Path

import pytest
from chromium import said
from selenium.webdriver import Chrome

from tpt.analysis import picture
from tpt.analysis.locality_page import SHOWN, write_page
from tpt.analysis.locate import locate
from tpt.analysis.solution import Solution
from tpt.analysis.wrong import Pair
from tpt.records import Sample

CONTINUATIONS = 100


def solution(number: int, chances: list[float]) -> Solution:
    """A wrong solution whose continuations from before each step succeed in these shares."""
    texts = [f"Step {at} of a solution that is as long as those of a model are.\n" for at in range(len(chances))]
    wrong = Sample(f"p{number}", 0, [1], [2] * len(chances), "".join(texts), "stop")
    succeeded = [[at % 10 < 10 * chance for at in range(CONTINUATIONS)] for chance in chances]
    ends = list(range(1, len(chances) + 1))
    where = locate(succeeded, lost=True, confidence=0.95)
    return Solution(Pair(wrong, wrong, 0), "How many?", ends, texts, succeeded, where)


def test_a_long_heading_stays_above_its_own_panel(tmp_path: Path) -> None:
    with picture.panels(tmp_path / "figure.png", 2, 2, "run") as panels:
        for panel in panels:
            picture.name(panel, "distinct sequences of operations, equal numbers (higher: more alike)")
    for left, right in pairwise(panel.get_tightbbox() for panel in panels):
        assert left and right and left.x1 < right.x0


def test_ten_solutions_of_each_round_are_shown_and_those_that_say_where_come_first(tmp_path: Path) -> None:
    hopeless, single, located = [0.0, 0.0, 0.0], [0.9], [0.9, 0.9, 0.0]
    drawn = [solution(at, hopeless) for at in range(8)] + [solution(at, single) for at in range(8, 12)]
    drawn += [solution(at, located) for at in range(12, 18)]
    write_page(tmp_path / "page.html", "run", "sentences", {0: drawn, 2: drawn[:3]})
    base, last = (tmp_path / "page.html").read_text().split('aria-label="round 2"')
    assert (base.count("<article"), last.count("<article")) == (SHOWN, 3) == (10, 3)
    assert base.count('class="marked"') == 6, "the located ones of several steps, and then in the order of the draw"
    assert [f"p{at}, sample" in base for at in range(18)] == [True] * 4 + [False] * 8 + [True] * 6


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 400])
def test_the_chance_beside_a_step_is_on_one_line_and_nothing_is_cut(
    browser: Chrome, tmp_path: Path, width: int
) -> None:
    write_page(
        tmp_path / "page.html", "a-run-of-some-length-d9097a5d", "sentences", {0: [solution(0, [1.0, 0.9, 0.1])]}
    )
    said(browser)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((tmp_path / "page.html").as_uri())
    assert said(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    lines = browser.execute_script(
        "return [...document.querySelectorAll('td.chance')].map((cell) => { const text = document.createRange();"
        " text.selectNodeContents(cell.lastChild); const box = text.getBoundingClientRect();"
        " return [box.height, box.right <= cell.getBoundingClientRect().right]; })"
    )
    assert len(lines) == 4
    assert all(height < 24 and inside for height, inside in lines)
