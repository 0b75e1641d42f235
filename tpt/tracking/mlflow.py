"""MLflow: a database beside the run folders, or the server that MLFLOW_TRACKING_URI names.

What a stage sends has the stage's own time, and MLflow keeps a value of one metric, step and time once. A tag of the
MLflow run then says that the stage is there. So whoever continues a run, on whichever machine, leaves out nothing and
has nothing twice, with no record of ours beside MLflow's.
"""

import dataclasses
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from tpt import artefacts
from tpt.errors import ConfigError
from tpt.nested import flatten
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import config
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.base import Tracker
from tpt.tracking.figures import curve, figures, run_id, version
from tpt.tracking.traces import traces

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.entities import Run as Tracked

    from tpt.report import Report

FOLDER = "mlflow"  # beside the run folders: a sweep's runs are compared in one database
SERVER = "MLFLOW_TRACKING_URI"
OURS = "tpt.runs"  # the tag by which a run finds its MLflow run again
METRICS, PARAMETERS = 1000, 100  # how many MLflow takes in one request
LONGEST = 500  # characters of a parameter
# A server that is gone is given up within a minute, not after several; and MLflow tells its makers nothing.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MLflow(Tracker):
    """Mirrors a run to MLflow. Figures of stages are at their round, curves at their optimizer steps."""

    title = "MLflow"
    package = "mlflow"

    def __init__(self, settings: TrackerConfig, run: Run) -> None:
        super().__init__(settings, run)
        self._opened: tuple[MlflowClient, str] | None = None
        self._tags: dict[str, str] = {}  # those of the MLflow run

    @classmethod
    def check(cls, settings: TrackerConfig) -> None:
        """As for every tracker; and online, which server it is."""
        super().check(settings)
        if settings.mode == "online" and not os.environ.get(SERVER):
            raise ConfigError(
                f"tracker.mode=online, but {SERVER} is not set", f"export {SERVER}=..., or set tracker.mode=offline"
            )

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Send a stage's figures, curve and example traces, unless they are there."""
        client, id = self._open()
        mark, made = f"tpt.{stage.slug}", str(record.get("made", "made"))
        if self._tags.get(mark) == made:
            return
        time = _milliseconds(record.get("finished"))
        points = [(stage.round, figures(stage, record)), *curve(self.run, stage)]
        metrics = list(_metrics(points, time))
        for first in range(0, len(metrics), METRICS):
            client.log_batch(id, metrics=metrics[first : first + METRICS])
        if table.of(stage).measures and (rows := traces(self.run, stage, self.settings.traces)):
            client.log_dict(id, {"traces": [dataclasses.asdict(one) for one in rows]}, f"traces/{stage.slug}.json")
        self._tag(mark, made)

    def send_report(self, report: "Report") -> None:
        """Send the report's table and figure, unless they are there."""
        client, id = self._open()
        if self._tags.get("tpt.report") != version(report):
            for path in (report.table, report.table.with_name(artefacts.TABLE), report.figure):
                client.log_artifact(id, str(path), "report")
            self._tag("tpt.report", version(report))

    def finish(self, failed: bool) -> None:
        """Say how the run ended."""
        if self._opened and self.on:
            client, id = self._opened
            client.set_terminated(id, "FAILED" if failed else "FINISHED")

    def _tag(self, name: str, value: str) -> None:
        client, id = self._open()
        client.set_tag(id, name, value)
        self._tags[name] = value

    def _open(self) -> "tuple[MlflowClient, str]":
        """The client, and the id of the MLflow run: the one that an earlier process began, if there is one."""
        if self._opened is None:
            with self._alone():
                client = self._client()
                experiment = self._experiment(client)
                ours = f"tags.`{OURS}` = '{run_id(self.run)}'"
                found = next(iter(client.search_runs([experiment], ours)), None) or self._begin(client, experiment)
            self._tags = dict(found.data.tags)
            self._opened = client, found.info.run_id
            client.update_run(found.info.run_id, "RUNNING")
        return self._opened

    def _alone(self) -> AbstractContextManager[object]:
        """A lock while the database or what is in it is created: the jobs of several runs may begin at once."""
        if self.settings.mode == "online":
            return nullcontext()
        self._folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder / ".lock")

    def _client(self) -> "MlflowClient":
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for name in ("alembic", "mlflow.store"):  # which tell of each table that they make
            logging.getLogger(name).setLevel(logging.WARNING)
        if self.settings.mode == "online":
            return MlflowClient(os.environ[SERVER])
        return MlflowClient(f"sqlite:///{self._folder / 'mlflow.db'}")

    def _experiment(self, client: "MlflowClient") -> str:
        found = client.get_experiment_by_name(self.settings.project)
        if found:
            return str(found.experiment_id)
        place = None if self.settings.mode == "online" else (self._folder / "artifacts").as_uri()
        return str(client.create_experiment(self.settings.project, place))

    def _begin(self, client: "MlflowClient", experiment: str) -> "Tracked":
        """Create the MLflow run, with the settings as its parameters."""
        from mlflow.entities import Param

        group = {"tpt.group": self.settings.group} if self.settings.group else {}
        made = client.create_run(experiment, run_name=self.run.name, tags={OURS: run_id(self.run), **group})
        settings = [Param(name, str(value)[:LONGEST]) for name, value in flatten(config.to_dict(self.run.config))]
        for first in range(0, len(settings), PARAMETERS):
            client.log_batch(made.info.run_id, params=settings[first : first + PARAMETERS])
        return made

    @property
    def _folder(self) -> Path:
        return self.run.root.resolve().parent / FOLDER


def _metrics(points: Iterable[tuple[int, Mapping[str, float]]], time: int) -> "Iterator[Metric]":
    """The values of some steps. MLflow has no `@` in names: `pass@k` becomes `pass_at_k`.

    Args:
        time: milliseconds since 1970.
    """
    from mlflow.entities import Metric

    for step, values in points:
        for name, value in values.items():
            yield Metric(re.sub(r"[^\w/. :-]", "_", name.replace("@", "_at_")), value, time, step)


def _milliseconds(time: object) -> int:
    """A time as manifests have it, in milliseconds since 1970; 0 if there is none."""
    return int(1000 * datetime.fromisoformat(time).timestamp()) if isinstance(time, str) else 0


TRACKER = MLflow
