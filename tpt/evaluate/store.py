"""An evaluation's figures on disk: `metrics.json`, and a row a problem in `per_problem.parquet`, for pairing."""

from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from tpt import artefacts, files, records
from tpt.artefacts import Headline, Metrics
from tpt.evaluate.metrics import MAJORITY

PER_PROBLEM = "per_problem"
COLUMNS = [pa.field("id", pa.string()), *(pa.field(name, pa.int64()) for name in ("n", "strict", "lenient"))]
OPTIONAL = [pa.field(name, pa.int64()) for name in MAJORITY.values()]  # see `PerProblem`
NEEDS: files.Needs = {
    **dict.fromkeys(("strict", "lenient"), dict),
    **dict.fromkeys(("problems", "samples"), int),
    **dict.fromkeys(
        (
            "well_formed",
            "cut_off",
            "mean_tokens",
            "distinct",
            "judge_error",
            "gold_unreadable",
            "unfinished_thinking",
        ),
        float | int,
    ),
}


def save(folder: Path, metrics: Metrics) -> None:
    """Write what `metrics.summarise` gave.

    Raises:
        DiskFull: nothing half written is left.
    """
    with files.atomic(folder / artefacts.PER_PROBLEM) as temporary:
        pq.write_table(pa.table(dict(metrics["per_problem"])), temporary, compression="zstd")
    files.write_json(folder / artefacts.METRICS, headline(metrics))


def load(folder: Path) -> Metrics:
    """What `save` wrote; the columns of `per_problem` are arrays: ids of arrow's, numpy's for the counts.

    Raises:
        Damaged: a file is gone or torn, or holds something else.
    """
    table = records.read_columns(folder / artefacts.PER_PROBLEM, COLUMNS, OPTIONAL)
    columns = {name: table[name] if name == "id" else table[name].to_numpy() for name in table.column_names}
    return cast(Metrics, files.read_json(folder / artefacts.METRICS, NEEDS) | {PER_PROBLEM: columns})


def headline(metrics: Metrics) -> Headline:
    """The figures without a problem's own."""
    return cast(Headline, {name: value for name, value in metrics.items() if name != PER_PROBLEM})
