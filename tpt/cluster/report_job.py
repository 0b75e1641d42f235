"""The job that ends a run or a sweep: its report."""

import logging
import os
from pathlib import Path

import submitit

from tpt import environment, logs, tracking
from tpt.caches import library_caches
from tpt.cluster import needless, snapshot
from tpt.cluster.ends import JOB_LOGGER
from tpt.cluster.recording import record_finished
from tpt.errors import TptError
from tpt.launch.worker import settle
from tpt.runs import table
from tpt.runs.folder import Run

logger = logging.getLogger(JOB_LOGGER)


class ReportJob:
    """Adopts what other runs did for these, and writes tables and figures of all of them together.

    Args:
        roots: the run folders.
        out: where to write.
        code: `snapshot.digest` of the code that was submitted; "": not checked.
    """

    def __init__(self, roots: list[Path], out: Path, code: str = "") -> None:
        self.roots, self.out, self.code = roots, out, code

    def __call__(self) -> None:
        """Write the report of every run that has been evaluated.

        Raises:
            TptError: none has.
        """
        logs.log_to_stderr()
        logger.info("report begins")  # `ends.BEGUN`
        os.environ.update({**library_caches(), **environment.variables()})
        from tpt.report.report import report

        if self.code:
            snapshot.verify(self.code)
        runs = [Run.open(root) for root in self.roots]
        for run in runs:
            _adopt(run)
        evaluated = [run for run in runs if _is_evaluated(run)]
        written = report(evaluated, self.out)
        if len(runs) == 1:  # the runs of a sweep have report jobs of their own, which do so
            run = runs[0]
            with run.hold(), tracking.make(run.config.tracker, run) as tracker:
                tracker.log_report(written)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What submitit puts in the place of this job when it is requeued."""
        return submitit.helpers.DelayedSubmission(self)


def _adopt(run: Run) -> None:
    """Adopt the stages that other runs did for this one, up to the first that has not been done."""
    needless.adopt_evaluations(run)
    for stage in run.stages():
        try:
            settle(run, stage)
        except TptError as error:
            logger.warning("%s: %s", run.name, error.message)
            break
    record_finished(run)


def _is_evaluated(run: Run) -> bool:
    return any(table.of(stage).measures and run.done(stage) for stage in run.stages())
