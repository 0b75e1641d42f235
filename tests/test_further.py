"""Benchmarks and commands beside a run: measured for every round, and nothing is trained again for them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import finish_evaluation, finish_round
from processes import ended

import tpt
from tpt import files, records
from tpt.cli import main
from tpt.cluster.graph import graph
from tpt.cluster.resources import gpus_per_node
from tpt.errors import RunError
from tpt.records import Problem
from tpt.report import report
from tpt.runs import shared, table
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.config import Config

Make = Callable[..., Config]
WP = ("+task@benchmarks.wp=word_problems", "benchmarks.wp.task.test_size=4", "benchmarks.wp.task.seed=7")
SMALL = (
    "benchmarks.wp.evaluate.max_tokens=8",
    "benchmarks.wp.evaluate.samples_per_problem=3",
    "benchmarks.wp.evaluate.ks=[1]",
)
ECHO = ("commands.mine.command=echo {checkpoint} {out}", "commands.mine.figures.acc=acc", "commands.mine.errors.acc=se")


def names(stages: list[Stage]) -> list[str]:
    return [str(stage) for stage in stages]


def done(config: Config) -> Run:
    """A run of one round of which everything is done that has to do with its own task."""
    run = Run.create(config)
    for round, solved in enumerate((10, 20)):
        finish_round(run, round, solved)
    return run


def test_adding_them_to_a_run_that_is_done_measures_every_round_and_trains_nothing(tiny_config: Make) -> None:
    first = done(tiny_config("rounds=1"))
    run = Run.create(tiny_config("rounds=1", *WP, *ECHO, "evaluate.also=[wp,mine]"))
    assert run.root == first.root
    assert names(run.owed()) == [
        *("round-00/benchmark-wp", "round-00/evaluate-wp", "round-00/command-mine"),
        *("round-01/evaluate-wp", "round-01/command-mine"),
    ]
    kept = Run.create(tiny_config("rounds=1"))  # the run remembers them
    assert Run.open(kept.root).config.chosen_benchmarks == ["wp"]
    for stage in first.stages():
        assert run.fingerprint(stage) == first.fingerprint(stage)


def test_only_the_evaluations_on_a_benchmark_depend_on_it(tiny_config: Make) -> None:
    also = "evaluate.also=[wp]"
    one, other = (
        Run.of(tiny_config("rounds=1", *WP, also, *more)) for more in ((), ("benchmarks.wp.task.test_size=5",))
    )
    sampled = Run.of(tiny_config("rounds=1", *WP, also, "benchmarks.wp.evaluate.temperature=0.3"))
    for changed in (other, sampled):
        differing = [stage for stage in one.stages() if one.fingerprint(stage) != changed.fingerprint(stage)]
        assert names(differing) == ["round-00/benchmark-wp", "round-00/evaluate-wp", "round-01/evaluate-wp"]


def test_with_decontamination_training_depends_on_the_benchmark_and_samples_do_not(tiny_config: Make) -> None:
    clean = ("rounds=1", "prune.decontaminate=exact")
    plain, run = Run.of(tiny_config(*clean)), Run.of(tiny_config(*clean, *WP, "evaluate.also=[wp]"))
    assert plain.root != run.root, "other examples make another run"
    same = [stage for stage in plain.stages() if plain.fingerprint(stage) == run.fingerprint(stage)]
    assert names(same) == ["round-00/prepare", "round-00/evaluate", "round-01/think", "round-01/judge"]
    assert run.problems_path("wp") in [run.problems_path(one) for one in table.evaluated_sets(run.config)]
    assert table.benchmark("wp") in run.inputs(Stage(1, "prune"))


def test_what_was_measured_is_not_measured_otherwise_under_the_same_name(tiny_config: Make) -> None:
    also = ("rounds=1", *WP, *ECHO, "evaluate.also=[wp,mine]")
    run = done(tiny_config("rounds=1"))
    Run.create(tiny_config(*also))
    Run.create(tiny_config(*also, "benchmarks.wp.task.test_size=5"))  # nothing is measured yet
    made = Run.create(tiny_config(*also))
    made.finish(table.benchmark("wp"), {"problems": 4}, 1.0)
    Run.create(tiny_config(*also, "commands.mine.minutes=5"))
    with pytest.raises(RunError, match="wp has been measured in this run with other settings") as caught:
        Run.create(tiny_config(*also, "benchmarks.wp.task.test_size=5"))
    assert "task.test_size=4, now 5" in caught.value.message
    assert f"round-*/*-wp in {run.root}" in caught.value.hint


def test_the_base_models_figures_are_shared_by_runs_that_train_otherwise(tiny_config: Make) -> None:
    also = ("rounds=1", *ECHO, "evaluate.also=[mine]")
    one, other = Run.create(tiny_config(*also)), Run.create(tiny_config(*also, "train.epochs=2"))
    for run in (one, other):
        run.finish(table.PREPARED, {"train": 1, "test": 1, "model_dir": str(run.root)}, 1.0)
    one.finish(Stage(0, "command", "mine"), {"figures": {}}, 1.0)
    assert shared.available(other, Stage(0, "command", "mine"))


def test_each_command_is_a_job_of_its_own_with_the_gpus_of_an_engine(tiny_config: Make) -> None:
    slurm = ("cluster=slurm", "rounds=1", "sampler.tensor_parallel=2")
    run = Run.create(tiny_config(*slurm, *WP, *ECHO, "evaluate.also=[wp,mine]"))
    jobs = {job.name: (job, needs) for job, needs in graph(run, run.stages())}
    assert {"round-00-benchmark-wp", "round-01-evaluate-wp", "round-01-score-wp"} <= jobs.keys()
    job, needs = jobs["round-01-command-mine"]
    assert (job.kind, gpus_per_node(run.config, job)) == ("evaluate", 2)
    assert [one.name for one in needs] == ["round-00-prepare", "round-01-train"]
    assert gpus_per_node(run.config, jobs["round-00-benchmark-wp"][0]) == 0


def test_the_report_says_what_was_gained_here_and_forgotten_there(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(
        tiny_config("rounds=1", *WP, *ECHO, "commands.mine.figures.loss=l", "evaluate.also=[train,wp,mine]")
    )
    for round, (here, there, acc) in enumerate(((10, 30, 0.5), (30, 10, 0.8))):
        run.config.evaluate.also = ["train"]
        finish_round(run, round, 20, here)
        run.config.evaluate.also = ["train", "wp", "mine"]
        finish_evaluation(run, round, there, which="wp")
        figures = {
            "acc": {"value": acc, "error": 0.02, "count": None},
            "loss": {"value": 2.5, "error": None, "count": None},
        }
        run.finish(Stage(round, "command", "mine"), {"figures": figures, "command": [], "json": "out"}, 1.0)
    made = report([run], tmp_path)
    [main, own, other, command] = made.sentences
    assert main.startswith("round 1, this checkpoint: pass@1 strict rose by")
    assert own.startswith("exploratory, round 1, this checkpoint: no change in pass@1 strict (train) that can be told")
    assert own.endswith("; these problems are trained on")
    assert (
        "pass@1 strict (wp) FELL: -50.0 [" in other and "points over the baseline, paired by problem; lenient" in other
    )
    assert "acc (mine) rose by +0.3 [+0.24" in command and "not paired" in command
    assert any("What is exploratory was not declared before the runs" in one for one in made.notes)
    assert any("loss (mine) has no interval" in one for one in made.notes)
    text = (tmp_path / "table.md").read_text()
    assert "| pass@1 strict (wp) | pass@1 lenient (wp) | acc (mine) | loss (mine)" in text
    assert "| 0.8 [0.7608, 0.8392] | 2.5 |" in text
    assert "acc (mine), not paired" in text
    [base, row] = csv.DictReader((tmp_path / "table.csv").open())
    assert (float(base["wp_strict_pass@1"]), float(row["wp_strict_pass@1_gain_over_baseline"])) == (0.75, -0.5)
    assert float(row["mine_acc_low"]) == pytest.approx(0.8 - 1.96 * 0.02, abs=1e-4)
    assert (row["mine_loss"], row.get("mine_loss_low")) == ("2.5", None)
    assert "pass@1 strict (wp)" in (tmp_path / "report.html").read_text()


SCORE = """
import json, os, pathlib, sys, time
out = pathlib.Path(sys.argv[2])
(out.parent / "pid").write_text(str(os.getpid()))
time.sleep(float(os.environ.get("SCORE_SECONDS", "0")))
assert (pathlib.Path(sys.argv[1]) / "config.json").exists()
out.write_text(json.dumps({"acc": 0.5, "n": 20}))
"""


@pytest.mark.slow
def test_they_are_added_to_a_run_killed_resumed_and_reported(
    tiny_command: Callable[..., list[str]], tmp_path: Path, warm_imports: dict[str, str]
) -> None:
    score = tmp_path / "score.py"
    score.write_text(SCORE)
    command = (
        f"commands.mine.command={sys.executable} {score} {{checkpoint}} {{out}}",
        "commands.mine.figures.acc=acc",
    )
    more = (*WP, *SMALL, *command, "commands.mine.counts.acc=n", "evaluate.also=[wp,mine]")
    assert main(tiny_command("rounds=1")) == 0
    [root] = find(tmp_path / "runs")
    before = {path: path.read_bytes() for path in root.glob("round-*/*/manifest.json")}

    words = [sys.executable, "-P", "-m", "tpt.cli", *tiny_command("rounds=1", *more)]
    environment = {**os.environ, **warm_imports, "SCORE_SECONDS": "600"}
    killed = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mark, deadline = root / "round-00" / "command-mine" / "pid", time.monotonic() + 300
    while not (mark.exists() and mark.read_text()):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    while not ended(int(mark.read_text())):  # it must not go on without the run
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (mark.parent / "manifest.json").exists()

    assert main(tiny_command("rounds=1", *more)) == 0
    run = Run.open(root)
    assert not run.owed()
    assert {path: path.read_bytes() for path in before} == before, "nothing that was done is done again"
    assert len(list(records.read(run.problems_path("wp"), Problem))) == 4
    assert files.read_json(root / "round-01/evaluate-wp/metrics.json")["samples"] == 12
    results = tpt.open_run(root)
    assert {*results.samples(1, "evaluate-wp")["gold"]} <= {*results.problems("wp")["gold"]}
    rows = list(csv.DictReader((root / "report" / "table.csv").open()))
    assert [row["mine_acc"] for row in rows] == ["0.5", "0.5"]
    assert float(rows[1]["mine_acc_low"]) == pytest.approx(0.2993, abs=1e-4), "Wilson's, of 10 in 20"
    assert rows[1]["wp_strict_pass@1_gain_over_baseline"] != ""


@pytest.mark.slow
def test_decontamination_drops_what_a_benchmark_holds(tiny_command: Callable[..., list[str]], tmp_path: Path) -> None:
    # The training problems themselves as a benchmark, so that nothing is left; without decontamination it is a warning.
    path, other = tmp_path / "trained.jsonl", tmp_path / "other.jsonl"
    other.write_text('{"question": "Why?", "answer": "1"}')
    assert main(tiny_command("rounds=0")) == 0
    [plain] = find(tmp_path / "runs")
    problems = list(records.read(plain / "round-00/prepare/train.parquet", Problem))
    path.write_text(
        "\n".join(f'{{"question": {json.dumps(one.question)}, "answer": "{one.gold}"}}' for one in problems)
    )
    copied = (
        "+task@benchmarks.copy=qa",
        f"benchmarks.copy.task.path={other}",
        f"benchmarks.copy.task.test_path={path}",
    )
    own = ("benchmarks.copy.task.question=question", "benchmarks.copy.task.gold=answer")
    small = ("benchmarks.copy.evaluate.max_tokens=4", "evaluate.also=[copy]")
    assert main(tiny_command("rounds=0", *copied, *own, *small)) == 0
    manifest = files.read_json(plain / "round-00/benchmark-copy/manifest.json")
    assert f"{len(problems)} questions of copy are training questions" in manifest["warnings"][0]
    assert main(tiny_command("rounds=1", "prune.decontaminate=exact", *copied, *own, *small)) == 1
    [clean] = [root for root in find(tmp_path / "runs") if root != plain]
    assert files.read_json(clean / "round-01/prune/error-0.json")["kind"] == "EmptyPrune"
