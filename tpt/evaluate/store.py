"""An evaluation's figures on disk: `metrics.json`, and a row a problem in `per_problem.parquet`, for pairing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tpt import files
from tpt.errors import RunError

PER_PROBLEM = "per_problem"


def save(folder: Path, metrics: dict[str, Any]) -> None:
    """Write what `metrics.summarise` gave.

    Raises:
        DiskFull: nothing half written is left.
    """
    with files.atomic(folder / f"{PER_PROBLEM}.parquet") as temporary:
        pq.write_table(pa.table(metrics[PER_PROBLEM]), temporary, compression="zstd")
    files.write_json(folder / "metrics.json", headline(metrics))


def load(folder: Path) -> dict[str, Any]:
    """What `save` wrote; the columns of `per_problem` are arrays: ids of arrow's, numpy's for the counts.

    Raises:
        RunError: it is gone.
    """
    metrics_path, table_path = folder / "metrics.json", folder / f"{PER_PROBLEM}.parquet"
    for path in (metrics_path, table_path):
        if not path.exists():
            raise RunError(f"{path} is gone", f"remove {folder / 'manifest.json'}, and `tpt run` makes it again")
    table = pq.read_table(table_path)
    columns = {name: table[name] if name == "id" else table[name].to_numpy() for name in table.column_names}
    metrics: dict[str, Any] = files.read_json(metrics_path)
    return metrics | {PER_PROBLEM: columns}


def headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """The figures without a problem's own."""
    return {name: value for name, value in metrics.items() if name != PER_PROBLEM}
