"""Where `rounds=auto` stops, jobs of later rounds do no work, unless another run waits for them."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import finish_evaluation, finish_round

from tpt.cluster import ledger, needless
from tpt.cluster.commands import _with
from tpt.cluster.graph import jobs_of
from tpt.cluster.job import StageJob
from tpt.cluster.ledger import Submitted
from tpt.cluster.planning import Plan
from tpt.cluster.report_job import ReportJob
from tpt.cluster.slurm import State
from tpt.launch import process
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.runs.table import choosing
from tpt.settings.config import Config

Make = Callable[..., Config]
DEV = "task.dev_size=6"  # what rounds=auto sets aside here: as many problems as are tested
AUTO = ("cluster=slurm", "rounds=auto", "stop.most=3", "stop.patience=1", "tracker=none")
THINK, TRAIN, EVALUATE = Stage(2, "think"), Stage(2, "train"), Stage(2, "evaluate")


@pytest.fixture
def run(tiny_config: Make) -> Run:
    """A run of which all that there can be was submitted, and which stopped after its first round."""
    run = Run.create(tiny_config(*AUTO))
    submit(run)
    finish_round(run, 0, 20)
    finish_round(run, 1, 20)
    assert run.rounds == 1
    return run


def submit(run: Run) -> None:
    """Note every job of a plan in the ledgers as a submission would; a job's id is its name and its run's."""
    for planned in Plan([run], {}).jobs:
        needs = [one if isinstance(one, str) else f"{one.job.name}@{one.run.name}" for one in planned.after]
        ledger.add(run, Submitted(planned.job.name, f"{planned.job.name}@{run.name}", planned.job.workers, needs))
        if planned.job.stage:
            run.publish(planned.job.stage)


def test_a_job_of_a_round_that_is_not_needed_says_so_and_does_nothing(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        StageJob(run.root, jobs_of(run, THINK)[0])()
    assert "round-02/think has nothing to do: rounds=auto stopped after round 1" in caplog.text
    assert process.attempts(run, THINK) == 0
    assert not run.folder(THINK).exists()


def test_a_round_may_have_begun_before_it_is_known_that_it_is_not_needed(tiny_config: Make) -> None:
    run = Run.create(tiny_config(*AUTO))
    finish_round(run, 0, 20)
    assert needless.is_needed(run, THINK)  # the first round is not evaluated yet
    finish_round(run, 1, 20)
    assert not needless.is_needed(run, TRAIN)


def test_a_stage_that_another_run_waits_for_is_done_for_that_run(run: Run, tiny_config: Make) -> None:
    other = Run.create(tiny_config("cluster=slurm", "evaluate.temperature=0.9", "rounds=2", DEV))
    assert not needless.is_needed(run, TRAIN)
    for job in jobs_of(other, EVALUATE):
        ledger.add(other, Submitted(job.name, "99", 1, [f"round-02-train@{run.name}"]))
    assert needless.is_needed(run, TRAIN)
    assert not needless.is_needed(run, EVALUATE)  # which differs
    other.finish(TRAIN, {}, 1.0)
    assert not needless.is_needed(run, TRAIN)


def test_another_run_that_has_stopped_too_waits_for_nothing(run: Run, tiny_config: Make) -> None:
    other = Run.create(tiny_config(*AUTO, "evaluate.temperature=0.9"))
    ledger.add(other, Submitted("round-02-evaluate", "99", 1, [f"round-02-train@{run.name}"]))
    assert needless.is_needed(run, TRAIN)
    for round in (0, 1):
        finish_evaluation(other, round, 20, which="dev")
    assert not needless.is_needed(run, TRAIN)


def test_what_another_run_evaluated_counts(tiny_config: Make) -> None:
    other = Run.create(tiny_config("cluster=slurm", "prune=ground_truth", DEV))
    run = Run.create(tiny_config(*AUTO))
    finish_round(run, 1, 20)
    assert needless.is_needed(run, THINK)
    finish_evaluation(other, 0, 20, which="dev")
    other.publish(choosing(0))
    assert not needless.is_needed(run, THINK)
    assert run.done(choosing(0))


def test_a_job_works_again_when_more_rounds_are_asked_for_by_number(run: Run, tiny_config: Make) -> None:
    Run.create(tiny_config("cluster=slurm", "rounds=2", DEV))
    now = Run.open(run.root)
    assert needless.is_needed(now, TRAIN)
    assert not needless.is_needed(now, Stage(3, "think"))


def test_resubmit_takes_a_number_of_rounds_for_one_and_auto_for_auto(run: Run) -> None:
    longer = _with(run, ["rounds=2"])
    assert (longer.rounds, longer.stop.auto) == (2, False)
    assert Run.create(longer).rounds == 2
    assert Run.open(run.root).rounds == 2
    further = _with(run, ["rounds=auto", "stop.most=5", "stop.patience=2"])
    assert (further.rounds, further.stop.auto, Run.create(further).rounds) == (5, True, 5)


def test_a_run_that_stopped_is_given_no_job_and_one_that_goes_on_by_number_the_rest(
    run: Run, tiny_config: Make
) -> None:
    assert [planned.job.name for planned in Plan([Run.open(run.root)], {}).jobs] == []
    longer = Run.create(tiny_config("cluster=slurm", "rounds=2", DEV))
    names = {planned.job.name for planned in Plan([longer], {}).jobs}
    stages = ("think", "judge", "prune", "train", "evaluate", "score", "evaluate-dev", "score-dev")
    assert names == {f"round-02-{name}" for name in stages} | {"report"}


def test_all_rounds_are_submitted_and_the_report_does_not_depend_on_how_they_end(tiny_config: Make) -> None:
    run = Run.create(tiny_config(*AUTO))
    *_, last = Plan([run], {}).jobs
    assert last.job.name == "report"
    assert not last.after
    assert len(last.after_any) == 3 + 6 * 3
    fixed = Run.create(tiny_config("cluster=slurm", "rounds=3", "seed=1"))
    assert not Plan([fixed], {}).jobs[-1].after_any


def test_without_an_answer_from_slurm_the_jobs_are_left_to_end_by_themselves(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    needless.cancel(run)
    assert "jobs that are no longer needed will end as soon as they start" in caplog.text


def test_the_report_job_takes_the_run_as_it_ended(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    ReportJob([run.root], run.report_dir)()
    assert "rounds=auto stopped after round 1" in (run.report_dir / "table.md").read_text()
    assert run.stopped_path.exists()
    assert "has not been done" not in caplog.text


def test_a_run_that_is_at_work_still_keeps_its_jobs(tiny_config: Make) -> None:
    run = Run.create(tiny_config(*AUTO))
    submit(run)
    finish_round(run, 0, 20)
    states = {one: State("PENDING") for entry in ledger.latest(run).values() for one in entry.task_ids()}
    assert not Plan([run], states).jobs
