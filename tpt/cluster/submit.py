"""Submitting the jobs of a run or a sweep to SLURM: all at once, each waiting for those it needs."""

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from tpt import artefacts
from tpt.cluster import ledger, resources, slurm, snapshot, submitit_parts, wrap
from tpt.cluster.graph import Job, jobs_of, report_job
from tpt.cluster.job import STARTED, StageJob
from tpt.cluster.ledger import Submitted
from tpt.cluster.planning import Plan, Planned
from tpt.cluster.report_job import ReportJob
from tpt.errors import ClusterError
from tpt.runs import shared
from tpt.runs.folder import Run
from tpt.runs.manifests import now

REQUEUES = 1_000_000  # as many as a stage needs; `stalls` gives up one that makes no progress


class Lanes:
    """Limits how many jobs run at once: each waits for the end of the previous job in its lane.

    Args:
        count: the number of lanes; None: no limit.
        running: ids of jobs that are already waiting or running.
    """

    def __init__(self, count: int | None, running: list[str]) -> None:
        self.tails: list[list[str]] = [[] for _ in range(count or 0)]
        for number, one in enumerate(running):
            if self.tails:
                self.tails[number % len(self.tails)].append(one)

    def enter(self, tasks: int, needs: list[str]) -> tuple[list[list[str]], list[str]]:
        """Find room for a job.

        Args:
            tasks: how many run at once.
            needs: ids of the jobs it waits for anyway.

        Returns:
            the lanes it takes, to be handed to `leave`, and the ids whose end it must wait for.
        """
        # A lane costs nothing if the job waits for its last job anyway.
        ordered = sorted(self.tails, key=lambda tail: not set(tail) <= set(needs))
        chosen = ordered[:tasks]
        return chosen, sorted({one for tail in chosen for one in tail} - set(needs))

    def leave(self, chosen: list[list[str]], id: str) -> None:
        """Record that a job is now the last one in its lanes."""
        for tail in chosen:
            tail[:] = [id]
        self.tails.sort(key=lambda tail: tail == [id])  # the next job takes another lane


def name_of(run: Run, job: Job) -> str:
    """A job's name in squeue."""
    return f"{job.name}.{run.name.rsplit('-', 1)[-1]}"


def parameters(planned: Planned, code: Path, dependency: str = "") -> dict[str, Any]:
    """The keyword arguments of submitit's executor for one job.

    Args:
        code: the snapshot of the package.
        dependency: as sbatch takes it; "": none.
    """
    path = shlex.quote(str(code.resolve()))
    # Without PYTHONSAFEPATH, Python would prefer the folder from which the user happened to submit; an empty entry in
    # PYTHONPATH, which a surplus colon leaves, also means that folder.
    exports = [
        f"export {STARTED}=$(date +%s)",
        f'export PYTHONPATH={path}"$(printf %s "${{PYTHONPATH:+:$PYTHONPATH}}" | tr -s :)" PYTHONSAFEPATH=1',
        "export PYTHONPATH=${PYTHONPATH%:}",
    ]
    config = planned.run.config
    found = resources.parameters(config, planned.job, name_of(planned.run, planned.job), exports)
    if dependency:
        found["dependency"] = dependency
    if planned.job.workers > 1:
        found["array_parallelism"] = min(planned.job.workers, config.cluster.max_jobs or planned.job.workers)
    return found


def folder_of(run: Run) -> Path:
    """The folder in which submitit keeps what it needs for the jobs of a submission made now.

    Each submission has its own: a cluster that was set up again numbers its jobs from 1 again.
    """
    return run.slurm_dir.resolve() / time.strftime("%Y%m%d-%H%M%S")


def parameters_of_kind(planned: Planned) -> str:
    """Equal for jobs that differ only in name, dependencies and array: SLURM accepts all of them or none."""
    return json.dumps(parameters(planned, Path()) | {"job_name": "", "array_parallelism": 1}, sort_keys=True)


def script(planned: Planned, dependencies: bool = True) -> str:
    """The sbatch script of a job as a submission would write it, with names in place of the ids of other jobs."""
    words = [f"afterok:<{_label(one)}>" for one in planned.after if dependencies]
    words += [f"afterany:<{_label(one)}>" for one in planned.after_any if dependencies]
    run, workers = planned.run, planned.job.workers
    code = run.slurm_dir / f"code-{snapshot.digest()}"
    folder = run.slurm_dir.resolve() / "TIME"
    python = wrap.python(run.config.cluster, code)
    return submitit_parts.script(folder, python, workers, parameters(planned, code, ",".join(words)))


def work_of(planned: Planned, code: str) -> list[Callable[[], None]]:
    """What each task of a job calls."""
    run, job = planned.run, planned.job
    root = run.root.resolve()
    if job.stage is None:
        return [ReportJob([root], run.report_dir.resolve(), code)]
    nodes, per_node = resources.tasks(run.config, job)
    return [
        StageJob(
            root,
            job,
            worker,
            ranks=nodes * per_node,
            records=not job.sampling,
            code=code,
            minutes=resources.of_job(run.config, job).minutes,
            grace=run.config.cluster.signal_seconds / 2,
        )
        for worker in range(job.workers)
    ]


def submit(runs: list[Run], said: Callable[[Planned, Submitted], None], sweep: Path | None = None) -> Plan:
    """Submit every job that some runs still need.

    Args:
        runs: whose folders exist; the caller holds their locks.
        said: called after each submission.
        sweep: the sweep's folder: one more job reports on all runs together, whether or not they succeeded.

    Raises:
        ClusterError: SLURM rejects a job or does not answer; what was submitted before is recorded and continues.
    """
    for run in runs:
        for stage in run.stages():
            shared.adopt(run, stage)
    plan = Plan(runs, slurm.states(ledger.known_ids(runs)))
    limit = runs[0].config.cluster.max_jobs
    lanes = Lanes(limit, [entry.id for entry in plan.kept])
    ids: dict[Planned, str] = {}
    for planned in plan.jobs:
        entry = _submit(planned, ids, lanes)
        ids[planned] = entry.id
        said(planned, entry)
    if sweep and ids:
        _submit_sweep_report(runs, sweep, [*ids.values(), *(entry.id for entry in plan.kept)])
    return plan


def _submit_sweep_report(runs: list[Run], sweep: Path, after: list[str]) -> None:
    run = runs[0]
    planned = Planned(run, replace(report_job(), name=f"sweep-{sweep.name}"))
    dependency = f"afterany:{':'.join(sorted(set(after)))}"
    executor = _executor(planned, snapshot.take(run), dependency)
    work = ReportJob([one.root.resolve() for one in runs], sweep.resolve(), snapshot.digest())
    id = start(executor, [work])
    ledger.add(run, Submitted(planned.job.name, id, 1, sorted(set(after)), snapshot.digest(), now()))


def _submit(planned: Planned, ids: dict[Planned, str], lanes: Lanes) -> Submitted:
    run, job = planned.run, planned.job
    code = snapshot.take(run)
    digest = snapshot.digest()
    needs = _ids(planned.after, ids)
    any_end = _ids(planned.after_any, ids)
    room, also = lanes.enter(job.workers, needs)
    words = [f"afterok:{':'.join(needs)}"] if needs else []
    words += [f"afterany:{':'.join(ends)}" for ends in [sorted({*any_end, *also})] if ends]
    executor = _executor(planned, code, ",".join(words))
    if job.stage is not None:
        for said in run.folder(job.stage).glob(artefacts.every(artefacts.ERROR)):  # an earlier job's
            said.unlink(missing_ok=True)
    id = start(executor, work_of(planned, digest))
    minutes = resources.of_job(run.config, job).minutes
    entry = Submitted(job.name, id, job.workers, [*needs, *any_end], digest, now(), minutes)
    ledger.add(run, entry)
    if job.stage is not None and job == jobs_of(run, job.stage)[-1]:
        run.publish(job.stage)  # runs with the same settings wait for this job instead of submitting their own
    lanes.leave(room, id)
    return entry


def _executor(planned: Planned, code: Path, dependency: str) -> SlurmExecutor:
    run = planned.run
    python = wrap.python(run.config.cluster, code)
    executor = SlurmExecutor(folder_of(run), max_num_timeout=REQUEUES, python=python)
    executor.update_parameters(**parameters(planned, code, dependency))
    return executor


def start(executor: SlurmExecutor, work: list[Callable[[], None]]) -> str:
    """Submit a job, or a job array, to SLURM.

    Returns:
        its id.
    Raises:
        ClusterError: SLURM rejects it.
    """
    try:
        with slurm.clean_environment():
            if len(work) == 1:
                return str(executor.submit(work[0]).job_id)
            with executor.batch():
                jobs = [executor.submit(one) for one in work]
            return str(jobs[0].job_id).split("_", maxsplit=1)[0]
    except (FailedJobError, FailedSubmissionError) as error:
        raise ClusterError(
            f"sbatch rejected a job: {slurm.reason('sbatch', str(error))}",
            "correct what it names, then give the same command again",
        ) from error


def _ids(needs: "list[Planned | str]", ids: dict[Planned, str]) -> list[str]:
    return sorted({one if isinstance(one, str) else ids[one] for one in needs})


def _label(one: "Planned | str") -> str:
    return one if isinstance(one, str) else name_of(one.run, one.job)
