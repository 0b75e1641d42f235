"""Figures beside those on the test split, over several trainings of one method."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tpt.evaluate import several, trainings
from tpt.evaluate.intervals import Floats, Interval, independent_difference, mean_interval
from tpt.report.further import Further


def over_trainings(
    of_each: Sequence[Mapping[str, Further]], baselines: Sequence[Mapping[str, Further]]
) -> dict[str, Further]:
    """The mean of each figure that all trainings were measured on in the same way, with intervals over trainings too.

    Args:
        of_each: for each training its figures at one round, by title.
        baselines: those of its base model, in the same order; none: there is no gain.
    """
    found = {}
    for title in of_each[0]:
        figures = [one[title] for one in of_each if title in one]
        before = [one[title] for one in baselines if title in one]
        if len(figures) == len(of_each) and _alike(figures):
            paired = len(before) == len(figures) and _alike([*figures, *before])
            found[title] = _mean(figures, before if paired else [])
    return found


def _alike(figures: Sequence[Further]) -> bool:
    """Whether all are of the same problems, measured in the same way."""
    problems = {frozenset(one.samples.metrics["per_problem"]["id"]) if one.samples else None for one in figures}
    return len(problems) == len({one.measured_as for one in figures}) == 1


def _mean(figures: Sequence[Further], before: Sequence[Further]) -> Further:
    """The mean of one figure, and of its gain if its baselines are given."""
    if figures[0].samples:
        return _of_samples(figures, before)
    measured = all(one.interval for one in (*figures, *before))
    return _of_intervals(figures, before) if measured else _of_values(figures, before)


def _of_samples(figures: Sequence[Further], before: Sequence[Further]) -> Further:
    """By problem, as on the test split."""
    after, base = ([one.samples for one in side if one.samples] for side in (figures, before))
    reader, k, confidence = after[0].reader, after[0].k, figures[0].confidence
    sides = [[one.metrics for one in side] for side in (after, base)]
    level = several.level(sides[0], reader, k, confidence).interval
    gain = several.change(sides[0], sides[1], reader, k, confidence, same=True).interval if before else None
    doubtful = any(one.doubtful for one in figures)
    return dataclasses.replace(figures[0], value=level.value, interval=level, gain=gain, doubtful=doubtful)


def _of_intervals(figures: Sequence[Further], before: Sequence[Further]) -> Further:
    """From intervals alone, as a command that gives standard errors or counts allows."""
    after, base = ([one.interval for one in side if one.interval] for side in (figures, before))
    confidence = figures[0].confidence
    level = trainings.measured(after, confidence).interval
    gains = [independent_difference(one, other) for one, other in zip(after, base, strict=True)] if before else []
    gain = trainings.measured(gains, confidence).interval if gains else None
    return dataclasses.replace(figures[0], value=level.value, interval=level, gain=gain)


def _of_values(figures: Sequence[Further], before: Sequence[Further]) -> Further:
    """From values alone: Student's t over trainings, which says nothing of other questions."""
    after, base = (np.array([one.value for one in side]) for side in (figures, before))
    return dataclasses.replace(
        figures[0],
        value=float(after.mean()),
        interval=_students(after, figures[0].confidence),
        gain=_students(after - base, figures[0].confidence) if before else None,
        rests="trainings",
    )


def _students(values: Floats, confidence: float) -> Interval | None:
    """None if the trainings do not differ: an interval without a width would claim to be certain."""
    return mean_interval(values, confidence) if np.ptp(values) else None
