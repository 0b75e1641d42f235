"""The signals that a job receives: they are noted at once, and submitit's own handlers are called at a good moment."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

POLL_SECONDS = 0.2
END_SECONDS = 120.0  # how long a job whose stage has stopped waits for SLURM to end it


class Signals:
    """For the length of a block, takes the place of submitit's handlers; a signal only sets a flag.

    Attributes:
        requeue: whether SLURM has announced the end of the job, because of preemption or its time limit.
        terminate: whether the job has received any of the signals that end it.
    """

    def __init__(self) -> None:
        self.requeue = self.terminate = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        for number in (signal.SIGUSR2, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requeue = self.requeue or number == signal.SIGUSR2
        self.terminate = True

    def await_requeue(self) -> None:
        """Wait a while for the signal that ends this job, and requeue it then; return if the job is to go on.

        Raises:
            SystemExit, submitit.core.utils.UncompletedJobError: from submitit: requeued, or given up.
        """
        _wait_until(lambda: self.requeue)
        self.requeue_if_asked()

    def requeue_if_asked(self) -> None:
        """Requeue this job as submitit does, which ends this process; other ranks wait for their end.

        Raises:
            SystemExit, submitit.core.utils.UncompletedJobError: from submitit: requeued, or given up.
        """
        if self.requeue and callable(self._before[signal.SIGUSR2]):
            self._before[signal.SIGUSR2](signal.SIGUSR2, None)
        if self.terminate:
            # This rank is not the one that requeues, or SLURM requeues by itself, or the job was cancelled.
            _wait_until(lambda: False)
            sys.exit(os.EX_TEMPFAIL)


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
