"""What a job does with its stage's process: how often it tries, what it changes, when it gives up."""

import os
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from augment.spec import AUGMENT

from tpt.cli import main
from tpt.cluster import snapshot
from tpt.cluster.attempts import fewer_sequences, out_of_memory
from tpt.cluster.graph import jobs_of
from tpt.cluster.job import STARTED, StageJob
from tpt.cluster.stalls import STALLS
from tpt.errors import RunError
from tpt.launch import process
from tpt.launch.process import StageFailed
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.sampler import SamplerConfig

Make = Callable[..., Config]
PREPARE, EVALUATE, JUDGE, PRUNE = (Stage(0, "prepare"), Stage(0, "evaluate"), Stage(1, "judge"), Stage(1, "prune"))


@pytest.fixture
def run(tiny_config: Make) -> Run:
    return Run.create(
        tiny_config("cluster=slurm", "cluster.retries=1", "rounds=1", "prune=ground_truth", "sampler.data_parallel=1")
    )


def job_of(run: Run, stage: Stage, **settings: Any) -> StageJob:
    """The first job of a stage."""
    return StageJob(run.root, jobs_of(run, stage)[0], **settings)


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
def test_a_failure_by_chance_is_tried_again_and_one_in_the_users_words_is_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_of(run, PREPARE)()
    assert run.done(PREPARE)
    think = Stage(1, "think")
    # As a library's crash ends a process.
    dies = "import os, sys\nif 'tpt.launch.worker' in sys.orig_argv:\n    os._exit(3)\n"
    (tmp_path / "sitecustomize.py").write_text(dies)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        with pytest.raises(StageFailed, match="exited with 3"):
            job_of(run, think)()
    assert process.attempts(run, think) == 2
    obstacle = run.folder(think) / "samples-00001.parquet"
    (obstacle / "in the way").mkdir(parents=True)
    with pytest.raises(StageFailed, match="is a folder, and a file is to be written there"):
        job_of(run, think)()
    assert process.attempts(run, think) == 3
    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    job_of(run, think)()
    job_of(run, JUDGE)()
    with pytest.raises(StageFailed, match="kept none of") as caught:  # random weights solve nothing
        job_of(run, PRUNE)()
    assert caught.value.kind == "EmptyPrune"
    assert process.attempts(run, PRUNE) == 1
    assert run.log_path(PRUNE).resolve().name == "attempt-001.log"


def test_a_stage_that_gets_nowhere_within_its_time_limit_is_not_requeued_for_ever(run: Run) -> None:
    job = job_of(run, EVALUATE, minutes=10)
    for _ in range(STALLS):
        job.started = time.monotonic() - 600
        assert job.checkpoint() is not None
    job.started = time.monotonic() - 600
    assert job.checkpoint() is None
    assert "made no progress in 3 attempts of 10 minutes" in run.errors(EVALUATE)[0]


def test_a_limit_so_short_that_its_warning_comes_at_once_does_not_requeue_for_ever_either(run: Run) -> None:
    job = job_of(run, EVALUATE, minutes=2, grace=60)  # warned up to 3 minutes before the end
    attempts = 1  # the first has nothing before it to compare with
    job.started = time.monotonic() - 5
    while job.checkpoint() is not None:
        attempts += 1
        assert attempts < 20
    assert attempts > STALLS  # a few warnings that come at once prove little
    assert "made no progress in" in run.errors(EVALUATE)[0]


def test_what_a_script_does_before_python_starts_counts_as_part_of_an_attempt(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STARTED, str(int(time.time()) - 500))
    job = job_of(run, PREPARE, code="of other code, so that it ends at once")
    with pytest.raises(RunError):
        job()
    assert time.monotonic() - job.started >= 499


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        (EVALUATE, "samples-{:05d}.parquet"),
        (EVALUATE, "verdicts-{:05d}.parquet"),
        (JUDGE, "verdicts-{:05d}.parquet"),
        (Stage(1, "train"), "checkpoints/step={}.ckpt"),
        (Stage(1, "augment"), "marked-{:05d}.parquet"),
    ],
)
def test_preemptions_and_progress_are_no_standstill(
    run: Run, stage: Stage, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table.SPECS, AUGMENT.name, AUGMENT)  # a stage of another package
    job = job_of(run, stage, minutes=10)
    for number in range(3 * STALLS):
        job.started = time.monotonic() - (600 if number % 2 else 20)  # every other one a preemption
        if number % 2:
            made = run.folder(stage) / file.format(number)
            made.parent.mkdir(parents=True, exist_ok=True)
            made.touch()
        assert job.checkpoint() is not None
    for _ in range(STALLS):
        assert not run.errors(stage)
        job.started = time.monotonic() - 600
        again = job.checkpoint()
    assert again is None, "no new file is no progress"


def test_each_attempt_after_a_lack_of_memory_has_half_as_many_sequences() -> None:
    settings = SamplerConfig()
    assert fewer_sequences(settings, None) == 128
    assert fewer_sequences(settings, 128) == 64
    settings.max_num_seqs = 10
    assert fewer_sequences(settings, None) == 5
    assert fewer_sequences(settings, 1) == 1
    assert out_of_memory(StageFailed("CUDA out of memory", kind="EngineError", known=True))
    assert not out_of_memory(StageFailed("no such architecture", kind="ModelError", known=True))


def test_a_snapshot_is_the_package_and_a_changed_one_is_noticed_and_replaced(run: Run) -> None:
    folder = snapshot.take(run)
    assert snapshot.digest(folder / "tpt") == snapshot.digest()
    assert (folder / "conf" / "config.yaml").exists() or (folder / "tpt" / "conf" / "config.yaml").exists()
    changed = folder / "tpt" / "launch" / "loop.py"
    changed.write_text(changed.read_text() + "\n")
    assert snapshot.digest(folder / "tpt") != snapshot.digest()
    with pytest.raises(RunError, match="was submitted"):
        snapshot.verify(snapshot.digest(folder / "tpt"))
    assert snapshot.digest(snapshot.take(run) / "tpt") == snapshot.digest()


def test_every_attempt_has_a_log_and_the_link_shows_the_latest(run: Run) -> None:
    for number in (1, 2):
        process.new_log(run, EVALUATE, 3).write_text(f"attempt {number}")
    assert run.log_path(EVALUATE, 3).read_text() == "attempt 2"
    assert process.attempts(run, EVALUATE, 3) == 2
    assert process.attempts(run, EVALUATE, 0) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
def test_submitits_executor_for_one_machine_carries_out_the_same_jobs(
    tiny_command: Callable[..., list[str]],
    tiny_config: Make,
) -> None:
    arguments = ["rounds=1", "cluster=submitit_local", "sampler.data_parallel=2"]
    assert main(tiny_command(*arguments)) == 0
    run = Run.of(tiny_config(*arguments))
    assert not run.owed()
    assert list((run.root / "slurm").glob("*/*_submitted.pkl"))


GUIDE = Path(__file__).parents[2] / "docs" / "cluster.md"
COMMANDS = re.findall(
    r"tpt (run (?:[^`\n#\\]|\\\n)*cluster=slurm(?:[^`\n#\\]|\\\n)*)", GUIDE.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_guides_commands_for_a_cluster_compose_and_plan(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without SLURM, as on a laptop
    arguments = shlex.split(command.replace("\\\n", " "))
    assert main([*arguments, "--dry-run", f"run_root={tmp_path}"]) == 0
    assert "nothing was submitted" in capsys.readouterr().out


def test_the_guide_shows_a_first_run_a_sweep_and_the_70b_recipe() -> None:
    assert len(COMMANDS) >= 4
    assert any("-m " in command for command in COMMANDS)
    assert any("llama3.3-70b" in command for command in COMMANDS)
