"""What a run tells a tracker, whichever it is: figures of stages, curves of trainings, and names that stay the same."""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tpt import artefacts, files
from tpt.nested import flatten
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

if TYPE_CHECKING:
    from tpt.report import Report

Cell = float | str | None


def run_id(run: Run) -> str:
    """The id of a run folder at a tracker: its name, and a hash of its birth that tells equal runs apart."""
    return f"{run.name[:100]}-{hashlib.sha256(run.head_path.read_bytes()).hexdigest()[:8]}"


def numbers(record: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    """The numbers in nested dictionaries, their names joined by dots."""
    for name, value in flatten(record):
        if isinstance(value, int | float):
            yield name, float(value)


def figures(stage: Stage, record: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a finished stage, e.g. `evaluate/metrics.strict.pass@k.1.value`.

    The ends of its interval stand beside it, with `.low` and `.high` for `.value`.

    Args:
        record: its line of `metrics.jsonl`.
    """
    kind = str(stage).partition("/")[2]
    return {f"{kind}/{name}": value for name, value in numbers(record)}


def curve_name(stage: Stage) -> str:
    """What the names of a training's curves begin with: each round has its own, so that their steps line up."""
    return f"train/round-{stage.round:02d}"


def curve(run: Run, stage: Stage) -> list[tuple[int, dict[str, float]]]:
    """The (step, values) of each optimizer step of a training, e.g. `train/round-01/loss`; none of another stage."""
    if not table.of(stage).trains:
        return []
    lines = files.read_jsonl(run.folder(stage) / artefacts.STEPS, {"step": int})
    return [
        (line["step"], {f"{curve_name(stage)}/{name}": value for name, value in numbers(line) if name != "step"})
        for line in lines
    ]


def cells(report: "Report") -> tuple[list[str], list[list[Cell]]]:
    """The columns and the rows of a report's table, with numbers as such."""
    columns, *rows = csv.reader(report.table.read_text(encoding="utf-8").splitlines())
    return columns, [[_number(cell) for cell in row] for row in rows]


def version(report: "Report") -> str:
    """A hash of a report's table: the same report is sent once."""
    return hashlib.sha256(report.table.read_bytes()).hexdigest()[:16]


def _number(cell: str) -> Cell:
    """A cell of a CSV file: a number if it is one, None if it is empty."""
    try:
        return float(cell)
    except ValueError:
        return cell or None
