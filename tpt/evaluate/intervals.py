"""Intervals over problems: samples of one problem are not independent, problems are.

A share has Wilson's interval at the effective number of outcomes, and a gain combines the intervals of its two shares.
Nothing is drawn at random: the same figures give the same interval. `benchmarks/coverage.py` measures the coverage.

Sources: Wilson 1927; Korn and Graubard 1998 (effective size by the design effect, with Student's t); Dean and Pagano
2015 (a comparison of such intervals); Brown, Cai and DasGupta 2001 (Wilson's limits near 0 and 1); Newcombe 1998
(method 10, for paired differences), in the general form of Zou and Donner 2008 (MOVER).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tpt.artefacts import Ends

Floats = npt.NDArray[np.float64]

# Where no problem changed, the correlation is 1, though some may change among problems that were not drawn. In
# simulations of a change that two problems are expected to undergo, the interval covers 88 % with 2, and 99 % with 3.
UNLIKE = 3


@dataclass(frozen=True)
class Interval:
    """A mean over problems and its interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> Ends:
        """As plain JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def columns(self, name: str) -> dict[str, float]:
        """As three columns of a table: the value, and the ends of the interval as `name_low` and `name_high`."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    @property
    def direction(self) -> int:
        """1 or -1 if the whole interval is on one side of 0, else 0."""
        return (self.low > 0) - (self.high < 0)

    def in_percent(self) -> str:
        """A share in percent: `29.5 [25.1, 33.9]`."""
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def in_points(self) -> str:
        """A difference of shares in percentage points: `+15.5 [+11.0, +20.2]`."""
        return f"{100 * self.value:+z.1f} [{100 * self.low:+z.1f}, {100 * self.high:+z.1f}]"


def interval_words(confidence: float) -> str:
    """What the brackets around an interval are: `95 % intervals over problems`."""
    return f"{100 * confidence:g} % intervals over problems"


def share_interval(values: Floats, confidence: float) -> Interval:
    """The mean of one share per problem (of its samples, of its draws of k samples, or 0 and 1), with its interval.

    Wilson's interval for as many independent outcomes as `effective_size` says. Where the exact one-sided limit of the
    same confidence lies further out it is taken instead, since Wilson's interval covers too little if almost no
    problem, or almost every one, is solved.

    Args:
        values: between 0 and 1, shape (problems,).
        confidence: e.g. 0.95.

    Raises:
        ValueError: there are no problems.
    """
    if not values.size:
        raise ValueError("no problems to take the mean of")
    mean = min(1.0, max(0.0, float(values.mean())))  # a sum of floats may be past the end by a bit
    size = effective_size(values, confidence)
    low, high = _wilson(mean, size, confidence)
    exact_low, exact_high = _one_sided(mean, size, confidence)
    return Interval(mean, min(low, exact_low, mean), max(high, exact_high, mean))


def counted_interval(share: float, count: int, confidence: float) -> Interval:
    """A share of independent outcomes, such as of questions answered once each, with its interval.

    As `share_interval`, of values of 0 and 1.

    Args:
        share: between 0 and 1.
        count: of outcomes.
        confidence: e.g. 0.95.
    """
    low, high = _wilson(share, count, confidence)
    exact_low, exact_high = _one_sided(share, count, confidence)
    return Interval(share, min(low, exact_low, share), max(high, exact_high, share))


def normal_interval(value: float, error: float, confidence: float) -> Interval:
    """A figure with the normal interval of its standard error.

    Args:
        confidence: e.g. 0.95.
    """
    half = _quantile(confidence) * error
    return Interval(value, value - half, value + half)


def independent_difference(after: Interval, before: Interval) -> Interval:
    """The difference of two figures of which only the intervals are known, so that nothing can be paired.

    Both intervals are combined as if the figures were independent (Zou and Donner 2008). If both were measured on the
    same questions, they mostly are correlated positively, and the interval is wider than a paired one.
    """
    below = _combined(after.value - after.low, before.high - before.value, 0.0)
    above = _combined(after.high - after.value, before.value - before.low, 0.0)
    value = after.value - before.value
    return Interval(value, value - below, value + above)


def gain_interval(after: Floats, before: Floats, confidence: float) -> Interval:
    """The mean difference of two shares of the same problems, in the same order, with its interval.

    The intervals of both shares are combined for the difference, given their correlation over problems (Newcombe 1998,
    method 10; Zou and Donner 2008).

    Args:
        after, before: between 0 and 1, shape (problems,).
        confidence: e.g. 0.95.

    Raises:
        ValueError: the two have different numbers of problems, or none.
    """
    if after.shape != before.shape:
        raise ValueError(f"{after.size} and {before.size} problems cannot be paired")
    one, other = share_interval(after, confidence), share_interval(before, confidence)
    together = _correlation(after, before)
    value = one.value - other.value
    below = _combined(one.value - one.low, other.high - other.value, together)
    above = _combined(one.high - one.value, other.value - other.low, together)
    return Interval(value, max(-1.0, value - below), min(1.0, value + above))


def mean_interval(values: Floats, confidence: float) -> Interval:
    """The mean of one value of any size per problem, with Student's t interval.

    Args:
        values: shape (problems,).
        confidence: e.g. 0.95.

    Returns:
        of one problem alone, whose spread is unknown, an interval without ends.

    Raises:
        ValueError: there are no problems.
    """
    if not values.size:
        raise ValueError("no problems to take the mean of")
    value = float(values.mean())
    if values.size == 1:
        return Interval(value, -math.inf, math.inf)
    half = _quantile(confidence, values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(value, value - half, value + half)


def effective_size(values: Floats, confidence: float) -> float:
    """How many independent outcomes of 0 and 1 carry as much information on the mean as these shares.

    That is p (1 - p) / Var(p), with a correction because the variance is estimated (Korn and Graubard 1998). It is at
    least the number of problems, since shares vary at most as much as outcomes of 0 and 1 with the same mean. The
    variance of few problems is too small whenever a rare kind of problem is missing among them, so it is pulled towards
    that bound: the bound weighs as much as one problem, the variance as much as the number of problems that contribute
    to the rarer outcome (Kish's effective number: the square of the sum over the sum of squares).

    Args:
        values: between 0 and 1, shape (problems,).
        confidence: of the interval that it is for.
    """
    problems, p = values.size, float(values.mean())
    most = p * (1 - p)
    if problems < 2 or most <= 0:
        return float(problems)
    variance = min(float(values.var(ddof=1)), most)
    rarer = values if p <= 0.5 else 1 - values
    weight = float(rarer.sum() ** 2 / np.square(rarer).sum())
    variance = (weight * variance + most) / (weight + 1)
    shrink = (_quantile(confidence) / _quantile(confidence, problems)) ** 2
    return max(float(problems), problems * most / variance * shrink)


def _wilson(p: float, size: float, confidence: float) -> tuple[float, float]:
    square = _quantile(confidence) ** 2
    middle = (p * size + square / 2) / (size + square)
    half = math.sqrt(square * (size * p * (1 - p) + square / 4)) / (size + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def _one_sided(p: float, size: float, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson's limits, each at the whole confidence."""
    from scipy import special  # here: slow to import

    hits, misses = p * size, (1 - p) * size
    low = float(special.betaincinv(hits, misses + 1, 1 - confidence)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, misses, confidence)) if misses else 1.0
    return low, high


def _combined(one: float, other: float, correlation: float) -> float:
    """How far an end of a difference lies from it, given those of the two means that it is of."""
    return math.sqrt(max(0.0, one**2 + other**2 - 2 * correlation * one * other))


def _correlation(one: Floats, other: Floats) -> float:
    """Of two shares over problems, as if there were `UNLIKE` problems more in which they have nothing in common."""
    spread = float(one.std() * other.std())
    if not spread:
        return 0.0
    found = float(np.mean((one - one.mean()) * (other - other.mean()))) / spread
    return min(1.0, found) * one.size / (one.size + UNLIKE)


@lru_cache(maxsize=4096)
def _quantile(confidence: float, freedom: int = 0) -> float:
    """Of Student's t with so many degrees of freedom, or of the normal distribution (0), two-sided."""
    from scipy import special  # here: slow to import

    upper = (1 + confidence) / 2
    return float(special.stdtrit(freedom, upper) if freedom else special.ndtri(upper))
