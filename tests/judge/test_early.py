"""Shards are judged while others are sampled, with the verdicts that they would get later."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import records
from tpt.artefacts import SAMPLES as TABLE
from tpt.cli import main
from tpt.progress import Progress
from tpt.records import Problem, Sample, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.stages.early import judge_as_they_come, judging
from tpt.stages.judge import judge
from tpt.stages.sharding import Worker

THINK = Stage(1, "think")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with ten problems in shards of two, and nothing sampled."""
    made = Run.create(compose(["model=tiny-random", "sampler.shard_size=2", f"run_root={tmp_path}"]))
    records.write(
        made.problems_path("train"), Problem, [Problem(f"p{i}", f"{i} + 1 = ?", str(i + 1)) for i in range(10)]
    )
    made.finish(Stage(0, "prepare"), {"model_dir": str(tmp_path)}, 0.0)
    return made


def sample_shard(run: Run, number: int) -> None:
    rows = [
        Sample(f"p{i}", j, [3], [4, 2], f"#### {i + j}", "stop") for i in (2 * number, 2 * number + 1) for j in (0, 1)
    ]
    records.write(records.shard_path(run.folder(THINK), TABLE, number), Sample, rows)


def verdicts(folder: Path) -> dict[str, list[Verdict]]:
    return {path.name: list(records.read(path, Verdict)) for path in records.shards(folder, "verdicts")}


def test_each_shard_is_judged_as_soon_as_it_is_there(run: Run) -> None:
    folder = run.folder(Stage(1, "judge"))
    waits: list[float] = []

    def ended(seconds: float) -> bool:
        if seconds:
            assert len(verdicts(folder)) == len(waits), "what is there is judged before the next is waited for"
            sample_shard(run, len(waits))
            waits.append(seconds)
        return False

    assert judge_as_they_come(run, THINK, Worker(), ended) == 5
    found = verdicts(folder)
    assert len(found) == 5
    assert judge(run, THINK, Progress()) == records.shards(folder, "verdicts")
    assert [one.status.value for one in found["verdicts-00000.parquet"]] == ["wrong", "correct", "wrong", "correct"]


def test_when_sampling_ends_the_rest_is_left_to_the_stage_that_needs_it(run: Run) -> None:
    sample_shard(run, 0)
    assert judge_as_they_come(run, THINK, Worker(), bool) == 1
    for number in range(1, 5):
        sample_shard(run, number)
    assert len(judge(run, THINK, Progress())) == len(verdicts(run.folder(Stage(1, "judge")))) == 5


def test_a_worker_judges_the_shards_that_it_samples(run: Run) -> None:
    for number in range(5):
        sample_shard(run, number)
    assert judge_as_they_come(run, THINK, Worker(1, 2), lambda seconds: False) == 2
    assert list(verdicts(run.folder(Stage(1, "judge")))) == ["verdicts-00001.parquet", "verdicts-00003.parquet"]


@pytest.mark.slow
def test_a_run_that_judges_early_ends_with_the_same_verdicts_and_examples(
    tiny_command: Callable[..., list[str]], tmp_path: Path
) -> None:
    found = []
    for early in ("false", "true"):
        root = tmp_path / early
        command = [
            *tiny_command("rounds=1", "sampler.shard_size=1"),
            f"sampler.judge_early={early}",
            f"run_root={root}",
        ]
        assert main(command) == 0
        made = Run.open(find(root)[0])
        log = made.log_path(THINK).read_text()
        assert ("judged while others were sampled" in log) is (early == "true")
        tables = {
            one: list(records.read(records.shards(made.folder(one), "verdicts"), Verdict)) for one in made.stages()
        }
        found.append((tables, (made.folder(Stage(1, "prune")) / "examples.parquet").read_bytes()))
    assert found[0] == found[1]


def test_a_judge_that_cannot_judge_does_not_end_the_sampling(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run.config.sampler.judge_early = True
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with judging(run, THINK, Worker()):
        sample_shard(run, 0)
    assert "not judged while others were sampled" in caplog.text
    assert len(verdicts(run.folder(Stage(1, "judge")))) == 0
