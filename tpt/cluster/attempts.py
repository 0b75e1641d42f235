"""The attempts of a job at its stage: each is a process of its own, and some failures are worth another one.

The stage has its own process so that an engine that dies, or hangs in a collective, never keeps the job from being
requeued.
"""

import logging
import shlex
import signal
import time

from tpt import ranks
from tpt.cluster.graph import Job
from tpt.cluster.signals import POLL_SECONDS, Signals
from tpt.interrupt import EXIT_INTERRUPTED
from tpt.launch import process
from tpt.launch.process import Process, StageFailed
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.settings.sampler import SamplerConfig

logger = logging.getLogger("tpt.cluster.attempts")

DEFAULT_SEQUENCES = 256  # assumed to be in flight if the config leaves `sampler.max_num_seqs` to the engine
# Those of our own errors that may pass: an engine died, a file server did not answer. All others would occur again.
WORTH_A_RETRY = ("EngineError", "StorageFailed")


class Attempts:
    """Starts a stage's process, several times if necessary, until it has done its work.

    Args:
        run: whose stage it is.
        job: what the job does of which stage.
        worker: the job's number among the workers of its job array.
        rank: its number among the processes that do the stage together.
        ranks: how many these are.
        grace: seconds from the request to stop until the stage is killed.
    """

    def __init__(self, run: Run, job: Job, worker: int, rank: int, ranks: int, grace: float) -> None:
        assert job.stage is not None
        self.run, self.job, self.stage = run, job, job.stage
        self.worker, self.index, self.ranks, self.grace = worker, rank or worker, ranks, grace
        self.failures = 0
        self.sequences: int | None = None

    def until_done(self, signals: Signals) -> None:
        """Start the process as often as the config allows.

        Raises:
            StageFailed: it has failed for good.
            SystemExit, submitit.core.utils.UncompletedJobError: from submitit: the job was requeued, or given up.
        """
        while True:
            child = self._start()
            try:
                self._watch(child, signals)
            finally:
                process.signal_group(child, signal.SIGKILL)  # and whatever it has started and left behind
                child.popen.wait()
            code = child.popen.returncode
            if code == 0:
                return
            if code == EXIT_INTERRUPTED or -code in (signal.SIGTERM, signal.SIGUSR2):
                logger.info("%s stopped as requested; waiting for the end of this job", self.stage)
                signals.await_requeue()  # and if it does not come, the signal was for the stage alone
            else:
                self._failed(child)

    def _start(self) -> Process:
        together = ranks.together(self.ranks) if self.ranks > 1 else {}
        label = self.index if self.job.label is None else self.job.label
        return process.start(self.run, self.stage, self.index, self._arguments(), together, label)

    def _arguments(self) -> list[str]:
        arguments = []
        if self.job.sampling:
            arguments += ["--worker", f"{self.worker}/{self.job.workers}"]
        if self.job.finishing:
            arguments += ["--finish"]
        if self.sequences:
            arguments += ["--max-num-seqs", str(self.sequences)]
        return arguments

    def _watch(self, child: Process, signals: Signals) -> None:
        """Wait for the stage's process; if the job is about to end, have it stop at a good place, and requeue."""
        while child.popen.poll() is None:
            if signals.requeue or signals.terminate:
                self._stop(child)
                signals.requeue_if_asked()
                return
            time.sleep(POLL_SECONDS)

    def _stop(self, child: Process) -> None:
        logger.info("this job is about to end: telling %s to stop", self.stage)
        process.signal_group(child, signal.SIGUSR2)
        if not process.wait(child, self.grace):
            logger.warning(
                "%s did not stop within %.0f s; it will continue from its last checkpoint", self.stage, self.grace
            )
            process.signal_group(child, signal.SIGKILL)
            child.popen.wait()

    def _failed(self, child: Process) -> None:
        """Prepare another attempt after one that has failed.

        Raises:
            StageFailed: there is to be none.
        """
        error, killed = self._why(child), -child.popen.returncode == signal.SIGKILL
        self.failures += 1
        if self.failures > self.run.config.cluster.retries or not self._is_worth_another(error, killed):
            raise error
        if self.job.sampling and (killed or out_of_memory(error)):
            self.sequences = fewer_sequences(self.run.config.sampler, self.sequences)
        logger.warning(
            "attempt %d of %s failed: %s; trying again%s",
            self.failures,
            self.stage,
            error.message.splitlines()[0],
            f" with sampler.max_num_seqs={self.sequences}" if self.sequences else "",
        )

    def _why(self, child: Process) -> StageFailed:
        error = process.failure(self.run, self.stage, child)
        if -child.popen.returncode == signal.SIGKILL:
            other = ", or a smaller sampler.max_num_seqs=" if self.job.sampling else ""
            if table.of(self.stage).trains:
                other = ", or train.micro_batch=1 train.gradient_checkpointing=true"
            again = f"tpt resubmit {shlex.quote(str(self.run.root))} cluster.{self.job.kind}.memory_gb=...{other}"
            error.hint = f"if it ran out of memory: {again}"
        return error

    def _is_worth_another(self, error: StageFailed, killed: bool) -> bool:
        if self.ranks > 1:  # the other ranks have failed with it; only the whole job can start again
            return False
        if killed:
            return self.job.sampling  # out of memory: fewer sequences may fit, the same training never will
        return not error.known or error.kind in WORTH_A_RETRY


def out_of_memory(error: StageFailed) -> bool:
    """Whether an engine reported that it ran out of memory."""
    return error.kind == "EngineError" and "memory" in f"{error.message} {error.hint}".lower()


def fewer_sequences(settings: SamplerConfig, before: int | None) -> int:
    """`sampler.max_num_seqs` for the attempt after one that ran out of memory: half of it."""
    return max(1, (before or settings.max_num_seqs or DEFAULT_SEQUENCES) // 2)
