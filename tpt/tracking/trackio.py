"""trackio: a database beside the run folders; or the server, or Hugging Face Space, that a variable names.

trackio says of nothing that it failed, and writes in a thread: it warns and goes on. So each stage is sent in a session
of its own, and counts as sent when the session has ended without a warning.

Offline, a process that is killed within a session leaves no word of what has arrived. Whoever continues the run then
writes the whole history again, in place of the trackio run there was. Online, only that one stage can arrive twice.
"""

import dataclasses
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tpt import files
from tpt.errors import ConfigError, RunError
from tpt.runs import books, table
from tpt.runs.stage import Stage
from tpt.settings import config
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.base import Tracker
from tpt.tracking.figures import cells, curve, figures, run_id, version
from tpt.tracking.traces import COLUMNS, traces

if TYPE_CHECKING:
    from trackio.run import Run as Tracked

    from tpt.report import Report

FOLDER = "trackio"  # beside the run folders: a sweep's runs are compared in one database
SENT = "trackio.json"  # in the run folder: what has been sent; missing while something is
SERVERS = ("TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID")

Point = tuple[int, dict[str, Any]]  # a step, and what is logged there


class Trackio(Tracker):
    """Mirrors a run to trackio. Figures of stages are at their round, curves at their optimizer steps."""

    title = "trackio"
    package = "trackio"

    @classmethod
    def check(cls, settings: TrackerConfig) -> None:
        """As for every tracker; and online, which server it is."""
        super().check(settings)
        if settings.mode == "online" and not any(map(os.environ.get, SERVERS)):
            raise ConfigError(
                f"tracker.mode=online, but neither {' nor '.join(SERVERS)} is set",
                "export one of them, or set tracker.mode=offline",
            )

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Send a stage's figures, curve and example traces, unless they were sent before."""
        mark = _mark(stage, record)
        if mark not in self._sent():
            self._log({mark: self._of_stage(stage, record)})

    def send_report(self, report: "Report") -> None:
        """Send the report's table and figure, unless they were sent before."""
        mark = f"report {version(report)}"
        if mark in self._sent():
            return
        trackio, (columns, rows) = self._library(), cells(report)
        rounds = max((row.round for row in report.rows), default=0)
        shown = {"report/table": trackio.Table(columns=columns, data=rows)}
        self._log({mark: [(rounds, {**shown, "report/pass_at_k": trackio.Image(str(report.figure))})]})

    def _of_stage(self, stage: Stage, record: Mapping[str, object]) -> list[Point]:
        values: dict[str, Any] = {**figures(stage, record)}
        if table.of(stage).measures and (rows := traces(self.run, stage, self.settings.traces)):
            values["traces"] = self._library().Table(
                columns=COLUMNS, data=[list(dataclasses.astuple(one)) for one in rows]
            )
        return [(stage.round, values), *curve(self.run, stage)]

    def _log(self, new: dict[str, list[Point]]) -> None:
        """Send something, and before it the whole history if what has arrived is not known.

        Args:
            new: what is logged, by the mark that says that it was sent.
        """
        sent, again = self._sent(), self._offline and not self._path.exists()
        if again:
            new = {_mark(*one): self._of_stage(*one) for one in books.history(self.run)} | new
        if self._offline:
            self._path.unlink(missing_ok=True)
        with self._session(again) as tracked:
            for points in new.values():
                for step, values in points:
                    tracked.log(values, step=step)
        files.write_json(self._path, {"mode": self.settings.mode, "sent": sorted(sent | set(new))})

    def _sent(self) -> set[str]:
        """The marks of what has been sent."""
        with suppress(RunError, TypeError):  # missing or damaged
            said = files.read_json(self._path, {"mode": str, "sent": list})
            return set(said["sent"]) if said["mode"] == self.settings.mode else set()
        return set()

    @contextmanager
    def _session(self, again: bool) -> "Iterator[Tracked]":
        """The trackio run, which is continued if it exists.

        Args:
            again: whether it is begun anew instead.

        Raises:
            RuntimeError: trackio has warned of something.
        """
        with self._variables(), redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as said:
            trackio = self._library()
            warnings.simplefilter("always")
            if again:
                self._forget()
            tracked = trackio.init(
                project=self.settings.project,
                name=run_id(self.run),
                group=self.settings.group,
                config=config.to_dict(self.run.config),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            try:
                yield tracked
            finally:
                trackio.finish()
        if trouble := [str(one.message) for one in said if one.category is UserWarning]:
            raise RuntimeError(trouble[0])

    def _forget(self) -> None:
        """Delete the trackio run, if there is one."""
        with suppress(ValueError):  # there is no such project yet
            for one in self._library().Api().runs(self.settings.project):
                if one.name == run_id(self.run):
                    one.delete()

    def _library(self) -> ModuleType:
        """trackio, which reads as it is imported where its files are."""
        os.environ.setdefault("TRACKIO_DIR", str(self.run.root.resolve().parent / FOLDER))
        import trackio

        return trackio

    @contextmanager
    def _variables(self) -> Iterator[None]:
        """Offline, no server, whatever the variables say."""
        hidden = {name: os.environ.pop(name) for name in SERVERS if self._offline and name in os.environ}
        try:
            yield
        finally:
            os.environ.update(hidden)

    @property
    def _offline(self) -> bool:
        return self.settings.mode == "offline"

    @property
    def _path(self) -> Path:
        return self.run.root / SENT


def _mark(stage: Stage, record: Mapping[str, object]) -> str:
    return f"{stage} {record.get('made', '')}"


TRACKER = Trackio
