"""The jobs that stages become, what waits for what, and how many run at once."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.cluster import ledger
from tpt.cluster.graph import graph
from tpt.cluster.ledger import Submitted
from tpt.cluster.planning import Plan, Planned
from tpt.cluster.slurm import State
from tpt.cluster.submit import Lanes
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

Make = Callable[..., Config]
PENDING, RUNNING, FAILED, COMPLETED = (State(word) for word in ("PENDING", "RUNNING", "FAILED", "COMPLETED"))


@pytest.fixture
def make(tiny_config: Make) -> Callable[..., Run]:
    def run(*overrides: str) -> Run:
        return Run.create(tiny_config("cluster=slurm", "sampler.data_parallel=3", *overrides))

    return run


def waits(planned: Planned) -> set[str]:
    return {one if isinstance(one, str) else f"{one.run.config.prune.mode}/{one.job.name}" for one in planned.after}


def test_the_graph_is_algorithm_1_with_evaluations_beside_the_chain(make: Callable[..., Run]) -> None:
    run = make("rounds=1")
    found = {job.name: {need.name for need in needs} for job, needs in graph(run, run.stages())}
    assert found == {
        "round-00-prepare": set(),
        "round-00-evaluate": {"round-00-prepare"},
        "round-00-score": {"round-00-evaluate"},
        "round-01-think": {"round-00-prepare"},
        "round-01-judge": {"round-00-prepare", "round-01-think"},
        "round-01-prune": {"round-00-prepare", "round-01-think", "round-01-judge"},
        "round-01-train": {"round-00-prepare", "round-01-prune"},
        "round-01-evaluate": {"round-00-prepare", "round-01-train"},
        "round-01-score": {"round-01-evaluate"},
        "report": {
            *("round-00-prepare", "round-00-score", "round-01-think"),
            *("round-01-judge", "round-01-prune", "round-01-train", "round-01-score"),
        },
    }


def test_only_sampling_is_an_array(make: Callable[..., Run]) -> None:
    run = make("rounds=2")
    arrays = {job.name for job, _ in graph(run, run.stages()) if job.workers == 3}
    assert arrays == {f"round-{round:02d}-{name}" for round in (1, 2) for name in ("think", "evaluate")} | {
        "round-00-evaluate"
    }


def test_every_job_comes_after_those_it_waits_for(make: Callable[..., Run]) -> None:
    plan = Plan([make("prune=none"), make("prune=ground_truth")], {})
    seen: list[Planned] = []
    for planned in plan.jobs:
        assert all(one in seen for one in planned.after)
        seen.append(planned)


def test_runs_that_share_a_stage_wait_for_one_job(make: Callable[..., Run]) -> None:
    plan = Plan([make("prune=none", "rounds=1"), make("prune=ground_truth", "rounds=1")], {})
    jobs = {f"{one.run.config.prune.mode}/{one.job.name}": one for one in plan.jobs}
    assert "none/round-01-think" in jobs
    assert "ground_truth/round-01-think" not in jobs
    assert "ground_truth/round-01-judge" not in jobs
    assert waits(jobs["ground_truth/round-01-prune"]) == {
        *("none/round-01-think", "none/round-01-judge", "ground_truth/round-00-prepare"),
    }
    assert "none/round-00-score" in waits(jobs["ground_truth/report"])
    assert plan.shared == 3


def test_a_run_with_jobs_at_work_is_given_none_twice(make: Callable[..., Run]) -> None:
    run = make("rounds=1")
    states: dict[str, State] = {}
    for number, (job, _) in enumerate(graph(run, run.stages())):
        entry = Submitted(job.name, str(number), job.workers)
        ledger.add(run, entry)
        states |= dict.fromkeys(entry.task_ids(), PENDING)
    plan = Plan([run], states)
    assert not plan.jobs
    assert len(plan.kept) == 10


def test_what_failed_and_all_that_needed_it_is_submitted_again(make: Callable[..., Run]) -> None:
    run = make("rounds=1")
    for number, (job, _) in enumerate(graph(run, run.stages())):
        ledger.add(run, Submitted(job.name, str(number), job.workers))
    states = {"0": RUNNING, "1_0": PENDING, "1_1": PENDING, "1_2": PENDING, "2": PENDING}
    states |= {"3_0": COMPLETED, "3_1": FAILED, "3_2": RUNNING}  # think; what comes after is gone
    plan = Plan([run], states)
    names = [planned.job.name for planned in plan.jobs]
    assert names == [
        "round-01-think",
        "round-01-judge",
        "round-01-prune",
        "round-01-train",
        "round-01-evaluate",
        "round-01-score",
        "report",
    ]
    think = plan.jobs[0]
    assert waits(think) == {"0"}
    assert think.after_any == ["3"]  # a task of the old array is at work on its shards still
    assert {"0", "2"} <= waits(plan.jobs[-1])


def test_a_stage_whose_shards_are_all_there_needs_no_engine(
    tiny_command: Callable[..., list[str]], make: Callable[..., Run]
) -> None:
    from tpt.cli import main

    assert main(tiny_command("rounds=0")) == 0
    run = make("rounds=0")
    evaluate = Stage(0, "evaluate")
    assert run.done(evaluate)
    run.manifest_path(evaluate).unlink()
    assert [planned.job.name for planned in Plan([run], {}).jobs] == ["round-00-score", "report"]


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 6), st.lists(st.integers(0, 30), max_size=3)), min_size=1, max_size=25),
)
def test_never_more_jobs_than_lanes_run_at_once(count: int, jobs: list[tuple[int, list[int]]]) -> None:
    lanes = Lanes(count, [])
    waits_for: dict[str, set[str]] = {}
    widths: dict[str, int] = {}
    for number, (tasks, needs) in enumerate(jobs):
        name = str(number)
        after = sorted({str(need) for need in needs if need < number})
        room, also = lanes.enter(tasks, after)
        waits_for[name] = {*after, *also}
        widths[name] = min(tasks, count)
        lanes.leave(room, name)
    finished: set[str] = set()
    while len(finished) < len(jobs):
        running = [one for one in waits_for if one not in finished and waits_for[one] <= finished]
        assert running, "the jobs wait for each other"
        assert sum(widths[one] for one in running) <= count
        finished.add(running[-1])
