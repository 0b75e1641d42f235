"""Runs with time limits that a busy or a slow machine does not turn against a right solution."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tpt.sandbox.worker import Limits, Program, Ran, Stop, Worker

MARGIN = 1.5  # so much over its limit a run among others may be, and is timed again alone
WALL = 3.0  # wall seconds for each CPU second of a limit,
WALL_MORE = 2.0  # and so many on top: a program that waits for nothing is stopped by them
STARVED = 0.1  # share of the wall time without a core from which on a time-out says nothing

# CPU seconds that PACE took on the machine where this was written (AMD EPYC, Python 3.11).
PACE_SECONDS = 0.025
PACE = b"""
total, table = 0, {}
for i in range(200_000):
    table[i % 1000] = total = (total * 31 + i) % 1_000_003
print(total)
"""


class Gate:
    """Lets runs in side by side, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def among_others(self) -> Iterator[None]:
        """Wait while somebody is alone, or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._alone or self._waiting))
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until all others have left."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not (self._alone or self._inside))
            self._waiting -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


@dataclass
class Runner:
    """One thread's access to its worker.

    Attributes:
        worker: runs the programs.
        gate: shared with the other threads.
        slowness: how many times slower this machine is than the one that `PACE_SECONDS` is of; at least 1.
    """

    worker: Worker
    gate: Gate
    slowness: float = 1.0

    def run(self, program: Program, stdin: bytes, seconds: float, memory: int, output: int) -> Ran:
        """Run a program; a time-out that other work may have caused is run again with the machine to itself.

        Args:
            seconds: CPU seconds on the machine of reference.
            memory, output: bytes.

        Returns:
            how it ended; `stop` is CPU where it took too long, even if it came to its end.
        Raises:
            Died, SandboxError: see `Worker.run`.
        """
        limit = seconds * self.slowness
        limits = Limits(cpu=MARGIN * limit, wall=WALL * limit + WALL_MORE, memory=memory, output=output)
        with self.gate.among_others():
            ran = self.worker.run(program, stdin, limits)
        if _doubtful(ran, limit):
            with self.gate.alone():
                ran = self.worker.run(program, stdin, limits)
        return replace(ran, stop=Stop.CPU) if ran.stop is Stop.ENDED and ran.cpu > limit else ran


def slowness(worker: Worker) -> float:
    """How many times slower than the machine of reference this one is; 1 where it is faster."""
    limits = Limits(cpu=60, wall=120, memory=2**30, output=2**20)
    best = min(worker.run(Program(PACE), b"", limits).cpu for _ in range(5))
    return max(1.0, best / PACE_SECONDS)


def _doubtful(ran: Ran, limit: float) -> bool:
    if ran.stop is Stop.WALL:
        return ran.waited > STARVED * ran.wall
    return ran.stop is Stop.ENDED and ran.cpu > limit
