"""Weights & Biases mirrors a run and never stops it. The real client is used, offline."""

import csv
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import wandb

from tpt import records
from tpt.config import (
    ClusterConfig,
    Config,
    EvaluateConfig,
    ModelConfig,
    PruneConfig,
    SamplerConfig,
    ThinkConfig,
    TrackerConfig,
    TrainConfig,
)
from tpt.loop import Stage
from tpt.records import Problem, Sample, Status, Verdict
from tpt.run import Run
from tpt.tasks.word_problems import WordProblems
from tpt.tracker import Tracker, flatten, run_id

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
    with Tracker(settings, run) as tracker:
        for stage in stages:
            tracker.log(stage, RECORD)
    wandb.teardown()  # as at the end of a process: what is buffered is written


def test_an_offline_run_holds_the_figures_and_the_traces(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
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


def test_a_continued_run_continues_its_wandb_run_and_repeats_nothing(run: Run) -> None:
    mirror(run, run.config.tracker, EVALUATE)
    time.sleep(1.1)  # the client names its folders by the second
    mirror(run, run.config.tracker, EVALUATE, Stage(1, "think"))
    mirror(run, run.config.tracker, EVALUATE, Stage(1, "think"))
    found = offline_runs(run)
    assert {path.stem for path in found} == {f"run-{run_id(run)}"}
    assert [b"evaluate/seconds" in path.read_bytes() for path in found] == [True, False]
    assert [b"think/seconds" in path.read_bytes() for path in found] == [False, True]


def test_the_report_is_mirrored_once_as_a_table_and_a_picture(
    make_run: Callable[..., Run], no_login: None, capfd: pytest.CaptureFixture[str]
) -> None:
    made = make_run("tracker=wandb_offline", rounds=1, problems=4)
    for _ in range(2):
        with Tracker(made.config.tracker, made) as tracker:
            tracker.log_report()
        wandb.teardown()
        time.sleep(1.1)  # the client names its folders by the second
    [path] = offline_runs(made)
    [table] = path.parent.rglob("*.table.json")
    mirrored = json.loads(table.read_text())
    rows = list(csv.reader((made.report_dir / "table.csv").open()))
    assert mirrored["columns"] == rows[0]
    at = rows[0].index("strict_pass@1_low")
    assert [row[at] for row in mirrored["data"]] == [float(row[at]) for row in rows[1:]]
    assert [row[rows[0].index("kept")] for row in mirrored["data"]] == [None, float(rows[2][rows[0].index("kept")])]
    [picture] = path.parent.rglob("*.png")
    assert picture.read_bytes() == (made.report_dir / "pass_at_k.png").read_bytes()
    assert "going on without it" not in capfd.readouterr().err


def test_two_run_folders_of_one_config_have_ids_of_their_own(run: Run, tmp_path: Path) -> None:
    run.config.run_root = str(tmp_path / "elsewhere")
    other = Run.create(run.config)
    assert other.name == run.name
    head = other.root / "run.json"
    head.write_text(head.read_text().replace('"created": "', '"created": "later '))
    assert run_id(other) != run_id(run)


def test_disabled_does_not_even_import_wandb(run: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from tpt.run import Run; from tpt.tracker import Tracker\n"
        "from tpt.config import TrackerConfig; from tpt.loop import Stage\n"
        f"run = Run.open(Path({str(run.root)!r}))\n"
        "with Tracker(TrackerConfig(mode='disabled'), run) as tracker:\n"
        "    tracker.log(Stage(0, 'evaluate'), {'seconds': 1})\n"
        "assert 'wandb' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not run.wandb_dir.exists()


def test_online_without_a_login_is_one_warning_and_no_error(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb, "api", type("NoLogin", (), {"api_key": None}))
    with caplog.at_level(logging.WARNING):
        mirror(run, TrackerConfig(mode="online"), EVALUATE, Stage(1, "think"))
    [warning] = [one.message for one in caplog.records if one.name == "tpt.tracker"]
    assert "no login: run `wandb login`" in warning
    assert "going on without it" in warning


def test_a_folder_that_cannot_be_written_is_a_warning_and_no_error(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run.wandb_dir.write_text("a file is in the way")
    mirror(run, run.config.tracker, EVALUATE)
    assert any("going on without it" in one.message for one in caplog.records)


def test_only_numbers_are_mirrored() -> None:
    nested = {"a": {"b": 1, "c": {"d": 2.5}}, "words": "left out", "list": [1], "flag": True}
    assert dict(flatten(nested)) == {"a.b": 1.0, "a.c.d": 2.5, "flag": 1.0}
