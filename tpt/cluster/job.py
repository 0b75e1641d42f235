"""A job that does a stage, or one worker's share of it: what submitit pickles, calls, and puts in its place.

submitit pickles a `StageJob` when it is submitted, calls it in the job, and owns the requeue.
"""

import logging
import os
import shlex
import time
from pathlib import Path
from typing import Any

import submitit

from tpt import environment, logs
from tpt.caches import library_caches
from tpt.cluster import needless, snapshot
from tpt.cluster.attempts import Attempts
from tpt.cluster.ends import JOB_LOGGER
from tpt.cluster.graph import Job
from tpt.cluster.recording import record_finished
from tpt.cluster.signals import Signals
from tpt.cluster.stalls import Stalls, progress_mark
from tpt.errors import TptError
from tpt.launch.failures import record_failure
from tpt.launch.process import StageFailed
from tpt.runs import rounds
from tpt.runs.folder import Run

logger = logging.getLogger(JOB_LOGGER)

STARTED = "TPT_JOB_STARTED"  # the variable in which a job's script records when it began


class StageJob:
    """One worker's share of one stage, as a job.

    Args:
        root: the run folder.
        job: what to do of which stage.
        worker: which of the job's workers this is.
        ranks: processes that do this stage together, each in a task of the same job.
        records: whether to record finished stages at the end; nobody else does so for a job on SLURM.
        code: `snapshot.digest` of the code that was submitted; "": not checked.
        minutes: the job's time limit.
        grace: seconds from the request to stop until the stage is killed.
    """

    def __init__(
        self,
        root: Path,
        job: Job,
        worker: int = 0,
        ranks: int = 1,
        records: bool = False,
        code: str = "",
        minutes: int = 60,
        grace: float = 60.0,
    ) -> None:
        if job.stage is None:
            raise ValueError(f"the job {job.name} has no stage")
        self.root, self.job, self.stage = root, job, job.stage
        self.worker, self.ranks, self.records, self.code, self.grace = worker, ranks, records, code, grace
        self.stalls = Stalls(minutes, grace)
        self.started = 0.0

    def __call__(self) -> None:
        """Do the stage, in as many attempts as it takes.

        Raises:
            StageFailed, TptError: it cannot be done.
        """
        logs.log_to_stderr()
        os.environ.update({**library_caches(), **environment.variables()})
        # The user's own setup lines and the start of Python are part of an attempt.
        self.started = time.monotonic() - max(0.0, time.time() - float(os.environ.get(STARTED) or time.time()))
        rank = submitit.JobEnvironment().global_rank if self.ranks > 1 else 0
        run = Run.open(self.root)
        with Signals() as signals:
            logger.info("%s begins", self.stage)  # `ends.BEGUN`
            if not self._do(run, rank, signals):
                return
        if self.records and rank == 0:
            now = Run.open(self.root)  # further rounds may have been requested meanwhile
            record_finished(now)
            if self.job.finishing:
                needless.cancel(now)

    def _do(self, run: Run, rank: int, signals: Signals) -> bool:
        """Do the stage if it is needed.

        Returns:
            whether it was.
        """
        try:
            if self.code:
                snapshot.verify(self.code)
            if not needless.is_needed(run, self.stage):
                logger.info("%s has nothing to do: %s", self.stage, rounds.in_words(run))
                return False
            Attempts(run, self.job, self.worker, rank, self.ranks, self.grace).until_done(signals)
        except TptError as error:
            index = rank or self.worker
            if not isinstance(error, StageFailed) or not run.error_path(self.stage, index).exists():
                record_failure(run, self.stage, index, error)
            raise
        return True

    def checkpoint(self, *_: Any) -> "submitit.helpers.DelayedSubmission | None":
        """What submitit puts in the place of this job when it is requeued.

        Returns:
            this job again, or None if it has met its time limit several times without any progress.
        """
        run = Run.open(self.root)
        if not self.stalls.count(progress_mark(run, self.stage), time.monotonic() - self.started):
            return submitit.helpers.DelayedSubmission(self)
        error = StageFailed(
            f"{self.stage} made no progress in {self.stalls.attempts} attempts of {self.stalls.minutes} minutes",
            "starting it may take longer than that on a slow node; give it more time: "
            f"tpt resubmit {shlex.quote(str(self.root))} cluster.{self.job.kind}.minutes=...",
        )
        record_failure(run, self.stage, self.worker, error)
        return None
