"""Judging is a stage: its verdicts are shared, and made anew when the judge's rules change."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tpt import records
from tpt.cli import main
from tpt.judges import rules
from tpt.launch import local, worker
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.tasks.base import Task

THINK, JUDGE, PRUNE = (Stage(1, name) for name in ("think", "judge", "prune"))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each call of the judge was given; stages are done in this process."""
    calls: list[int] = []
    judge = Task.verdicts

    def counting(self: Task, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        given = list(pairs)
        calls.append(len(given))
        return judge(self, given, partial)

    monkeypatch.setattr(Task, "verdicts", counting)
    monkeypatch.setattr(local, "execute", lambda run, stage, watch: worker.perform(run, stage))
    return calls


def the_run(root: Path) -> Run:
    [folder] = find(root)
    return Run.open(folder)


@pytest.mark.slow
def test_runs_that_differ_only_in_how_they_prune_judge_their_samples_once(
    tiny_command: Callable[..., list[str]], tmp_path: Path, judged: list[int]
) -> None:
    assert main(tiny_command("rounds=1", "prune=none")) == 0
    alone = len(judged)
    assert main(tiny_command("rounds=1", "prune=none", "prune.per_problem=2")) == 0
    shards = len(records.shards(the_evaluation(tmp_path), "verdicts"))
    assert len(judged) == alone + shards, "only the evaluation of the other model is judged"
    for flip in ("0.5", "0.9"):
        assert main(tiny_command("rounds=1", "prune=none", f"prune.flip.rate={flip}")) == 0
    assert len(find(tmp_path / "runs")) == 4
    verdicts = {path.stat().st_ino for path in (tmp_path / "runs").glob("*/round-01/judge/verdicts-00000.parquet")}
    assert len(verdicts) == 1, "the others' are hard links to the first one's"


def the_evaluation(tmp_path: Path) -> Path:
    return next((tmp_path / "runs").glob("*/round-01/evaluate"))


def test_a_run_that_wants_partial_credit_shares_no_verdicts_on_programs_with_one_that_does_not(
    tiny_config: Callable[..., Config],
) -> None:
    def fingerprint(*overrides: str) -> str:
        return Run.of(tiny_config(*overrides)).fingerprint(JUDGE)

    programs = ("task=code_puzzles",)
    assert fingerprint(*programs, "prune=soft_positive") != fingerprint(*programs, "prune=ground_truth")
    assert fingerprint("prune=soft_positive") == fingerprint("prune=ground_truth"), "answers have no tests"


@pytest.mark.slow
def test_raised_rules_judge_anew_what_was_sampled_and_redo_what_comes_out_otherwise(
    tiny_command: Callable[..., list[str]], tmp_path: Path, judged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tiny_command("rounds=1", "prune=none")
    assert main(command) == 0
    run = the_run(tmp_path / "runs")
    before = {stage: run.manifest_path(stage).stat().st_mtime_ns for stage in run.stages()}
    samples = {path: path.stat().st_mtime_ns for path in run.root.rglob("samples-*.parquet")}
    verdicts = {path: path.stat().st_mtime_ns for path in run.root.rglob("verdicts-*.parquet")}
    judged.clear()

    monkeypatch.setattr(rules, "ANSWERS", rules.ANSWERS + 1)
    later = the_run(tmp_path / "runs")
    assert later.version(JUDGE) == 2
    judges = {Stage(0, "evaluate"), JUDGE, Stage(1, "evaluate")}
    assert {stage for stage in later.stages() if not later.done(stage)} == {*judges, PRUNE, Stage(1, "train")}
    assert main(command) == 0
    again = the_run(tmp_path / "runs")
    assert not again.owed()
    assert len(judged) == len(verdicts), "each shard is judged once more"
    assert {path: path.stat().st_mtime_ns for path in samples} == samples, "nothing is sampled again"
    assert all(path.stat().st_mtime_ns > when for path, when in verdicts.items())
    redone = {stage for stage, when in before.items() if again.manifest_path(stage).stat().st_mtime_ns != when}
    assert redone == judges, "the verdicts came out as before"


@pytest.mark.slow
def test_raised_rules_that_keep_other_examples_prune_and_train_anew(
    tiny_command: Callable[..., list[str]], tmp_path: Path, judged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A judge that errs calls half of the wrong samples right, so that there is something to train on.
    command = tiny_command("rounds=1", "prune=ground_truth", "prune.keep_cut_off=true", "prune.flip.rate=0.5")
    assert main(command) == 0
    run = the_run(tmp_path / "runs")
    judge = Task.verdicts

    def other(self: Task, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        for verdict in judge(self, pairs, partial):
            right = dict.fromkeys(("status", "strict", "lenient"), Status.CORRECT)
            yield dataclasses.replace(verdict, **right) if verdict.index else verdict  # type: ignore[arg-type]

    monkeypatch.setattr(Task, "verdicts", other)
    monkeypatch.setattr(rules, "ANSWERS", rules.ANSWERS + 1)
    made = {stage: run.made(stage) for stage in run.stages()}
    assert main(command) == 0
    again = the_run(tmp_path / "runs")
    changed = {stage.name for stage in made if again.made(stage) != made[stage]}
    assert {"judge", "prune", "train"} <= changed
    assert again.made(THINK) == made[THINK]


def test_the_stage_that_judges_a_sample_is_the_one_that_says_so() -> None:
    assert table.judged_in(THINK) == JUDGE
    assert table.judged_in(Stage(0, "evaluate")) == Stage(0, "evaluate")
    assert table.judged_in(Stage(2, "evaluate", "train")) == Stage(2, "evaluate", "train")
