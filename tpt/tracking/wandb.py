"""Weights & Biases.

Online, a run that is continued goes on where the server has it. Offline there is no server to say where that is, and
`wandb sync` begins each folder of a run at its first step, over what another folder brought. So a run has one offline
folder: whoever continues it writes the whole history again, into a new one, and removes the one before.
"""

import dataclasses
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from tpt import files
from tpt.errors import RunError
from tpt.runs import books, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import config
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.base import Busy, Tracker
from tpt.tracking.figures import cells, curve, curve_name, figures, run_id, version
from tpt.tracking.traces import COLUMNS, traces

if TYPE_CHECKING:
    import wandb

    from tpt.report import Report
    from tpt.runs.folder import Run

INIT_TIMEOUT = 30.0  # seconds to wait for the server
STEP = "train/step"  # the horizontal axis of curves


class Wandb(Tracker):
    """Mirrors a run to Weights & Biases.

    Args:
        settings: `tracker.*`.
        run: the run folder; its name makes the W&B id, so that a run that is continued continues its W&B run.
    """

    title = "Weights & Biases"

    def __init__(self, settings: TrackerConfig, run: "Run") -> None:
        super().__init__(settings, run)
        self._mirror: wandb.Run | None = None
        self._offline = settings.mode == "offline"
        self._lock = FileLock(run.wandb_dir / ".lock")  # of who has the offline folder open
        self._written: list[str] = []  # what is in the offline folder that is open

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Send one finished stage, and example traces of an evaluation, unless they were sent before."""
        if str(stage) not in self._mirrored():
            self._open()
            if str(stage) not in self._mirrored():  # it may have come with the history
                self._send(stage, record)

    def send_report(self, report: "Report") -> None:
        """Send the report's table and figure, unless they were sent before."""
        import wandb

        mark = f"report {version(report)}"
        if mark in self._mirrored():
            return
        columns, rows = cells(report)
        table = wandb.Table(columns=list(columns), data=rows)
        self._open().log({"report/table": table, "report/pass_at_k": wandb.Image(str(report.figure))})
        self._note(mark)

    def finish(self, failed: bool) -> None:
        """Close the W&B run; the offline folder counts as whole only then."""
        mirror, self._mirror = self._mirror, None
        try:
            if mirror is not None and self.on:
                folder = Path(mirror.dir)
                mirror.finish(exit_code=int(failed))
                if self._offline and folder.exists():
                    files.write_json(self._whole_path, {"folder": folder.parent.name, "holds": self._written})
        finally:
            self._lock.release()

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
        """What the offline folder holds; exists only while nobody writes to it."""
        return self.run.wandb_dir / "offline.json"

    def _open(self) -> "wandb.Run":
        """The W&B run; one that is begun offline is given all that `metrics.jsonl` has.

        Raises:
            Busy: another process has the offline folder open.
        """
        if self._mirror is None:
            if self._offline:
                self._hold()
            self._mirror = self._start()
            if self._offline:
                for stage, record in books.history(self.run):
                    self._send(stage, record)
                self._remove_others(Path(self._mirror.dir).parent)
        return self._mirror

    def _hold(self) -> None:
        self.run.wandb_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise Busy from error
        self._whole_path.unlink(missing_ok=True)

    def _remove_others(self, ours: Path) -> None:
        """Remove the offline folders of this run whose history is in `ours` as well."""
        if ours.parent.resolve() != self.run.wandb_dir.resolve():
            return  # W&B takes another place where it may not write to this one
        for folder in self.run.wandb_dir.glob("offline-run-*"):
            if folder.name != ours.name and run_id(self.run) in folder.name:
                shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> "wandb.Run":
        import wandb

        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")  # or it recommends Weave on the terminal, however silent
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

    def _send(self, stage: Stage, record: Mapping[str, object]) -> None:
        import wandb

        values: dict[str, object] = {**figures(stage, record)}
        if table.of(stage).measures and (rows := traces(self.run, stage, self.settings.traces)):
            values["traces"] = wandb.Table(columns=list(COLUMNS), data=[list(dataclasses.astuple(one)) for one in rows])
        order = table.stages_of(self.run.config, stage.round)
        place = {"round": stage.round, "order": order.index(stage)}
        mirror = self._open()
        mirror.log(values | place)
        if steps := curve(self.run, stage):
            mirror.define_metric(f"{curve_name(stage)}/*", step_metric=STEP)
        for step, line in steps:
            mirror.log({**line, STEP: step})
        self._note(str(stage))


TRACKER = Wandb
