"""Intervals over trainings and problems both: what several trainings say of a method.

The model: the share of right samples that training t reaches on problem i is

    y[t, i] = mean + problem[i] + training[t] + (problem x training)[t, i] + noise of the samples,

with problems and trainings drawn independently. The mean over all of them then varies for two reasons, and the
interval has a part for each: which problems were drawn (the interval over problems of the mean over trainings), and
which trainings (Student's t on the means of the trainings). The parts are joined as the squares of their half-widths,
side by side (the method of variance estimates recovery: Zou and Donner, Statistics in Medicine 27, 2008). What the
samples add is in both parts, so the interval covers at least as often as it says, as does the two-way bootstrap of
Owen (Annals of Applied Statistics 1, 2007); `benchmarks/trainings.py` measures how often. With two trainings a t
distribution of one degree of freedom makes it wide: two trainings say little about the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpt.evaluate.intervals import Floats, Interval, gain_interval, share_interval


@dataclass(frozen=True)
class OverTrainings:
    """A figure of a method.

    Attributes:
        interval: the mean over trainings and problems, with its interval over both.
        spread: the standard deviation between the trainings' means; of a difference of arms, between their
            differences, or within the arms.
        trainings: how many there are, of the side that has fewer.
    """

    interval: Interval
    spread: float
    trainings: int


def level(rates: Sequence[Floats], confidence: float) -> OverTrainings:
    """The mean of a method's rates, as a share between 0 and 1.

    Args:
        rates: of each training the share of each problem, shape (problems,), in the same order.
        confidence: e.g. 0.95.

    Raises:
        ValueError: fewer than two trainings, or different numbers of problems.
    """
    table = _table(rates)
    found = _over(table.mean(axis=1), share_interval(table.mean(axis=0), confidence), confidence)
    one = found.interval
    return OverTrainings(Interval(one.value, max(0.0, one.low), min(1.0, one.high)), found.spread, found.trainings)


def paired(after: Sequence[Floats], before: Sequence[Floats], confidence: float) -> OverTrainings:
    """The mean difference of two sides whose trainings belong together one by one, e.g. two rounds of each.

    Raises:
        ValueError: the sides have different numbers of trainings; or see `level`.
    """
    if len(after) != len(before):
        raise ValueError(f"{len(after)} and {len(before)} trainings cannot be paired")
    one, other = _two_tables(after, before)
    problems = gain_interval(one.mean(axis=0), other.mean(axis=0), confidence)
    return _over((one - other).mean(axis=1), problems, confidence)


def independent(after: Sequence[Floats], before: Sequence[Floats], confidence: float) -> OverTrainings:
    """The mean difference of two arms whose trainings have nothing in common; problems are still paired.

    The arms' variances between trainings are pooled, as in Student's t test of two samples.

    Raises:
        ValueError: see `level`.
    """
    one, other = _two_tables(after, before)
    problems = gain_interval(one.mean(axis=0), other.mean(axis=0), confidence)
    degrees = len(one) + len(other) - 2
    squares = sum(float(((side.mean(axis=1) - side.mean()) ** 2).sum()) for side in (one, other))
    spread = float(np.sqrt(squares / degrees))
    error = spread * np.sqrt(1 / len(one) + 1 / len(other))
    return OverTrainings(_widened(problems, error, degrees, confidence), spread, min(len(one), len(other)))


def measured(figures: Sequence[Interval], confidence: float) -> OverTrainings:
    """The mean of a method's figures, or differences, of which only each training's interval over problems is known.

    The part for the problems is the mean of these intervals. The standard deviation of a mean is at most the mean of
    the standard deviations, whatever the correlation, so the interval is no narrower than one by problem would be.

    Args:
        figures: one for each training; all have this confidence.
        confidence: e.g. 0.95.

    Raises:
        ValueError: fewer than two trainings.
    """
    _check_several(figures)
    ends = np.array([[one.value, one.low, one.high] for one in figures])
    return _over(ends[:, 0], Interval(*map(float, ends.mean(axis=0))), confidence)


def student(confidence: float, degrees: int) -> float:
    """How many standard errors an interval of Student's t reaches to either side."""
    from scipy.special import stdtrit  # here: slow to import, and a report of single trainings needs none

    return float(stdtrit(degrees, (1 + confidence) / 2))


def _over(means: Floats, problems: Interval, confidence: float) -> OverTrainings:
    """A mean with both parts of its interval.

    Args:
        means: of each training, shape (trainings,).
        problems: the mean's interval over problems.
    """
    spread = float(means.std(ddof=1))
    error = spread / np.sqrt(len(means))
    return OverTrainings(_widened(problems, error, len(means) - 1, confidence), spread, len(means))


def _check_several(trainings: Sequence[object]) -> None:
    if len(trainings) < 2:
        raise ValueError(f"{len(trainings)} training says nothing about the spread between trainings")


def _table(rates: Sequence[Floats]) -> Floats:
    _check_several(rates)
    if len({len(one) for one in rates}) > 1:
        raise ValueError("trainings of one method are evaluated on the same problems")
    return np.stack(list(rates))


def _two_tables(after: Sequence[Floats], before: Sequence[Floats]) -> tuple[Floats, Floats]:
    one, other = _table(after), _table(before)
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"{one.shape[1]} and {other.shape[1]} problems cannot be paired")
    return one, other


def _widened(problems: Interval, error: float, degrees: int, confidence: float) -> Interval:
    """An interval over problems, widened by the standard error of a mean over trainings."""
    beside = student(confidence, degrees) * float(error)
    below = float(np.hypot(problems.value - problems.low, beside))
    above = float(np.hypot(problems.high - problems.value, beside))
    return Interval(problems.value, problems.value - below, problems.value + above)
