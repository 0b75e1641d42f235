"""What a job does: it starts its stage's process, handles SLURM's signals, retries, and records the results.

submitit pickles one of these objects at submission and calls it in the job; it owns the requeue. The stage is a process
of its own, so that a dying engine, or one that hangs in a collective, never keeps the job from being requeued.
"""

import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import submitit

from tpt import artefacts, environment, logs, ranks, records, tracking
from tpt.caches import library_caches
from tpt.cluster import needless, snapshot
from tpt.cluster.graph import CPU
from tpt.errors import TptError
from tpt.interrupt import EXIT_INTERRUPTED
from tpt.launch import process
from tpt.launch.failures import record_failure
from tpt.launch.process import Process, StageFailed
from tpt.launch.worker import settle
from tpt.run import books, rounds, table
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.settings.sampler import SamplerConfig

logger = logging.getLogger("tpt.cluster.job")

# SLURM may announce a limit so much early; an attempt at less than half of a very short limit counts for little.
EARLY_SECONDS, EARLY_STALL = 60, 0.25
STARTED = "TPT_JOB_STARTED"  # the variable in which a job's script leaves when it began

POLL_SECONDS = 0.2
RECAP_SECONDS = 120.0  # how long a job whose stage has stopped waits for SLURM to end it
DEFAULT_SEQUENCES = 256  # what an engine is taken to have had in flight where the config leaves it to the engine
STALLS = 3  # time limits in a row without any progress, after which a job is not requeued again
# Errors of ours that may pass: an engine that died, a file server that did not answer. All others would come again.
WORTH_A_RETRY = ("EngineError", "StorageFailed")


class StageJob:
    """One worker's share of one stage, as a job.

    Args:
        root: the run folder.
        stage: what to do.
        worker: which of the stage's workers this is, of how many.
        finishing: finish a stage whose shards have been sampled.
        ranks: processes that do this stage together, each in a task of the same job.
        books: whether to write down in the end what is finished; no one else does it for a job of SLURM.
        code: `snapshot.digest` of the code that was submitted; "": not checked.
        minutes: the job's time limit.
        grace: seconds from the request to stop until the stage is given up.
    """

    def __init__(
        self,
        root: Path,
        stage: Stage,
        worker: tuple[int, int] = (0, 1),
        sampling: bool = False,
        finishing: bool = False,
        ranks: int = 1,
        books: bool = False,
        code: str = "",
        minutes: int = 60,
        grace: float = 60.0,
    ) -> None:
        self.root, self.stage, self.ranks, self.books = root, stage, ranks, books
        self.worker, self.sampling, self.finishing = worker, sampling, finishing
        self.code, self.minutes, self.grace = code, minutes, grace
        self.mark: object = None
        self.stalls = 0.0
        self.futile = 0  # attempts in a row that `stalls` counts
        self.started = 0.0

    def __call__(self) -> None:
        """Do the stage, however many attempts it takes.

        Raises:
            StageFailed, TptError: it cannot be done.
        """
        logs.log_to_stderr()
        os.environ.update({**library_caches(), **environment.variables()})
        # The user's own setup lines and Python's start are part of an attempt.
        self.started = time.monotonic() - max(0.0, time.time() - float(os.environ.get(STARTED) or time.time()))
        rank = submitit.JobEnvironment().global_rank if self.ranks > 1 else 0
        run = Run.open(self.root)
        index = rank or self.worker[0]
        with _Signals() as signals:
            logger.info("%s begins", self.stage)  # `ends.BEGUN`
            try:
                if self.code:
                    snapshot.verify(self.code)
                if not needless.is_needed(run, self.stage):
                    logger.info("%s has nothing to do: %s", self.stage, rounds.in_words(run))
                    return
                self._attempts(run, index, signals)
            except TptError as error:
                if not isinstance(error, StageFailed) or not run.error_path(self.stage, index).exists():
                    record_failure(run, self.stage, index, error)
                raise
        if self.books and rank == 0:
            now = Run.open(self.root)  # other rounds may have been asked for meanwhile
            keep_books(now)
            if self.finishing:
                needless.cancel(now)

    def checkpoint(self, *_: Any) -> "submitit.helpers.DelayedSubmission | None":
        """What submitit puts in the place of this job when it is requeued.

        Returns:
            this job again, or None where it has met its time limit some times without getting anywhere.
        """
        run = Run.open(self.root)
        mark, stall = progress_mark(run, self.stage), self._stall(time.monotonic() - self.started)
        futile = stall > 0 and mark == self.mark
        self.stalls, self.futile = (self.stalls + stall, self.futile + 1) if futile else (0.0, 0)
        self.mark = mark
        if self.stalls >= STALLS:
            error = StageFailed(
                f"{self.stage} made no progress in {self.futile} attempts of {self.minutes} minutes",
                "starting it may take longer than that on a slow node; give it more time: "
                f"tpt resubmit {shlex.quote(str(self.root))} cluster.{self._kind()}.minutes=...",
            )
            record_failure(run, self.stage, self.worker[0], error)
            return None
        return submitit.helpers.DelayedSubmission(self)

    def _stall(self, seconds: float) -> float:
        """How much an attempt counts as one that has met its time limit; 0: it was preempted."""
        if seconds > 30 * self.minutes:
            return 1.0
        return EARLY_STALL if seconds > 60 * self.minutes - 2 * self.grace - EARLY_SECONDS else 0.0

    def _kind(self) -> str:
        return CPU if self.finishing else table.of(self.stage).resources

    def _attempts(self, run: Run, index: int, signals: "_Signals") -> None:
        """Start the stage's process until it has done its work, as often as the config allows."""
        config = run.config.cluster
        environment = ranks.together(self.ranks) if self.ranks > 1 else {}
        sequences: int | None = None
        failures = 0
        while True:
            label = table.of(self.stage).finishes if self.finishing else index
            child = process.start(run, self.stage, index, self._arguments(sequences), environment, label)
            try:
                self._watch(child, signals)
            finally:
                process.signal_group(child, signal.SIGKILL)  # and whatever it started and left behind
                child.popen.wait()
            code = child.popen.returncode
            if code == 0:
                return
            if code == EXIT_INTERRUPTED or -code in (signal.SIGTERM, signal.SIGUSR2):
                logger.info("%s stopped as it was asked to; waiting for the end of this job", self.stage)
                _until(lambda: signals.requeue, RECAP_SECONDS)
                signals.requeue_if_asked()
                continue  # nobody ended the job: the signal was for the stage alone
            error = self._why(run, child)
            failures += 1
            if failures > config.retries or not self._worth_another_try(error, code):
                raise error
            if self.sampling and (out_of_memory(error) or -code == signal.SIGKILL):
                sequences = fewer_sequences(run.config.sampler, sequences)
            logger.warning(
                "attempt %d of %s failed: %s; trying again%s",
                failures,
                self.stage,
                error.message.splitlines()[0],
                f" with sampler.max_num_seqs={sequences}" if sequences else "",
            )

    def _arguments(self, sequences: int | None) -> list[str]:
        arguments = []
        if self.sampling:
            arguments += ["--worker", f"{self.worker[0]}/{self.worker[1]}"]
        if self.finishing:
            arguments += ["--finish"]
        if sequences:
            arguments += ["--max-num-seqs", str(sequences)]
        return arguments

    def _watch(self, child: Process, signals: "_Signals") -> None:
        """Wait for the stage's process; where the job is to end, have it stop at a good place, and requeue."""
        while child.popen.poll() is None:
            if signals.requeue or signals.terminate:
                logger.info("this job is about to end: asking %s to stop", self.stage)
                process.signal_group(child, signal.SIGUSR2)
                if not process.wait(child, self.grace):
                    logger.warning(
                        "%s did not stop in %.0f s; it goes on from its last checkpoint", self.stage, self.grace
                    )
                    process.signal_group(child, signal.SIGKILL)
                    child.popen.wait()
                signals.requeue_if_asked()
                return
            time.sleep(POLL_SECONDS)

    def _why(self, run: Run, child: Process) -> StageFailed:
        error = process.failure(run, self.stage, child)
        if -child.popen.returncode == signal.SIGKILL:
            kind = self._kind()
            if table.of(self.stage).trains:
                other = ", or train.micro_batch=1 train.gradient_checkpointing=true"
            else:
                other = ", or a smaller sampler.max_num_seqs=" if self.sampling else ""
            again = f"tpt resubmit {shlex.quote(str(self.root))} cluster.{kind}.memory_gb=...{other}"
            error.hint = f"if it ran out of memory: {again}"
        return error

    def _worth_another_try(self, error: StageFailed, code: int) -> bool:
        if self.ranks > 1:  # the other ranks have failed with it; only the whole job can start again
            return False
        if -code == signal.SIGKILL:
            return self.sampling  # out of memory: fewer sequences may fit, the same training never will
        return not error.known or error.kind in WORTH_A_RETRY


class ReportJob:
    """Takes over what other runs did for these, and writes tables and figures of them together.

    Args:
        roots: the run folders.
        out: where to write.
        code: `snapshot.digest` of the code that was submitted.
    """

    def __init__(self, roots: list[Path], out: Path, code: str = "") -> None:
        self.roots, self.out, self.code = roots, out, code

    def __call__(self) -> None:
        """Write the report of every run that has something to report.

        Raises:
            TptError: none has.
        """
        logs.log_to_stderr()
        logger.info("report begins")
        os.environ.update({**library_caches(), **environment.variables()})
        from tpt.report.report import report

        if self.code:
            snapshot.verify(self.code)
        finished = []
        for root in self.roots:
            run = Run.open(root)
            needless.adopt_evaluations(run)
            for stage in run.stages():
                try:
                    settle(run, stage)
                except TptError as error:
                    logger.warning("%s: %s", run.name, error.message)
                    break
            keep_books(run)
            finished += [run] if any(table.of(stage).measures and run.done(stage) for stage in run.stages()) else []
        written = report(finished, self.out)
        if len(self.roots) == 1:  # a sweep's runs have jobs of their own that do so
            run = finished[0]
            with run.hold(), tracking.make(run.config.tracker, run) as tracker:
                tracker.log_report(written)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What submitit puts in the place of this job when it is requeued."""
        return submitit.helpers.DelayedSubmission(self)


def keep_books(run: Run) -> None:
    """Write down every finished stage in metrics.jsonl, and mirror it; jobs of one run take turns."""
    with run.hold(), tracking.make(run.config.tracker, run) as tracker:
        rounds.record(run)
        for stage in run.stages():
            if run.done(stage):
                tracker.log(stage, books.record(run, stage))


def progress_mark(run: Run, stage: Stage) -> list[str]:
    """What changes when a stage gets on: its shards, its training checkpoints."""
    folder = run.folder(stage)
    found = [
        *records.shards(folder, artefacts.SAMPLES),
        *records.shards(folder, artefacts.VERDICTS),
        *folder.glob(f"{artefacts.CHECKPOINTS}/*.ckpt"),
    ]
    return sorted(path.name for path in found)


def out_of_memory(error: StageFailed) -> bool:
    """Whether an engine said that its memory did not suffice."""
    return error.kind == "EngineError" and "memory" in f"{error.message} {error.hint}".lower()


def fewer_sequences(settings: SamplerConfig, before: int | None) -> int:
    """`sampler.max_num_seqs` for the attempt after one that ran out of memory: half of it."""
    return max(1, (before or settings.max_num_seqs or DEFAULT_SEQUENCES) // 2)


class _Signals:
    """Takes over submitit's handlers: a signal only sets a flag, and submitit's own is called at a good moment."""

    def __init__(self) -> None:
        self.requeue = self.terminate = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "_Signals":
        for number in (signal.SIGUSR2, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requeue = self.requeue or number == signal.SIGUSR2
        self.terminate = True

    def requeue_if_asked(self) -> None:
        """Requeue this job as submitit does, which ends this process; other ranks wait for their end.

        Raises:
            SystemExit, submitit.core.utils.UncompletedJobError: from submitit: requeued, or given up.
        """
        if self.requeue and callable(self._before[signal.SIGUSR2]):
            self._before[signal.SIGUSR2](signal.SIGUSR2, None)
        if self.terminate:
            # Not the rank that requeues, or SLURM requeues by itself, or the job was cancelled: the end is near.
            _until(lambda: False, RECAP_SECONDS)
            sys.exit(os.EX_TEMPFAIL)


def _until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
