"""Several trainings of one method: runs that differ only in their seed, and what they say together."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from tpt.artefacts import Figures, Metrics
from tpt.errors import DataError
from tpt.evaluate import trainings
from tpt.evaluate.intervals import Floats, Interval
from tpt.evaluate.metrics import READERS, Figure, Reader, difference, majorities, shares
from tpt.evaluate.trainings import OverTrainings
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
    methods = [group for group in repetitions(runs) if len(group) > 1]
    labels = distinguishing([group[0] for group in methods])
    found = []
    for group, label in zip(methods, labels, strict=True):
        of_group = [{row.round: row for row in rows if row.root == run.root} for run in group]
        for round in range(1, max(run.rounds for run in group) + 1):
            reached = [one for one in of_group if round in one and 0 in one]
            if len(reached) > 1:
                points = [one[round] for one in reached], [one[0] for one in reached]
                merged = over_trainings(*points, group[0].config.evaluate)
                own = {name: value for name, value in label.items() if name != "seed"}
                found.append(dataclasses.replace(merged, labels=own))
    return found


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
    merged = dataclasses.replace(first, metrics=metrics, gains={}, further={}, trainings=len(rows), spread=spread)
    merged.kept = _mean([row.kept for row in rows])
    merged.steps = _mean([row.steps for row in rows])
    merged.seconds = {name: sum(row.seconds.get(name, 0.0) for row in rows) for name in first.seconds}
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
    like = after[0].metrics
    sides = [[_shares(row.metrics, like, reader, k, figure) for row in side] for side in (after, before)]
    method = trainings.paired if same else trainings.independent
    return method(sides[0], sides[1], settings.confidence)


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
    of_each = [_shares(row.metrics, rows[0].metrics, reader, k, figure) for row in rows]
    return trainings.level(of_each, settings.confidence)


def _shares(metrics: Metrics, like: Metrics, reader: Reader, k: int, figure: Figure) -> Floats:
    """A figure of each problem, in the order that another evaluation has them."""
    values = shares(metrics, reader, k, figure)
    listed, wanted = (pa.array(one["per_problem"]["id"]) for one in (metrics, like))
    if listed.equals(wanted):
        return values
    own, ids = listed.to_pylist(), wanted.to_pylist()
    if sorted(own) != sorted(ids):
        raise DataError(
            "the trainings are evaluated on different problems", "compare runs of the same task and test split"
        )
    place = {name: at for at, name in enumerate(own)}
    return values[[place[name] for name in ids]]


def _mean(values: Sequence[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known)) if known else None
