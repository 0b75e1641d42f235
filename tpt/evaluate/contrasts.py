"""Tests of declared contrasts: in a direction, or that two things are alike; with Holm's correction for their number.

They work with any interval that can be had at every confidence: a test rejects at level a where the interval of
confidence 1 - a (1 - 2a for one side) leaves its hypothesis out, so an interval and its test never disagree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tpt.evaluate.intervals import Interval

Expect = Literal["higher", "lower", "different", "alike"]
EXPECTED: tuple[Expect, ...] = ("higher", "lower", "different", "alike")
STEPS = 15  # halvings of the confidence: a p to three digits is enough

At = Callable[[float], Interval]  # an interval at a confidence


@dataclass(frozen=True)
class Tested:
    """One contrast, tested.

    Attributes:
        p: of the test of what is expected, by itself.
        holm: the same, corrected for all contrasts that were declared together.
        against: corrected p of the test of its contrary; that two things are not alike, for `alike`.
    """

    p: float
    holm: float
    against: float

    def outcome(self, level: float = 0.05) -> Literal["holds", "contradicted", "open"]:
        """What the data say of the expectation: yes, no, or not enough."""
        if self.holm < level:
            return "holds"
        return "contradicted" if self.against < level else "open"


def examine(contrasts: Sequence[tuple[At, Expect, float]]) -> list[Tested]:
    """Test some contrasts together.

    Args:
        contrasts: of each its interval at a confidence, what is expected, and, for `alike`, the margin, in the unit of
            the interval.
    """
    both = [_ps(lru_cache(maxsize=None)(at), expect, margin) for at, expect, margin in contrasts]
    ps, contrary = [one for one, _ in both], [one for _, one in both]
    return [Tested(*found) for found in zip(ps, holm(ps), holm(contrary), strict=True)]


def holm(ps: Sequence[float]) -> list[float]:
    """P values corrected so that with any number of true hypotheses one is rejected by chance in `level` of cases.

    Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    found, least = [1.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        found[place] = least
    return found


def _ps(at: At, expect: Expect, margin: float) -> tuple[float, float]:
    """P of the expectation's test, and of its contrary's."""
    above, below = _p_above(at, 0.0), _p_below(at, 0.0)
    match expect:
        case "higher":
            return above, below
        case "lower":
            return below, above
        case "different":
            return min(1.0, 2 * min(above, below)), 1.0
        case "alike":
            # Two one-sided tests (Schuirmann 1987): not lower by the margin, and not higher by it.
            alike = max(_p_above(at, -margin), _p_below(at, margin))
            return alike, min(1.0, 2 * min(_p_above(at, margin), _p_below(at, -margin)))


def _p_above(at: At, threshold: float) -> float:
    """P of the one-sided test that the figure is above a threshold."""
    return _p(at, lambda found: found.low > threshold, lambda found: found.high < threshold)


def _p_below(at: At, threshold: float) -> float:
    return _p(at, lambda found: found.high < threshold, lambda found: found.low > threshold)


def _p(at: At, clear: Callable[[Interval], bool], contrary: Callable[[Interval], bool]) -> float:
    tail = (1 - _widest(at, clear)) / 2
    return tail if tail < 0.5 else 1 - (1 - _widest(at, contrary)) / 2


def _widest(at: At, clear: Callable[[Interval], bool]) -> float:
    """The highest confidence at which an interval is still clear of something; 0 if it is at none."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if clear(at(middle)) else (low, middle)
    return low
