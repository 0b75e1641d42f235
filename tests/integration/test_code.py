"""The whole path of code: sampled, run in sandboxes, pruned by tests, trained on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandboxed import sandboxed

from tpt import records
from tpt.artefacts import Judged, Marks, Pruned, Trained
from tpt.cli import main
from tpt.judges.code.program import extract, fenced
from tpt.progress import Progress
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.stages.prepare import prepare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox"),
]

PREPARE, THINK, JUDGE, PRUNE = (Stage(0, "prepare"), *(Stage(1, name) for name in ("think", "judge", "prune")))
SMALL = (
    "task=code_puzzles",
    "prune=soft_positive",
    "task.train_size=32",
    "task.test_size=8",
    "task.max_steps=1",
    "evaluate.samples_per_problem=2",
    "evaluate.ks=[1,2]",
    "prune.warn_below=1",
    "train.batch_size=4",
    "rounds=1",
)


def test_the_real_small_model_learns_from_programs_that_pass_some_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, f"run_root={tmp_path}"]) == 0
    [root] = find(tmp_path)
    run = Run.open(root)
    assert not run.owed()

    kept = run.results(PRUNE, Pruned)["by_threshold"]
    assert kept["one"] > kept["1.0"] > 0, "soft-positive keeps strictly more than ground truth"
    assert kept["one"] >= kept["0.5"] >= kept["all_but_one"] >= kept["1.0"]
    said = " ".join(capsys.readouterr().out.split())
    assert "samples that each threshold of soft-positive pruning keeps" in said

    verdicts = {
        (one.problem_id, one.index): one for one in records.read(records.shards(run.folder(JUDGE), "verdicts"), Verdict)
    }
    samples = list(records.read(records.shards(run.folder(THINK), "samples"), Sample))
    assert len(samples) == len(verdicts) == 32 * 4
    for sample in samples:
        verdict = verdicts[sample.problem_id, sample.index]
        assert (extract(sample.text, "python") is None) == (verdict.status is Status.NO_ANSWER)
        assert (verdict.status is Status.CORRECT) == (verdict.passed == verdict.total == 8 and verdict.rule == "fence")
        assert bool(verdict.kind) == (verdict.passed < verdict.total)
    passed = {(sample.problem_id, sample.text): verdicts[sample.problem_id, sample.index].passed for sample in samples}
    examples = list(records.read(run.folder(PRUNE) / "examples.parquet", Example))
    assert len(examples) == len({one.problem_id for one in examples}) > 0
    assert all(passed[one.problem_id, one.text] > 0 for one in examples)

    for stage in (PREPARE, JUDGE, PRUNE, Stage(0, "evaluate"), Stage(1, "evaluate")):
        assert run.results(stage, Marks)["sandbox"] == "bwrap"
    assert run.results(Stage(1, "train"), Trained)["final_loss"] > 0


@pytest.fixture
def thought(tiny_config: Callable[..., Config]) -> Run:
    """A run of code puzzles whose samples are there, none of them judged: each takes a tenth of a second a test."""
    sizes = ["task=code_puzzles", "prune=soft_positive", "task.train_size=12", "task.test_size=2", "task.references=0"]
    run = Run.create(tiny_config(*sizes, "rounds=1", "prune.keep_cut_off=false"))
    run.finish(PREPARE, prepare(run, PREPARE, Progress()), 0.0)
    problems = list(records.read(run.problems_path("train"), Problem))
    for number in range(4):
        samples = []
        for problem in problems[3 * number : 3 * number + 3]:
            found = extract(problem.solution, "python")
            assert found
            slow = fenced(f"import time\ntime.sleep(0.1)\n{found.source}", "python")
            samples += [Sample(problem.id, index, [1], [2, 3], text, "stop") for index, text in enumerate((slow, "?"))]
        records.write(records.shard_path(run.folder(THINK), "samples", number), Sample, samples)
    run.finish(THINK, {"samples": 24}, 0.0)
    return run


def command(run: Run) -> list[str]:
    return [sys.executable, "-m", "tpt.launch.worker", str(run.root), str(JUDGE)]


def test_a_judge_killed_in_the_middle_loses_at_most_the_shard_in_hand(thought: Run) -> None:
    folder = thought.folder(JUDGE)
    before = {one.pid for one in sandboxed()}
    judging = subprocess.Popen(command(thought), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(records.shards(folder, "verdicts")) < 2:
        assert judging.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(judging.pid, signal.SIGKILL)
    judging.wait()
    judged = {path: path.stat().st_mtime_ns for path in records.shards(folder, "verdicts")}
    assert 2 <= len(judged) < 4
    assert not thought.done(JUDGE)
    deadline = time.monotonic() + 10
    while left := [one for one in sandboxed() if one.pid not in before]:
        assert time.monotonic() < deadline, f"sandboxes outlive their judge: {left}"
        time.sleep(0.05)

    subprocess.run(command(thought), check=True, capture_output=True)
    assert {path: path.stat().st_mtime_ns for path in judged} == judged, "what was judged is not judged again"
    results = thought.results(JUDGE, Judged)
    assert (results["judged"], results["correct"]) == (24, 12)
