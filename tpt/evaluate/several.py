"""One figure of several evaluations of the same problems, each of another training of a method."""

from collections.abc import Sequence

import pyarrow as pa

from tpt.artefacts import Metrics
from tpt.errors import DataError
from tpt.evaluate import trainings
from tpt.evaluate.intervals import Floats
from tpt.evaluate.metrics import Figure, Reader, shares
from tpt.evaluate.trainings import OverTrainings


def level(
    of_each: Sequence[Metrics], reader: Reader, k: int, confidence: float, figure: Figure = "pass@k"
) -> OverTrainings:
    """The mean of a figure over trainings, see `trainings.level`.

    Raises:
        DataError: they are of different problems; or see `metrics.shares`.
    """
    return trainings.level([_in_order(one, of_each[0], reader, k, figure) for one in of_each], confidence)


def change(
    after: Sequence[Metrics],
    before: Sequence[Metrics],
    reader: Reader,
    k: int,
    confidence: float,
    same: bool,
    figure: Figure = "pass@k",
) -> OverTrainings:
    """The mean difference of a figure between two sides of several trainings each.

    Args:
        after, before: what `metrics.summarise` gave for each training of a side.
        same: whether both sides are of the same trainings, one by one, see `trainings.paired` and `independent`.

    Raises:
        DataError: see `level`.
    """
    sides = [[_in_order(one, after[0], reader, k, figure) for one in side] for side in (after, before)]
    method = trainings.paired if same else trainings.independent
    return method(sides[0], sides[1], confidence)


def _in_order(metrics: Metrics, like: Metrics, reader: Reader, k: int, figure: Figure) -> Floats:
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
