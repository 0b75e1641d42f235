"""Runs with time limits that do not fail a correct solution because the machine is busy or slow."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tpt.sandbox.worker import Limits, Program, Ran, Stop, Worker

MARGIN = 1.5  # a run is stopped at this many times its limit
CLEARLY = 1.25  # this many times its limit, at the machine's current speed, is too slow beyond doubt
WALL = 3.0  # wall seconds, with a core, per CPU second of a limit,
WALL_MORE = 2.0  # plus this many: they stop a program that waits for something other than a core
STARVED = 0.1  # if it had no core for more than this share of the wall time, slightly exceeding a limit says nothing

# CPU seconds that PACE takes on the reference machine (AMD EPYC, Python 3.11).
PACE_SECONDS = 0.025
PACE = b"""
total, table = 0, {}
for i in range(200_000):
    table[i % 1000] = total = (total * 31 + i) % 1_000_003
print(total)
"""


class Gate:
    """Admits several runs at a time, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False
        self._waiting = 0

    @contextmanager
    def among_others(self) -> Iterator[None]:
        """Wait while another run is alone, or is waiting to be."""
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
        """Wait until all other runs have left."""
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
    """A run proves nothing, because other programs on this machine used the cores."""


@dataclass
class Runner:
    """One thread's access to its worker.

    Attributes:
        worker: runs the programs.
        gate: shared with the other threads.
        slowness: how many times slower than the reference machine this one is; at least 1.
    """

    worker: Worker
    gate: Gate
    slowness: float = 1.0

    def run(self, program: Program, stdin: bytes, seconds: float, memory: int, output: int) -> Ran:
        """Run a program; after a time-out that other work may have caused, run it again without the other threads.

        Args:
            seconds: CPU seconds on the reference machine.
            memory, output: bytes.

        Returns:
            how it ended; `stop` is CPU if it took too long, even if it finished.

        Raises:
            Undecided: it was late, but might not have been on a less busy machine.
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
        """Whether a late run would have been late on an idle machine too.

        Args:
            slower: how slow the machine was before the run.
        """
        if ran.stop is Stop.WALL:
            return ran.wall - ran.waited > _wall(seconds * slower)
        return ran.cpu > CLEARLY * seconds * max(slower, slowness(self.worker, 3))


def slowness(worker: Worker, times: int = 5) -> float:
    """How many times slower than the reference machine this one is; 1 if it is faster."""
    limits = Limits(cpu=60, wall=120, memory=2**30, output=2**20)
    best = min(worker.run(Program(PACE), b"", limits).cpu for _ in range(times))
    return max(1.0, best / PACE_SECONDS)


def _wall(cpu: float) -> float:
    return WALL * cpu + WALL_MORE


def _late(ran: Ran, limit: float) -> bool:
    return ran.stop in (Stop.CPU, Stop.WALL) or (ran.stop is Stop.ENDED and ran.cpu > limit)
