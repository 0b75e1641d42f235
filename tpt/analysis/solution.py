"""A wrong solution whose step of error was looked for, and what is measured of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tpt.analysis.alignment import Beside, align, is_local_slip
from tpt.analysis.compare import ByProblem
from tpt.analysis.locate import Located
from tpt.analysis.steps import steps
from tpt.analysis.wrong import Pair

GRID = np.linspace(0, 1, 21)  # of the way through a solution


@dataclass(frozen=True)
class Solution:
    """A wrong solution, where it goes wrong, and how it differs from the nearest right one.

    Attributes:
        question: the problem's.
        ends: after how many tokens each step ends; the last is the solution's end.
        texts: of the steps, as they were written.
        succeeded: whether each continuation from before the first step, after the first step, ... succeeded.
        located: the step at which the chance of success falls furthest.
    """

    pair: Pair
    question: str
    ends: list[int]
    texts: list[str]
    succeeded: list[list[bool]]
    located: Located

    @cached_property
    def aligned(self) -> list[Beside]:
        """Its steps beside those of the nearest right solution."""
        return align(steps(self.pair.wrong.text), steps(self.pair.right.text))

    @property
    def chances(self) -> list[float]:
        """The chance of success before the first step and after each, of all continuations; the last is 0."""
        return [*(float(np.mean(some)) for some in self.succeeded), 0.0]

    @property
    def begins(self) -> int:
        """How many tokens come before the step at which the chance falls."""
        return [0, *self.ends][max(0, self.located.step - 1)]

    def along(self) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """The chance of success at each place of `GRID`, on straight lines from one prefix to the next."""
        places = np.array([0, *self.ends]) / self.ends[-1]
        found: np.ndarray[Any, np.dtype[np.float64]] = np.interp(GRID, places, self.chances)
        return found


@dataclass(frozen=True)
class Measure:
    """Something that is measured of a solution (None: it has none), how it is called, and how many digits are shown."""

    name: str
    of: Callable[[Solution], float | None]
    digits: int = 2


def _of_told(value: Callable[[Solution], float]) -> Callable[[Solution], float | None]:
    """A measure of those solutions alone whose step is located."""
    return lambda one: value(one) if one.located.told else None


def _of_several(value: Callable[[Solution], float]) -> Callable[[Solution], float | None]:
    """The same, of several steps: one of a single step goes wrong there by that alone."""
    return lambda one: value(one) if one.located.told and len(one.ends) > 1 else None


MEASURES = (
    Measure("chance at the start", lambda one: one.located.start),
    Measure("chance before the step", lambda one: one.located.before),
    Measure("fall of the chance at the step", lambda one: one.located.fall),
    Measure("step located", lambda one: float(one.located.told)),
    Measure("located: tokens before the step, share", _of_several(lambda one: one.begins / one.ends[-1])),
    Measure("located: wrong stretch, tokens", _of_told(lambda one: one.ends[-1] - one.begins), 1),
    Measure("located: wrong stretch, steps", _of_told(lambda one: len(one.ends) - one.located.step + 1), 1),
    Measure("located: last step", _of_several(lambda one: float(one.located.step == len(one.ends)))),
    Measure("steps", lambda one: len(one.ends), 1),
    Measure("local slips", lambda one: float(is_local_slip(one.aligned))),
    Measure("steps equal to the right solution's, share", lambda one: float(np.mean([b.same for b in one.aligned]))),
    Measure("words edited in a changed step", lambda one: _edits_in_changed(one.aligned), 1),
    Measure("edits, share of the tokens", lambda one: one.pair.edited),
)


def _edits_in_changed(aligned: list[Beside]) -> float | None:
    """Words edited in a step that has another one beside it and differs from it, on average."""
    found = [one.edits for one in aligned if one.wrong and one.right and not one.same]
    return float(np.mean(found)) if found else None


def by_problem(solutions: list[Solution], measure: Measure) -> ByProblem:
    """The mean of a measure over each problem's solutions: those of one problem are not independent."""
    values: dict[str, list[float]] = {}
    for one in solutions:
        value = measure.of(one)
        if value is not None:
            values.setdefault(one.pair.wrong.problem_id, []).append(value)
    return {problem: float(np.mean(some)) for problem, some in values.items()}
