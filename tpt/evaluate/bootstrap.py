"""Bootstrap intervals over problems: samples of one problem are not independent, problems are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CELLS = 4_000_000  # counts held at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean over problems and its percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
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


def interval(values: Floats, confidence: float, resamples: int, seed: int) -> Interval:
    """The mean of one value a problem, with its interval (Efron's percentile method, clustered by problem).

    Args:
        values: one value for each problem, shape (problems,).
        confidence: e.g. 0.95.
        resamples: how often the problems are drawn anew, with replacement.
        seed: of the draws.

    Raises:
        ValueError: there are no problems.
    """
    if not values.size:
        raise ValueError("no problems to take the mean of")
    means = _resampled_means(values, resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def paired(after: Floats, before: Floats, confidence: float, resamples: int, seed: int) -> Interval:
    """The mean difference on the same problems, in the same order, with its interval.

    Raises:
        ValueError: the two have different numbers of problems.
    """
    if after.shape != before.shape:
        raise ValueError(f"{after.size} and {before.size} problems cannot be paired")
    return interval(after - before, confidence, resamples, seed)


def _resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """Means of as many problems drawn with replacement.

    How often each value comes up in a draw is multinomial, and problems have few different values: samples of 10
    answers have 11 shares of right ones. So the counts are drawn, and not the problems one by one.
    """
    rng = np.random.default_rng(seed)
    kinds, counts = np.unique(values, return_counts=True)
    means = np.empty(resamples)
    step = max(1, CELLS // kinds.size)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.multinomial(values.size, counts / values.size, size=size)
        means[start : start + size] = drawn @ kinds / values.size
    return means
