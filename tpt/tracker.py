"""Weights & Biases as a mirror of `metrics.jsonl`. A run is complete without it, so its failures stop nothing."""

import csv
import hashlib
import logging
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tpt import config, files, records
from tpt.config import TrackerConfig
from tpt.loop import Stage, think_prune_train
from tpt.records import Problem, Sample, Verdict
from tpt.run import Run

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger(__name__)

TRACE_COLUMNS: list[str | int] = [
    "stage",
    "problem",
    "question",
    "gold",
    "completion",
    "finish_reason",
    "verdict",
    "rule",
    "answer",
]
INIT_TIMEOUT = 30.0  # seconds to wait for the server


class Tracker:
    """Mirrors finished stages; a context manager that holds the W&B run open.

    Args:
        settings: `tracker.*`.
        run: the run folder; its name makes the W&B id, so that a run that is continued continues its W&B run.
    """

    def __init__(self, settings: TrackerConfig, run: Run) -> None:
        self.settings = settings
        self.run = run
        self._mirror: wandb.Run | None = None
        self._off = settings.mode == "disabled"

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            self._try("finish", lambda: mirror.finish(exit_code=1 if kind else 0))

    def log(self, stage: Stage, record: dict[str, Any]) -> None:
        """Mirror one finished stage's line of `metrics.jsonl`, and example traces of an evaluation.

        A stage that was mirrored before, by a run that then was killed, is left out.
        """
        if not self._off and str(stage) not in self._mirrored():
            self._try(f"log {stage}", lambda: self._log(stage, record))

    def log_report(self) -> None:
        """Write the run's report, and mirror its table and figure; a report that was mirrored before is left out."""
        if not self._off:
            self._try("log the report", self._log_report)

    def _mirrored(self) -> set[str]:
        return {line["stage"] for line in files.read_jsonl(self._done_path)}

    @property
    def _done_path(self) -> Path:
        return self.run.wandb_dir / "mirrored.jsonl"

    def _start(self) -> "wandb.Run":
        import wandb

        # Without this, a terminal would be asked for a key and wait.
        if self.settings.mode == "online" and not wandb.api.api_key:
            raise RuntimeError("no login: run `wandb login`, or take tracker=wandb_offline")
        mirror = wandb.init(
            mode=self.settings.mode,  # type: ignore[arg-type]  # validated: offline or online here
            project=self.settings.project,
            entity=self.settings.entity,
            group=self.settings.group,
            name=self.run.name,
            id=run_id(self.run),
            resume="allow" if self.settings.mode == "online" else None,
            dir=str(self.run.wandb_dir.parent),  # where W&B makes a folder `wandb`
            config=config.to_dict(self.run.config),
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, init_timeout=INIT_TIMEOUT),
        )
        mirror.define_metric("order")
        mirror.define_metric("*", step_metric="order")
        return mirror

    def _log(self, stage: Stage, record: dict[str, Any]) -> None:
        import wandb

        self._mirror = self._mirror or self._start()
        values: dict[str, Any] = {f"{stage.name}/{name}": value for name, value in flatten(record)}
        rows = list(traces(self.run, stage, self.settings.traces)) if stage.name == "evaluate" else []
        if rows:
            values["traces"] = wandb.Table(columns=TRACE_COLUMNS, data=rows)
        self._mirror.log(values | {"round": stage.round, "order": list(think_prune_train(stage.round)).index(stage)})
        files.append_jsonl(self._done_path, {"stage": str(stage)})

    def _log_report(self) -> None:
        import wandb

        from tpt.report import report  # matplotlib is slow to import

        written = report([self.run], self.run.report_dir)
        text = written.table.read_text(encoding="utf-8")
        mark = f"report {hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if mark in self._mirrored():
            return
        columns, *rows = csv.reader(text.splitlines())
        self._mirror = self._mirror or self._start()
        table = wandb.Table(columns=list(columns), data=[[_number(cell) for cell in row] for row in rows])
        self._mirror.log({"report/table": table, "report/pass_at_k": wandb.Image(str(written.figure))})
        files.append_jsonl(self._done_path, {"stage": mark})

    def _try(self, what: str, action: Callable[[], object]) -> None:
        """Do something with W&B; where it fails, say so once and do without it from then on."""
        try:
            action()
        except Exception as error:  # whatever W&B raises, the run matters more
            logger.warning(
                "Weights & Biases could not %s (%s); going on without it, metrics.jsonl has everything",
                what,
                str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            )
            self._mirror, self._off = None, True


def _number(cell: str) -> float | str | None:
    """A cell of a CSV file: a number where it is one, None where it is empty."""
    try:
        return float(cell)
    except ValueError:
        return cell or None


def run_id(run: Run) -> str:
    """The W&B id of a run folder: its name, and a hash of its birth that keeps equal runs under other roots apart."""
    return f"{run.name[:100]}-{hashlib.sha256((run.root / 'run.json').read_bytes()).hexdigest()[:8]}"


def flatten(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested dicts, their names joined by dots."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        elif isinstance(value, (int, float)):
            yield f"{prefix}{name}", float(value)


def traces(run: Run, stage: Stage, count: int) -> Iterator[list[str]]:
    """The first sample of each of the first `count` problems of an evaluation: the same problems in every round."""
    folder = run.folder(stage)
    problems = {one.id: one for one in islice(records.read(run.problems_path("test"), Problem), count)}
    samples = records.read(records.shards(folder, "samples"), Sample, records.LIGHT)
    verdicts = records.read(records.shards(folder, "verdicts"), Verdict)
    firsts = ((sample, verdict) for sample, verdict in zip(samples, verdicts, strict=True) if sample.index == 0)
    for sample, verdict in islice(firsts, count):
        problem = problems[sample.problem_id]
        yield [
            str(stage),
            problem.id,
            problem.question,
            problem.gold,
            sample.text,
            sample.finish_reason,
            str(verdict.status),
            verdict.rule,
            verdict.lenient_answer,
        ]
