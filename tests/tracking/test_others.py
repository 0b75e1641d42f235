"""TensorBoard, MLflow and trackio mirror a run, each read back by its own package, and never stop it."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tpt import files, tracking
from tpt.cli import main
from tpt.errors import ConfigError
from tpt.report import report
from tpt.runs import books
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.figures import curve, figures, run_id

MakeRun = Callable[..., Run]
Seen = dict[str, list[tuple[int, float]]]  # the (step, value) pairs of each name
SECRET = "hush-hush-4711"
TRAIN = Stage(1, "train")


def installed(name: str) -> Any:
    """The parameter for a tracker, skipped where its package is not installed."""
    missing = pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed: pip install -e '.[dev]'")
    return pytest.param(name, marks=missing)


TRACKERS = [installed(name) for name in ("tensorboard", "mlflow", "trackio")]


@pytest.fixture(scope="module", autouse=True)
def _folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """trackio reads once for each process where its database is; and secrets that must be in no file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))
        for name in ("MLFLOW_TRACKING_TOKEN", "TRACKIO_WRITE_TOKEN", "HF_TOKEN"):
            patch.setenv(name, SECRET)
        for name in ("MLFLOW_TRACKING_URI", "TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def make_tracked(make_run: MakeRun) -> Callable[[str], Run]:
    """Make a finished run of one round, whose training has a curve of six steps."""

    def make(name: str) -> Run:
        run = make_run(f"tracker={name}", "tracker.traces=2", "tracker.group=a sweep", rounds=1, problems=4)
        run.finish(Stage(0, "prepare"), {"model_dir": str(run.root)}, 1.0)
        for step in range(6):
            line = {"step": step, "loss": 2.0 - step / 4, "learning_rate": 0.25, "tokens": 100 * step}
            files.append_jsonl(run.folder(TRAIN) / "metrics.jsonl", line)
        return run

    return make


def follow(run: Run, stages: int = 99, settings: TrackerConfig | None = None) -> None:
    """Mirror the first stages of a finished run, and its report, as whoever continues it does."""
    with tracking.make(settings or run.config.tracker, run) as tracker:
        for stage in filter(run.done, run.stages()[:stages]):
            tracker.log(stage, books.record(run, stage))
        tracker.log_report(report([run], run.report_dir))


KILLED = """
import os, signal, sys
from pathlib import Path
from tpt.runs import books
from tpt.runs.folder import Run
from tpt.tracking import make
run = Run.open(Path(sys.argv[1]))
with make(run.config.tracker, run) as tracker:
    for stage in filter(run.done, run.stages()[:3]):
        tracker.log(stage, books.record(run, stage))
    (run.root / "trackio.json").unlink(missing_ok=True)  # trackio: as within the next session
    os.kill(os.getpid(), signal.SIGKILL)
"""


def tensorboard(run: Run) -> Seen:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.root / "tensorboard"), {"scalars": 0}).Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def mlflow_run(run: Run) -> tuple[Any, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run.root.parent / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tpt")
    assert experiment
    [one] = client.search_runs([experiment.experiment_id], f"tags.`tpt.runs` = '{run_id(run)}'")
    return client, one


def mlflow(run: Run) -> Seen:
    client, one = mlflow_run(run)
    histories = {name: client.get_metric_history(one.info.run_id, name) for name in one.data.metrics}
    return {
        name.replace("_at_", "@"): sorted((point.step, point.value) for point in points)
        for name, points in histories.items()
    }


def trackio_logs(run: Run) -> list[dict[str, Any]]:
    from trackio.sqlite_storage import SQLiteStorage

    [_] = [
        one for one in SQLiteStorage.get_runs("tpt") if (one["name"] if isinstance(one, dict) else one) == run_id(run)
    ]
    found: list[dict[str, Any]] = SQLiteStorage.get_logs("tpt", run_id(run))
    return found


def trackio(run: Run) -> Seen:
    found: Seen = defaultdict(list)
    for line in trackio_logs(run):
        for name, value in line.items():
            if isinstance(value, int | float) and name != "step":
                found[name].append((line["step"], float(value)))
    return {name: sorted(points) for name, points in found.items()}


READERS: Mapping[str, Callable[[Run], Seen]] = {"tensorboard": tensorboard, "mlflow": mlflow, "trackio": trackio}


def tensorboard_shows(run: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.root / "tensorboard")).Reload()
    [picture] = found.Images("report/pass_at_k")
    assert picture.encoded_image_string == (run.report_dir / "pass_at_k.png").read_bytes()
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in found.Tags()["tensors"]}
    assert texts["report/table"] == (run.report_dir / "table.md").read_text()
    assert "traces: 2" in texts["config"]
    assert len(texts["traces"].splitlines()) == 4


def mlflow_shows(run: Run) -> None:
    client, one = mlflow_run(run)
    assert (one.info.run_name, one.info.status) == (run.name, "FINISHED")
    assert one.data.params["tracker.traces"] == "2"
    assert one.data.tags["tpt.group"] == "a sweep"
    folder = Path(client.download_artifacts(one.info.run_id, ""))
    assert (folder / "report/pass_at_k.png").read_bytes() == (run.report_dir / "pass_at_k.png").read_bytes()
    assert (folder / "report/table.csv").read_text() == (run.report_dir / "table.csv").read_text()
    assert len(json.loads((folder / "traces/round-01-evaluate.json").read_text())["traces"]) == 2


def trackio_shows(run: Run) -> None:
    from trackio.sqlite_storage import SQLiteStorage

    lines = trackio_logs(run)
    [table] = [line["report/table"] for line in lines if "report/table" in line]
    assert len(table["_value"]) == 2
    [picture] = [line["report/pass_at_k"] for line in lines if "report/pass_at_k" in line]
    stored = Path(os.environ["TRACKIO_DIR"]) / "media" / picture["file_path"]
    assert stored.read_bytes().startswith(b"\x89PNG")
    assert [len(line["traces"]["_value"]) for line in lines if "traces" in line] == [2, 2]
    settings = SQLiteStorage.get_run_config("tpt", run_id(run))
    assert settings
    assert settings["_Group"] == "a sweep"


SHOWN: Mapping[str, Callable[[Run], None]] = {
    "tensorboard": tensorboard_shows,
    "mlflow": mlflow_shows,
    "trackio": trackio_shows,
}


def expected(run: Run) -> Seen:
    """What metrics.jsonl and the training's steps have."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for stage, record in books.history(run):
        for step, values in [(stage.round, figures(stage, record)), *curve(run, stage)]:
            for name, value in values.items():
                found[name].append((step, pytest.approx(value, rel=1e-6)))
    return {name: sorted(points, key=lambda one: one[0]) for name, points in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACKERS)
def test_a_run_that_is_killed_and_continued_has_all_and_has_it_once(
    name: str, make_tracked: Callable[[str], Run], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = make_tracked(name)
    assert subprocess.run([sys.executable, "-c", KILLED, str(run.root)], check=False).returncode == -signal.SIGKILL
    capfd.readouterr()
    follow(run, 5)
    follow(run)
    seen = READERS[name](run)
    assert seen == expected(run)
    assert [step for step, _ in seen["train/round-01/loss"]] == list(range(6))
    assert [step for step, _ in seen["evaluate/metrics.strict.pass@k.1.low"]] == [0, 1]
    before = {path: path.stat().st_mtime_ns for path in run.root.rglob("*events*")}
    follow(run)
    assert READERS[name](run) == seen, "where nothing is new, nothing is sent"
    assert before == {path: path.stat().st_mtime_ns for path in run.root.rglob("*events*")}
    assert capfd.readouterr() == ("", "")
    assert [one.getMessage() for one in caplog.records if one.name.startswith("tpt.tracking")] == []
    everything = [path for path in run.root.parent.rglob("*") if path.is_file()]
    assert everything
    assert [path for path in everything if SECRET.encode() in path.read_bytes()] == []
    SHOWN[name](run)


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRACKERS[0], TRACKERS[1]])
def test_a_folder_that_cannot_be_written_is_one_warning_and_no_error(
    name: str, make_tracked: Callable[[str], Run], caplog: pytest.LogCaptureFixture
) -> None:
    run = make_tracked(name)
    for place in (run.root, run.root.parent):
        (place / name).write_text("a file is in the way")
    with caplog.at_level(logging.WARNING):
        follow(run)
    [warning] = [one.getMessage() for one in caplog.records if one.name.startswith("tpt.tracking")]
    assert "could not log round-00/prepare" in warning or "could not log round-00/evaluate" in warning
    assert "going on without it, metrics.jsonl has everything" in warning


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRACKERS[2]])
def test_what_trackio_only_warns_of_is_said_once(
    name: str, make_tracked: Callable[[str], Run], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackio.sqlite_storage import SQLiteStorage

    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    run = make_tracked(name)
    monkeypatch.setattr(SQLiteStorage, "bulk_log", full)
    with caplog.at_level(logging.WARNING):
        follow(run)
    [warning] = [one.getMessage() for one in caplog.records if one.name.startswith("tpt.tracking")]
    assert "No space left on device" in warning
    assert "going on without it" in warning
    monkeypatch.undo()
    monkeypatch.setenv("TRACKIO_DIR", os.environ.get("TRACKIO_DIR", ""))
    follow(run)
    assert trackio(run) == expected(run), "and the next command sends it all"


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRACKERS[1]])
def test_a_server_that_is_gone_is_one_warning_and_no_error(
    name: str, make_tracked: Callable[[str], Run], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:{SECRET}@127.0.0.1:9")
    run = make_tracked(name)
    with caplog.at_level(logging.WARNING):
        follow(run, settings=TrackerConfig(name=name, mode="online"))
    [warning] = [one.getMessage() for one in caplog.records if one.name.startswith("tpt.tracking")]
    assert "going on without it" in warning
    assert SECRET not in warning


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACKERS)
def test_a_stage_that_is_done_again_with_another_outcome_is_sent_again(
    name: str, make_tracked: Callable[[str], Run]
) -> None:
    run, stage = make_tracked(name), Stage(1, "think")
    for samples in (8, 9):
        files.append_jsonl(run.metrics_path, {"stage": str(stage), "made": f"{samples:08d}", "samples": samples})
        with tracking.make(run.config.tracker, run) as tracker:
            tracker.log(stage, {"stage": str(stage), "made": f"{samples:08d}", "samples": samples})
    values = [value for _, value in READERS[name](run)["think/samples"]]
    assert values[-1] == 9
    assert name != "tensorboard" or values == [9]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "trackio"])
def test_a_package_that_is_missing_is_said_with_the_command_before_anything_runs(
    name: str,
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tpt.tracking.base.find_spec", lambda _: None)
    assert main(tiny_command(f"tracker={name}")) == 1
    said = capsys.readouterr().err
    assert f"tracker.name={name}, but the package {name} is not installed" in " ".join(said.split())
    assert f"pip install 'think-prune-train[{name}]'" in " ".join(said.split())
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("tensorboard", "has no server"), ("mlflow", "MLFLOW_TRACKING_URI is not set"), ("trackio", "TRACKIO_SERVER_URL")],
)
def test_online_says_what_it_needs(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpt.tracking.base.find_spec", lambda _: object())
    with pytest.raises(ConfigError, match=message):
        tracking.check(TrackerConfig(name=name, mode="online"))
    tracking.check(TrackerConfig(name=name, mode="disabled"))
