"""Several trainings of one method: runs that differ only in their seed, and what they say together."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tpt.artefacts import Figures
from tpt.evaluate import several
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS, Figure, Reader, difference, majorities
from tpt.evaluate.trainings import OverTrainings
from tpt.report import further_means
from tpt.report.rows import Row, distinguishing
from tpt.runs.folder import Run
from tpt.runs.repetitions import repetitions
from tpt.settings.sampling import EvaluateConfig

Mean = Literal[
    "well_formed", "cut_off", "mean_tokens", "distinct", "judge_error", "gold_unreadable", "unfinished_thinking"
]
MEANS: tuple[Mean, ...] = get_args(Mean)
Sometimes = Literal["stopped", "thinking_tokens"]  # of which only some evaluations have any
SOMETIMES: tuple[Sometimes, ...] = get_args(Sometimes)


def method_rows(runs: Sequence[Run], rows: Sequence[Row]) -> list[Row]:
    """A row for each round that several trainings of a method have reached, see `over_trainings`.

    Args:
        runs: all of a report.
        rows: theirs.
    """
    return [
        dataclasses.replace(over_trainings(point.rows, point.baselines, point.settings), labels=point.labels)
        for point in _points(runs, rows)
    ]


def without_mean(runs: Sequence[Run], rows: Sequence[Row], methods: Sequence[Row]) -> list[str]:
    """A line for each method whose trainings were not all measured alike on other problems.

    Args:
        runs, rows: see `method_rows`.
        methods: what it gave.
    """
    left_out: dict[str, dict[str, None]] = {}
    for point, method in zip(_points(runs, rows), methods, strict=True):
        found = {title: None for row in point.rows for title in row.further if title not in method.further}
        left_out.setdefault(method.label, {}).update(found)
    return [
        f"{f'{label}: ' if label else ''}no mean over trainings of {', '.join(titles)}: not every training has been "
        "measured on it, with the same settings and problems"
        for label, titles in left_out.items()
        if titles
    ]


@dataclass(frozen=True)
class _Point:
    """A round that several trainings of a method have reached.

    Attributes:
        labels: the settings in which the method differs from the others in the report.
        rows, baselines: of each training.
        settings: of the trainings' evaluations.
    """

    labels: dict[str, str]
    rows: list[Row]
    baselines: list[Row]
    settings: EvaluateConfig


def _points(runs: Sequence[Run], rows: Sequence[Row]) -> Iterator[_Point]:
    methods = [group for group in repetitions(runs) if len(group) > 1]
    labels = distinguishing([group[0] for group in methods])
    for group, label in zip(methods, labels, strict=True):
        own = {name: value for name, value in label.items() if name != "seed"}
        of_group = [{row.round: row for row in rows if row.root == run.root} for run in group]
        for round in range(1, max(run.rounds for run in group) + 1):
            reached = [one for one in of_group if round in one and 0 in one]
            if len(reached) > 1:
                points = [one[round] for one in reached], [one[0] for one in reached]
                yield _Point(own, *points, group[0].config.evaluate)


def over_trainings(rows: Sequence[Row], baselines: Sequence[Row], settings: EvaluateConfig) -> Row:
    """One row for the same point of several trainings: means, with intervals over trainings and problems.

    Args:
        rows: one for each training; a single one is returned as it is.
        baselines: the row of the base model of each; none: there is no gain.
    """
    if len(rows) == 1:
        return rows[0]
    first = rows[0]
    metrics = first.metrics.copy()
    for name in MEANS:
        metrics[name] = float(np.mean([row.metrics[name] for row in rows]))
    for some in SOMETIMES:
        if any(some in row.metrics for row in rows):
            metrics[some] = float(np.mean([row.metrics.get(some, 0.0) for row in rows]))
    for reader in READERS:
        metrics[reader] = _figures(rows, reader, settings)
    spread = _level(rows, "strict", first.ks[0], settings).spread
    others = further_means.over_trainings([row.further for row in rows], [row.further for row in baselines])
    merged = dataclasses.replace(first, metrics=metrics, gains={}, further=others, trainings=len(rows), spread=spread)
    merged.roots = tuple(row.root for row in rows)
    merged.kept = _mean([row.kept for row in rows])
    merged.steps = _mean([row.steps for row in rows])
    names = dict.fromkeys(name for row in rows for name in row.seconds)
    merged.seconds = {name: sum(row.seconds.get(name, 0.0) for row in rows) for name in names}
    merged.unsafe, merged.unjudged = any(row.unsafe for row in rows), any(row.unjudged for row in rows)
    if baselines:
        merged.gains = {
            "baseline": {
                reader: {k: compared(rows, baselines, reader, k, settings, same=True).interval for k in first.ks}
                for reader in READERS
            }
        }
    return merged


def compared(
    after: Sequence[Row],
    before: Sequence[Row],
    reader: Reader,
    k: int,
    settings: EvaluateConfig,
    same: bool,
    figure: Figure = "pass@k",
) -> OverTrainings:
    """The difference in a figure between two points, over trainings where there are several on both sides.

    Args:
        after, before: the rows of either side's trainings.
        settings: their confidence is that of the interval.
        same: whether both are of the same trainings, one by one (two rounds, or a round and the baseline). Arms of the
            same seed that share their first samples count as independent: that is no less careful, and leaves more
            degrees of freedom.

    Raises:
        DataError: they are of different problems; or see `metrics.shares`.
    """
    if min(len(after), len(before)) == 1:
        found = difference(after[0].metrics, before[0].metrics, reader, k, settings, figure)
        return OverTrainings(found, float("nan"), 1)
    sides = [[row.metrics for row in side] for side in (after, before)]
    return several.change(sides[0], sides[1], reader, k, settings.confidence, same, figure)


def _figures(rows: Sequence[Row], reader: Reader, settings: EvaluateConfig) -> Figures:
    """As `metrics.summarise` has them."""
    levels: Mapping[int, Interval] = {k: _level(rows, reader, k, settings).interval for k in rows[0].ks}
    voted = set.intersection(*(majorities(row.metrics, reader) for row in rows))
    counts = {k: float(np.mean([row.metrics[reader]["correct@k"][str(k)] for row in rows])) for k in levels}
    return {
        "pass@k": {str(k): one.to_dict() for k, one in levels.items()},
        "correct@k": {str(k): round(one, 2) for k, one in counts.items()},
        "maj@k": {str(k): _level(rows, reader, k, settings, "maj@k").interval.to_dict() for k in voted},
    }


def _level(
    rows: Sequence[Row], reader: Reader, k: int, settings: EvaluateConfig, figure: Figure = "pass@k"
) -> OverTrainings:
    return several.level([row.metrics for row in rows], reader, k, settings.confidence, figure)


def _mean(values: Sequence[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known)) if known else None
