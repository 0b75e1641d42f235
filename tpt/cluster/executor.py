"""Stages through submitit's executors for a single machine: the same jobs as on SLURM, without SLURM."""

import os
import time
from collections.abc import Callable
from typing import Any

from submitit import DebugExecutor, LocalExecutor

from tpt import environment
from tpt.cluster.backend import Here
from tpt.cluster.graph import jobs_of
from tpt.cluster.job import StageJob
from tpt.cluster.resources import gpus_per_node
from tpt.cluster.submit import REQUEUES, folder_of
from tpt.launch.local import POLL_SECONDS, Watch, progress
from tpt.launch.process import StageFailed
from tpt.launch.worker import settle
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

MINUTES = 30 * 24 * 60  # no time limit is needed: the machine is not shared


class SubmititLocal(Here):
    """Each stage as jobs of submitit's executor for one machine, with logs and requeues of their own."""

    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage and wait for its jobs."""
        execute(run, stage, watch, _local)


class SubmititDebug(Here):
    """Each stage's job inside this process, to step through it with a debugger."""

    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage; `watch` is not called."""
        execute(run, stage, watch, lambda run, _: DebugExecutor(folder_of(run)))


def execute(run: Run, stage: Stage, watch: Watch, executor: Callable[[Run, list[int]], Any]) -> None:
    """Do one stage as jobs of submitit's local or debug executor, and wait for them.

    Args:
        watch: called a few times a second with the progress of each worker; not while a debug job runs.
        executor: submitit's executor for a run and the GPUs of one worker.

    Raises:
        StageFailed: with the stage's own message.
    """
    os.environ.update(environment.variables())  # submitit's jobs inherit our variables
    for job in jobs_of(run, stage):
        gpus = gpus_per_node(run.config, job)
        jobs = [
            executor(run, list(range(worker * gpus, (worker + 1) * gpus))).submit(
                StageJob(run.root.resolve(), job, worker)
            )
            for worker in range(job.workers)
        ]
        try:
            _wait(run, stage, jobs, watch)
        except BaseException:
            for one in jobs:
                one.cancel(check=False)
            raise
    if not run.done(stage):  # a sampling stage without a job that finishes it
        settle(run, stage)


def _local(run: Run, gpus: list[int]) -> LocalExecutor:
    executor = LocalExecutor(folder_of(run), max_num_timeout=REQUEUES)
    executor.update_parameters(timeout_min=MINUTES, gpus_per_node=len(gpus), visible_gpus=gpus)
    return executor


def _wait(run: Run, stage: Stage, jobs: list[Any], watch: Watch) -> None:
    while not all(job.done() for job in jobs):
        watch(progress(run, stage, len(jobs)))
        time.sleep(POLL_SECONDS)
    for worker, job in enumerate(jobs):
        if job.exception() is not None:
            said = run.errors(stage)
            hint = f"the whole log is {run.log_path(stage, worker)}"
            raise StageFailed(said[0] if said else f"{stage} failed", hint)
