"""The page that shows wrong solutions step by step, with the chance of success beside each: one file, no requests."""

from dataclasses import dataclass
from pathlib import Path

from tpt import files
from tpt.analysis.solution import Solution
from tpt.report.page.build import HERE as REPORT
from tpt.report.page.build import fill
from tpt.report.rows import round_name

HERE = Path(__file__).parent
SHOWN = 10  # solutions of each round


@dataclass(frozen=True)
class Line:
    """A step on the page.

    Attributes:
        text: as it was written.
        before: share of the continuations from before it that succeed, in %.
        succeeded, n: counts of these.
        marked: whether the chance of success falls furthest here.
    """

    text: str
    before: float
    succeeded: int
    n: int
    marked: bool


def write_page(path: Path, run: str, unit: str, by_round: dict[int, list[Solution]]) -> None:
    """Write the page: a few solutions of each round, located ones of several steps first, in the order of the draw.

    Args:
        run: its name.
        unit: what a step is.
    """
    style = "\n".join(
        one.read_text(encoding="utf-8") for one in (REPORT / "page.css", HERE / "error_locality_page.css")
    )
    text = fill(
        HERE / "error_locality_page.html",
        style,
        run=run,
        unit=unit,
        rounds=[(round_name(round), [_shown(one) for one in _first(some)]) for round, some in by_round.items()],
    )
    files.write_text(path, text)


def _first(solutions: list[Solution]) -> list[Solution]:
    return sorted(solutions, key=lambda one: not (one.located.told and len(one.ends) > 1))[:SHOWN]


def _shown(one: Solution) -> dict[str, object]:
    """What the template shows of a solution."""
    return {
        "problem": one.pair.wrong.problem_id,
        "index": one.pair.wrong.index,
        "question": one.question,
        "lines": lines(one),
        "words": in_words(one),
        "told": one.located.told,
        "right": one.pair.right.text,
    }


def lines(one: Solution) -> list[Line]:
    """The steps of a solution, with the chance before each."""
    counts = [(sum(some), len(some)) for some in one.succeeded]
    return [
        Line(text, 100 * right / n, right, n, place == one.located.step)
        for place, (text, (right, n)) in enumerate(zip(one.texts, counts, strict=True), 1)
    ]


def in_words(one: Solution) -> str:
    """What is known of the step at which a solution goes wrong."""
    found = one.located
    if not found.step:
        return "no step at which the chance of success falls was found"
    if not found.told:
        return (
            f"step {found.step}, where the chance falls furthest, cannot be told with confidence: no other step has a "
            f"larger fall with probability {found.largest:.2f}"
        )
    if len(one.ends) == 1:
        return "a single step: it goes wrong there"
    return (
        f"goes wrong in step {found.step} of {len(one.ends)} (probability that no other step has a larger fall: "
        f"{found.largest:.2f}): on the continuations that did not choose the step, {100 * found.before:.0f} % succeed "
        f"from before it, {100 * found.after:.0f} % from after it"
    )
