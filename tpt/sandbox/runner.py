"""Runs with time limits that a busy or a slow machine does not turn against a right solution."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tpt.sandbox.worker import Limits, Program, Ran, Stop, Worker

MARGIN = 1.5  # so much over its limit a run may be until it is stopped
CLEARLY = 1.25  # so much over it, at the speed that the machine has just then, is too much without doubt
WALL = 3.0  # wall seconds, with a core, for each CPU second of a limit,
WALL_MORE = 2.0  # and so many on top: a program that waits for something else is stopped by them
STARVED = 0.1  # share of the wall time without a core from which on being a little over a limit says nothing

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


class Undecided(Exception):
    """Nothing can be said of a run: other programs on this machine kept the cores from it."""


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
        """Run a program; a time-out that other work may have caused is run again without the other threads.

        Args:
            seconds: CPU seconds on the machine of reference.
            memory, output: bytes.

        Returns:
            how it ended; `stop` is CPU where it took too long, even if it came to its end.

        Raises:
            Undecided: it was late, and may not have been on a machine with less to do.
            Died, SandboxError: see `Worker.run`.
        """

        def timed(slower: float) -> Ran:
            limit = seconds * slower
            limits = Limits(cpu=MARGIN * limit, wall=_wall(limit), memory=memory, output=output)
            return self.worker.run(program, stdin, limits)

        with self.gate.among_others():
            ran = timed(self.slowness)
            if not _late(ran, seconds * self.slowness):
                return ran
            if ran.stop is not Stop.ENDED and self._clearly_late(ran, seconds, self.slowness):
                return ran
        with self.gate.alone():
            before = max(self.slowness, slowness(self.worker, 3))
            ran = timed(before)
            if not _late(ran, seconds * before):
                return ran
            if self._clearly_late(ran, seconds, before) or ran.waited <= STARVED * ran.wall:
                return replace(ran, stop=Stop.CPU) if ran.stop is Stop.ENDED else ran
        raise Undecided(
            f"other programs kept the machine busy: it had no core for {ran.waited:.1f} of {ran.wall:.1f} s"
        )

    def _clearly_late(self, ran: Ran, seconds: float, slower: float) -> bool:
        """Whether a late run would have been so on an idle machine too.

        Args:
            slower: how slow the machine was before it.
        """
        if ran.stop is Stop.WALL:
            return ran.wall - ran.waited > _wall(seconds * slower)
        return ran.cpu > CLEARLY * seconds * max(slower, slowness(self.worker, 3))


def slowness(worker: Worker, times: int = 5) -> float:
    """How many times slower than the machine of reference this one is; 1 where it is faster."""
    limits = Limits(cpu=60, wall=120, memory=2**30, output=2**20)
    best = min(worker.run(Program(PACE), b"", limits).cpu for _ in range(times))
    return max(1.0, best / PACE_SECONDS)


def _wall(cpu: float) -> float:
    return WALL * cpu + WALL_MORE


def _late(ran: Ran, limit: float) -> bool:
    return ran.stop in (Stop.CPU, Stop.WALL) or (ran.stop is Stop.ENDED and ran.cpu > limit)
