"""Weights & Biases as a mirror of `metrics.jsonl`. A run is complete without it, so its failures stop nothing.

Online, a run that is continued goes on where the server has it. Offline there is no server to say where that is, and
`wandb sync` begins each folder of a run at its first step, over what another folder brought. So a run has one offline
folder: whoever continues it writes the whole history again, into a new one, and removes the one before.
"""

import csv
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tpt import config, files, records
from tpt.config import TrackerConfig
from tpt.errors import RunError, TptError, said
from tpt.records import Problem, Sample, Verdict
from tpt.run import books, table
from tpt.run.folder import Run
from tpt.run.stage import Stage

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
        self._offline = settings.mode == "offline"
        self._lock = FileLock(run.wandb_dir / ".lock")  # of who has the offline folder open
        self._written: list[str] = []  # what is in the offline folder that is open

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mirror, self._mirror = self._mirror, None
        if mirror is not None:
            self._try("finish", lambda: self._finish(mirror, 1 if kind else 0))
        self._lock.release()

    def log(self, stage: Stage, record: dict[str, Any]) -> None:
        """Mirror one finished stage's line of `metrics.jsonl`, and example traces of an evaluation.

        A stage that was mirrored before is left out.
        """
        if not self._off:
            self._try(f"log {stage}", lambda: self._log(stage, record))

    def log_report(self) -> None:
        """Write the run's report, and mirror its table and figure; a report that was mirrored before is left out."""
        if not self._off:
            self._try("log the report", self._log_report)

    def _mirrored(self) -> set[str]:
        if not self._offline:
            return {line["stage"] for line in files.read_jsonl(self._done_path)}
        if not self._mirror:
            with suppress(RunError, TypeError):  # missing or damaged: it is all written again
                return set(files.read_json(self._whole_path, {"holds": list})["holds"])
        return set(self._written)

    def _note(self, what: str) -> None:
        """Keep in mind that something is mirrored; offline it counts only once its folder is whole."""
        if self._offline:
            self._written.append(what)
        else:
            files.append_jsonl(self._done_path, {"stage": what})

    @property
    def _done_path(self) -> Path:
        """What the server was sent."""
        return self.run.wandb_dir / "mirrored.jsonl"

    @property
    def _whole_path(self) -> Path:
        """What the offline folder holds; there only while nobody writes to it."""
        return self.run.wandb_dir / "offline.json"

    def _open(self) -> "wandb.Run":
        """The W&B run; one that is begun offline is given all that `metrics.jsonl` has."""
        if self._mirror is None:
            if self._offline:
                self.run.wandb_dir.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(timeout=0)
                self._whole_path.unlink(missing_ok=True)
            self._mirror = self._start()
            if self._offline:
                for stage, record in books.history(self.run):
                    self._send(stage, record)
                self._remove_others(Path(self._mirror.dir).parent)
        return self._mirror

    def _remove_others(self, ours: Path) -> None:
        """Remove the offline folders of this run whose history is in `ours` as well."""
        if ours.parent.resolve() != self.run.wandb_dir.resolve():
            return  # W&B takes another place where it may not write to this one
        for folder in self.run.wandb_dir.glob("offline-run-*"):
            if folder.name != ours.name and run_id(self.run) in folder.name:
                shutil.rmtree(folder, ignore_errors=True)

    def _finish(self, mirror: "wandb.Run", code: int) -> None:
        folder = Path(mirror.dir)
        mirror.finish(exit_code=code)
        if self._offline and folder.exists():
            files.write_json(self._whole_path, {"folder": folder.parent.name, "holds": self._written})

    def _start(self) -> "wandb.Run":
        import wandb

        if not self._offline:
            wandb.setup(wandb.Settings(silent=True, mode="online"))  # what is logged in is not printed
            # Without this, a terminal would be asked for a key and wait.
            if not wandb.login(prompt=False, verify=False):
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
        if str(stage) not in self._mirrored():
            self._open()
            if str(stage) not in self._mirrored():  # it may have come with the history
                self._send(stage, record)

    def _send(self, stage: Stage, record: dict[str, Any]) -> None:
        import wandb

        values: dict[str, Any] = {f"{str(stage).partition('/')[2]}/{name}": value for name, value in flatten(record)}
        if rows := self._traces(stage):
            values["traces"] = wandb.Table(columns=TRACE_COLUMNS, data=rows)
        order = list(table.think_prune_train(stage.round, self.run.config.evaluate.also))
        place = {"round": stage.round, "order": order.index(stage)}
        self._open().log(values | place)
        self._note(str(stage))

    def _traces(self, stage: Stage) -> list[list[str]]:
        if not table.of(stage).measures:
            return []
        try:
            return list(traces(self.run, stage, self.settings.traces))
        except (TptError, OSError, LookupError, ValueError) as error:  # of long ago, and gone: the figures remain
            logger.warning("the example traces of %s cannot be read (%s) and are not mirrored", stage, said(error))
            return []

    def _log_report(self) -> None:
        import wandb

        from tpt.report import report  # matplotlib is slow to import

        written = report([self.run], self.run.report_dir)
        text = written.table.read_text(encoding="utf-8")
        mark = f"report {hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if mark in self._mirrored():
            return
        columns, *rows = csv.reader(text.splitlines())
        table = wandb.Table(columns=list(columns), data=[[_number(cell) for cell in row] for row in rows])
        self._open().log({"report/table": table, "report/pass_at_k": wandb.Image(str(written.figure))})
        self._note(mark)

    def _try(self, what: str, action: Callable[[], object]) -> None:
        """Do something with W&B; where it fails, say so once and do without it from then on."""
        try:
            action()
        except Timeout:  # another process, which holds the run, mirrors it
            self._off = True
        except Exception as error:  # whatever W&B raises, the run matters more
            logger.warning(
                "Weights & Biases could not %s (%s); going on without it, metrics.jsonl has everything",
                what,
                said(error),
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
    path = run.problems_path(table.draws_of(run.config, stage).split)
    problems = {one.id: one for one in islice(records.read(path, Problem), count)}
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
