"""What `tpt status` says of jobs that ended without a word of their stage, and where there is no SLURM to ask."""

from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import finish_round

from tpt.cli import main
from tpt.cluster import ledger, status
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import State
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

CHAIN = {"round-00-prepare": "1", "round-00-evaluate": "2", "round-00-score": "3", "report": "4"}
FATAL = "srun: fatal: SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive."
TIME_LIMIT = "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 2026-11-28T00:06:41 DUE TO TIME LIMIT ***"
CANCELLED = State("CANCELLED", "Dependency")


@pytest.fixture
def run(tiny_config: Callable[..., Config]) -> Run:
    """A run of which everything was submitted: prepare, an array of two, what finishes it, the report."""
    made = Run.create(tiny_config("cluster=slurm", "rounds=0", "sampler.data_parallel=2"))
    for job, id in CHAIN.items():
        needs = [str(int(id) - 1)] if id > "1" else []
        ledger.add(made, Submitted(job, id, 2 if id == "2" else 1, needs, minutes=7))
    return made


def words(run: Run, **states: str) -> dict[str, str]:
    """The last column of the table, by SLURM's word on each job; those not named were cancelled."""
    found = dict.fromkeys(("1", "2_0", "2_1", "3", "4"), CANCELLED) | told(states)
    return {row.job: row.word for row in status.rows(run, found)}


def told(states: dict[str, str]) -> dict[str, State]:
    return {one.removeprefix("job_"): State(word) for one, word in states.items()}


def log(run: Run, name: str, *lines: str, submission: str = "20261128-000526") -> Path:
    path = run.root / "slurm" / submission / f"{name}_log.out"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([FATAL], FATAL),
        (["bash: module: command not found", "srun: error: n1: task 0: Exited with exit code 1"], "bash: module"),
        (
            [
                "submitit INFO (2026-11-28 00:05:26,1) - Starting with JobEnvironment(job_id=1)",
                "submitit ERROR (2026-11-28 00:05:27,1) - Submitted job triggered an exception",
                "Traceback (most recent call last):",
                "ModuleNotFoundError: No module named 'omegaconf'",
                "srun: error: n1: tasks 0-3: Exited with exit code 1",
                "srun: Terminating StepId=1.0",
                "",
            ],
            "ModuleNotFoundError: No module named 'omegaconf'",
        ),
    ],
)
def test_a_job_that_failed_without_a_word_of_its_stage_shows_what_it_printed_and_where(
    run: Run, lines: list[str], word: str
) -> None:
    log(run, "1_0", "of an earlier cluster, which counted from 1 too", submission="20251128-000526")
    log(run, "1_7_0", "of a task of an array")
    path = log(run, "1_0", *lines)
    said = words(run, job_1="FAILED")["round-00-prepare"]
    assert said.startswith(word)
    assert said.endswith(f"({path})")


def test_a_job_that_slurm_has_forgotten_shows_what_it_printed_unless_it_ended_well(run: Run) -> None:
    path = log(run, "1_0", "OSError: no such device", "srun: error: n1: task 0: Exited with exit code 1")
    log(run, "2_0_0", "2026-11-28 00:05:31,7 submitit INFO Exiting after successful completion")
    said = words(run, job_1="GONE", job_2_0="GONE", job_2_1="COMPLETED")
    assert said["round-00-prepare"] == f"OSError: no such device ({path})"
    assert said["round-00-evaluate"] == ""


def test_of_several_ranks_the_one_that_says_why_is_shown(run: Run) -> None:
    log(run, "1_0", "srun: error: n2: task 2: Exited with exit code 1")
    path = log(run, "1_2", "OSError: no such device")
    assert words(run, job_1="FAILED")["round-00-prepare"] == f"OSError: no such device ({path})"


def test_a_job_without_a_log_is_said_to_have_left_none(run: Run) -> None:
    assert "left no log; can its node write to" in words(run, job_1="FAILED")["round-00-prepare"]


def test_a_task_of_an_array_shows_its_own_log(run: Run) -> None:
    path = log(run, "2_1_0", FATAL)
    said = words(run, job_1="COMPLETED", job_2_0="COMPLETED", job_2_1="FAILED")
    assert said["round-00-evaluate"] == f"{FATAL} ({path})"


def test_jobs_that_were_cancelled_for_another_name_the_first_that_ended_badly(run: Run) -> None:
    log(run, "1_0", FATAL)
    for how, word in (("FAILED", "failed"), ("TIMEOUT", "ran out of time"), ("CANCELLED", "was cancelled")):
        said = words(run, job_1=how)
        for job in ("round-00-evaluate", "round-00-score", "report"):
            assert said[job] == f"waited for round-00-prepare, which {word}"
    assert words(run)["round-00-prepare"] == ""  # the user's own doing


def test_in_the_list_of_runs_the_job_that_stopped_a_chain_is_named(run: Run) -> None:
    def said(**states: str) -> str:
        return status.summary(run, dict.fromkeys(("1", "2_0", "2_1", "3", "4"), CANCELLED) | told(states))

    assert said(job_1="FAILED") == "round-00-prepare failed"
    assert said() == "round-00-prepare cancelled"
    assert said(job_1="RUNNING") == "1 running, 4 cancelled"
    run.finish(Stage(0, "prepare"), {"train": 1, "test": 1}, 1.0)
    assert said(job_1="FAILED", job_2_1="TIMEOUT") == "round-00-evaluate timeout"  # it was done otherwise


def test_a_time_limit_that_ended_before_the_job_had_started_is_told_from_one_that_ended_its_work(run: Run) -> None:
    short = "it reached its time limit of 7 min before it had started: tpt resubmit RUN cluster.cpu.minutes=..."
    begun = "2026-11-28 00:05:31,7 tpt.cluster.job INFO round-00/prepare begins"
    log(run, "1_0", "submitit INFO (2026-11-28 00:05:26,1) - Starting with JobEnvironment(job_id=1)", TIME_LIMIT)
    assert words(run, job_1="TIMEOUT")["round-00-prepare"] == short
    log(run, "1_0", begun, TIME_LIMIT)
    assert "it did not stop in time" in words(run, job_1="TIMEOUT")["round-00-prepare"]
    log(run, "1_0", begun, "submitit INFO - Exiting gracefully after preemption/timeout.", TIME_LIMIT)
    assert words(run, job_1="TIMEOUT")["round-00-prepare"] == short


@pytest.fixture
def without_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")


@pytest.mark.usefixtures("without_slurm")
def test_a_finished_run_is_shown_without_slurm(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    finish_round(run, 0, 20)
    assert main(["report", str(run.root)]) == 0
    for command in ("status", "attach"):
        capsys.readouterr()
        assert main([command, str(run.root)]) == 0
        said = "".join(capsys.readouterr())
        assert said.count("│ done") == len(CHAIN)
        assert "unknown" not in said
        assert "not known" not in said


@pytest.mark.usefixtures("without_slurm")
def test_an_unfinished_run_is_shown_as_far_as_its_folder_tells_and_cannot_be_followed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(run.root)]) == 0
    said = "".join(capsys.readouterr())
    assert said.count("unknown") == len(CHAIN)
    assert "the states of the jobs are not known: there is no SLURM here: squeue is not installed" in said
    assert "owed: 2 of 2 stages" in said
    assert main(["status", str(run.root.parent)]) == 0
    assert main(["attach", str(run.root)]) == 1
    assert "there is no SLURM here" in "".join(capsys.readouterr())


def test_what_a_stage_said_comes_before_what_its_job_printed(run: Run) -> None:
    from tpt.errors import DataError
    from tpt.launch.failures import record_failure

    log(run, "1_0", FATAL)
    record_failure(run, Stage(0, "prepare"), 0, DataError("no such file", ""))
    assert words(run, job_1="FAILED")["round-00-prepare"] == "no such file"
