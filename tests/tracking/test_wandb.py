"""Weights & Biases mirrors a run and never stops it. The real client is used, offline."""

import csv
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import wandb
from offline import steps

from tpt import files, records
from tpt.records import Problem, Sample, Status, Verdict
from tpt.report import report
from tpt.runs import books
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.cluster import ClusterConfig
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.settings.prune import PruneConfig
from tpt.settings.sampler import SamplerConfig
from tpt.settings.sampling import EvaluateConfig, ThinkConfig
from tpt.settings.tracker import TrackerConfig
from tpt.settings.train import TrainConfig
from tpt.tasks.word_problems import WordProblems
from tpt.tracking import make
from tpt.tracking.figures import numbers, run_id

EVALUATE = Stage(0, "evaluate")
RECORD = {"stage": str(EVALUATE), "seconds": 1.5, "metrics": {"strict": {"pass@1": 0.25}}}


@pytest.fixture
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B as on a machine that never used it."""
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def run(tmp_path: Path, no_login: None) -> Run:
    """A run folder with one evaluation of three problems, two samples each."""
    settings = Config(
        model=ModelConfig(name="tiny-random", source="random"),
        task=WordProblems(name="word_problems"),
        think=ThinkConfig(),
        prune=PruneConfig(),
        train=TrainConfig(learning_rate=1e-3),
        evaluate=EvaluateConfig(ks=[1]),
        sampler=SamplerConfig(),
        cluster=ClusterConfig(),
        tracker=TrackerConfig(traces=2),
        run_root=str(tmp_path / "runs"),
    )
    made = Run.create(settings)
    problems = [Problem(f"p/{number}", f"question {number}", "7") for number in range(3)]
    records.write(made.problems_path("test"), Problem, problems)
    pairs = [(one.id, index) for one in problems for index in range(2)]
    folder = made.folder(EVALUATE)
    samples = (Sample(name, index, [1], [2], f"solution {name} {index}", "stop") for name, index in pairs)
    records.write(records.shard_path(folder, "samples", 0), Sample, samples)
    verdicts = (Verdict(name, index, Status.WRONG, Status.WRONG, Status.WRONG, "hash_marks") for name, index in pairs)
    records.write(records.shard_path(folder, "verdicts", 0), Verdict, verdicts)
    return made


def offline_runs(run: Run) -> list[Path]:
    return sorted(run.wandb_dir.glob("offline-run-*/run-*.wandb"))


def mirror(run: Run, settings: TrackerConfig, *stages: Stage) -> None:
    with make(settings, run) as tracker:
        for stage in stages:
            record = RECORD | {"stage": str(stage)}
            if record not in files.read_jsonl(run.metrics_path):
                files.append_jsonl(run.metrics_path, record)
            tracker.log(stage, record)
    wandb.teardown()  # as at the end of a process: what is buffered is written


def test_an_offline_run_holds_the_figures_and_the_traces(
    run: Run, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", ModuleType("openai"))  # as vLLM imports it: W&B then recommends Weave
    mirror(run, TrackerConfig(group="sweep-1", traces=2), EVALUATE)
    [path] = offline_runs(run)
    assert path.stem == f"run-{run_id(run)}"
    content = path.read_bytes()  # the client's records are not compressed
    assert b"sweep-1" in content
    assert b"evaluate/metrics.strict.pass@1" in content
    [table] = path.parent.rglob("*.table.json")
    assert "solution p/0 0" in table.read_text() and "solution p/1 0" in table.read_text()
    assert "solution p/2 0" not in table.read_text(), "tracker.traces=2"
    assert capfd.readouterr() == ("", "")


def follow(run: Run, stages: int) -> list[Path]:
    """Mirror the first stages of a finished run, as whoever continues it does.

    Returns:
        the offline folders there are then.
    """
    with make(run.config.tracker, run) as tracker:
        for stage in filter(run.done, run.stages()[:stages]):
            tracker.log(stage, books.record(run, stage))
        tracker.log_report(report([run], run.report_dir))
    wandb.teardown()
    return [path.parent for path in offline_runs(run)]


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
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_and_continued_twice_is_whole_in_one_offline_folder(
    make_run: Callable[..., Run], no_login: None, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run("tracker=wandb_offline", "tracker.traces=2", rounds=1, problems=4)
    assert subprocess.run([sys.executable, "-c", KILLED, str(run.root)], check=False).returncode == -signal.SIGKILL
    assert len(offline_runs(run)) == 1
    follow(run, 4)
    [folder] = follow(run, len(run.stages()))
    assert follow(run, len(run.stages())) == [folder], "where nothing is new, nothing is written"
    *stages, report = steps(folder)
    names = [next(key for key in step if "/" in key).partition("/")[0] for step in stages]
    assert [f"round-{step['round']:02d}/{name}" for step, name in zip(stages, names, strict=True)] == [
        str(stage) for stage in run.stages()[1:]
    ]
    assert [step["order"] for step in stages] == list(range(1, len(run.stages())))
    tables = [
        json.loads((folder / "files" / step["traces.path"]).read_text()) for step in stages if "traces.path" in step
    ]
    assert [{row[0] for row in table["data"]} for table in tables] == [{"round-00/evaluate"}, {"round-01/evaluate"}]
    mirrored = json.loads((folder / "files" / report["report/table.path"]).read_text())
    rows = list(csv.reader((run.report_dir / "table.csv").open()))
    assert mirrored["columns"] == rows[0]
    at, kept = rows[0].index("strict_pass@1_low"), rows[0].index("kept")
    assert [row[at] for row in mirrored["data"]] == [float(row[at]) for row in rows[1:]]
    assert [row[kept] for row in mirrored["data"]] == [None, float(rows[2][kept])]
    picture = folder / "files" / report["report/pass_at_k.path"]
    assert picture.read_bytes() == (run.report_dir / "pass_at_k.png").read_bytes()
    assert capfd.readouterr().err == ""


def test_the_steps_of_a_training_are_a_curve_with_an_axis_of_its_own(
    make_run: Callable[..., Run], no_login: None
) -> None:
    run, train = make_run("tracker=wandb_offline", rounds=1, problems=4), Stage(1, "train")
    for step in range(3):
        files.append_jsonl(run.folder(train) / "metrics.jsonl", {"step": step, "loss": 2.0 - step / 4})
    mirror(run, run.config.tracker, train)
    [path] = offline_runs(run)
    curve = [(one["train/step"], one["train/round-01/loss"]) for one in steps(path.parent) if "train/step" in one]
    assert curve == [(0, 2.0), (1, 1.75), (2, 1.5)]


def test_only_a_runs_own_offline_folders_are_removed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.root.parent)
    run = Run.open(Path(run.name))  # the client's paths are absolute
    mirror(run, run.config.tracker, EVALUATE)
    [first] = offline_runs(run)
    (other := run.wandb_dir / "offline-run-20260101_000000-another").mkdir()
    mirror(run, run.config.tracker, EVALUATE, Stage(1, "think"))
    [second] = offline_runs(run)
    assert first != second
    assert other.exists()
    assert [step["round"] for step in steps(second.parent)] == [0, 1]


def test_what_a_process_has_open_another_does_not_take_from_it(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with make(run.config.tracker, run) as tracker:
        tracker.log(EVALUATE, RECORD)
        before = offline_runs(run)
        with make(run.config.tracker, run) as second:
            second.log(EVALUATE, RECORD)
        assert offline_runs(run) == before
        tracker.log(Stage(1, "think"), RECORD)
    wandb.teardown()
    assert [step["round"] for step in steps(before[0].parent)] == [0, 1]
    assert [one for one in caplog.records if one.name.startswith("tpt.tracking")] == []


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_where_it_cannot_be_told_what_is_mirrored_it_is_written_again(run: Run, content: str) -> None:
    (run.wandb_dir).mkdir()
    (run.wandb_dir / "offline.json").write_text(content)
    mirror(run, run.config.tracker, EVALUATE)
    [path] = offline_runs(run)
    assert [step["evaluate/seconds"] for step in steps(path.parent)] == [1.5]


def test_traces_that_are_gone_leave_the_figures(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run.problems_path("test").unlink()
    mirror(run, run.config.tracker, EVALUATE)
    [path] = offline_runs(run)
    [step] = steps(path.parent)
    assert step["evaluate/seconds"] == 1.5
    assert "traces.path" not in step
    assert "example traces of round-00/evaluate cannot be read" in caplog.text


def test_two_run_folders_of_one_config_have_ids_of_their_own(run: Run, tmp_path: Path) -> None:
    run.config.run_root = str(tmp_path / "elsewhere")
    other = Run.create(run.config)
    assert other.name == run.name
    head = other.root / "run.json"
    head.write_text(head.read_text().replace('"created": "', '"created": "later '))
    assert run_id(other) != run_id(run)


def test_disabled_does_not_even_import_wandb(run: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from tpt.runs.folder import Run; from tpt.tracking import make\n"
        "from tpt.settings.tracker import TrackerConfig; from tpt.runs.stage import Stage\n"
        f"run = Run.open(Path({str(run.root)!r}))\n"
        "with make(TrackerConfig(mode='disabled'), run) as tracker:\n"
        "    tracker.log(Stage(0, 'evaluate'), {'seconds': 1})\n"
        "assert 'wandb' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not run.wandb_dir.exists()


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_online_without_a_login_is_one_warning_and_no_error(
    run: Run, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        mirror(run, TrackerConfig(mode="online"), EVALUATE, Stage(1, "think"))
    [warning] = [one.message for one in caplog.records if one.name.startswith("tpt.tracking")]
    assert "no login: run `wandb login`" in warning
    assert "going on without it" in warning
    assert capfd.readouterr().out == ""


def test_a_folder_that_cannot_be_written_is_a_warning_and_no_error(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run.wandb_dir.write_text("a file is in the way")
    mirror(run, run.config.tracker, EVALUATE)
    assert any("going on without it" in one.message for one in caplog.records)


def test_only_numbers_are_mirrored() -> None:
    nested = {"a": {"b": 1, "c": {"d": 2.5}}, "words": "left out", "list": [1], "flag": True}
    assert dict(numbers(nested)) == {"a.b": 1.0, "a.c.d": 2.5, "flag": 1.0}
