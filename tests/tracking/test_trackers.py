"""A second tracker: one class. Its failures stop nothing; the report it gets is the one that is printed."""

import csv
import json
import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tpt import files
from tpt.cli import main
from tpt.errors import ConfigError
from tpt.report import Report
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.tracker import TrackerConfig
from tpt.tracking import Busy, Tracker, check, make

Command = Callable[..., list[str]]
JSONL = f"tracker.name={__name__}:Jsonl"


class Jsonl(Tracker):
    """Writes what it is sent to a file in the run folder."""

    title = "the JSONL tracker"

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        self._write(stage=str(stage), record=record)

    def send_report(self, report: Report) -> None:
        rows = list(csv.DictReader(report.table.read_text(encoding="utf-8").splitlines()))
        self._write(rows=rows, figure=report.figure.read_bytes()[1:4].decode())

    def finish(self, failed: bool) -> None:
        self._write(failed=failed)

    def _write(self, **what: object) -> None:
        files.append_jsonl(self.run.root / "mirror.jsonl", what)


class Failing(Jsonl):
    """Fails at all it does."""

    def _write(self, **what: object) -> None:
        raise OSError("the server is down")


class Reserved(Jsonl):
    """Mirrored by another process."""

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        raise Busy


def mirrored(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.root / "mirror.jsonl").read_text().splitlines()]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.startswith("tpt.tracking")]


@pytest.mark.slow
def test_a_tracker_of_ones_own_sees_every_stage_and_the_report_which_is_made_once(
    tiny_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, reports = [], import_module("tpt.report.report")
    write = reports._write

    def counted(*given: Any) -> Report:
        made.append(given)
        found: Report = write(*given)
        return found

    monkeypatch.setattr(reports, "_write", counted)
    command = tiny_command("rounds=1", "tracker.mode=online", JSONL)
    assert main(command) == 0
    assert len(made) == 1
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    *stages, report, end = mirrored(run)
    assert [line["stage"] for line in stages] == [str(stage) for stage in run.stages()]
    assert [line["record"] for line in stages] == list(files.read_jsonl(run.metrics_path))
    assert report == {"rows": list(csv.DictReader((run.report_dir / "table.csv").open())), "figure": "PNG"}
    assert end == {"failed": False}
    failing = f"tracker.name={__name__}:Failing"
    with caplog.at_level(logging.WARNING):
        assert main([*command, failing]) == 0
    assert warnings(caplog) == [
        "the JSONL tracker could not log round-00/prepare (the server is down); going on without it, metrics.jsonl has "
        "everything"
    ], "said once, and without the tracker from then on"
    assert len(made) == 2


def test_a_run_of_a_sweep_is_mirrored_with_its_own_report(make_run: Callable[..., Run]) -> None:
    run = make_run("tracker.mode=online", JSONL, rounds=1, problems=4)
    run.finish(Stage(0, "prepare"), {"model_dir": str(run.root)}, 0.0)
    from tpt.carry_out import carry_out_run
    from tpt.terminal import Terminal

    carry_out_run(run.config, Terminal())
    *_, report, end = mirrored(run)
    assert [row["round"] for row in report["rows"]] == ["0", "1"]
    assert end == {"failed": False}


def test_an_error_of_the_run_is_told_to_the_tracker(make_run: Callable[..., Run]) -> None:
    run = make_run("tracker.mode=online", JSONL, rounds=0, problems=4)
    with pytest.raises(ZeroDivisionError), make(run.config.tracker, run):
        _ = 1 / 0
    assert mirrored(run) == [{"failed": True}]


def test_a_tracker_that_another_process_has_open_says_nothing(
    make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run("tracker.mode=online", f"tracker.name={__name__}:Reserved", rounds=0, problems=4)
    with make(run.config.tracker, run) as tracker:
        assert tracker.on
        tracker.log(Stage(0, "evaluate"), {"seconds": 1.0})
        assert not tracker.on
    assert warnings(caplog) == []


def test_disabled_mirrors_nothing(make_run: Callable[..., Run]) -> None:
    run = make_run("tracker=none", JSONL, rounds=0, problems=4)
    with make(run.config.tracker, run) as tracker:
        assert not tracker.on
        tracker.log(Stage(0, "evaluate"), {"seconds": 1.0})
    assert not (run.root / "mirror.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wandbb", "tracker.name=wandbb is not known; one of: mlflow, tensorboard, trackio, wandb, or module:Class"),
        ("base", "tracker.name=base is not known"),
        ("no_such_module:Tracker", "cannot be imported"),
        ("json:JSONDecoder", "json:JSONDecoder is not a tracker"),
        ("json:Nothing", "cannot be imported"),
    ],
)
def test_a_tracker_that_is_not_there_is_refused_before_anything_runs(
    name: str, message: str, tiny_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(TrackerConfig(name=name))
    check(TrackerConfig(name=name, mode="disabled"))
    assert main(tiny_command("tracker.mode=offline", f"tracker.name={name}")) == 1
    assert "tracker.name=" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_job_that_lacks_the_tracker_goes_on_without(
    make_run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(rounds=0, problems=4)
    with make(TrackerConfig(name="no_such_module:Tracker"), run) as tracker:
        assert not tracker.on
    [warning] = warnings(caplog)
    assert "going on without a tracker" in warning


def test_the_tracker_changes_no_fingerprint(tiny_config: Callable[..., Any]) -> None:
    one, other = Run.of(tiny_config()), Run.of(tiny_config("tracker.mode=online", JSONL))
    assert one.name == other.name
    assert one.fingerprint(Stage(0, "evaluate")) == other.fingerprint(Stage(0, "evaluate"))
