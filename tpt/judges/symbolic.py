"""Comparing expressions with math-verify, in processes that can be killed.

A short text can make sympy compute forever, and its own time-outs need SIGALRM. So text written by a model is never
parsed in this process: workers do that, each pair has a deadline, and a worker that misses it is killed. The deadline
is in CPU time, so that no pair stays undecided because the machine is busy.
"""

import contextlib
import logging
import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any

DEADLINE = 5.0  # seconds of CPU for one pair
PATIENCE = 10  # wait for a worker up to this many times its deadline if other programs use the cores
START_DEADLINE = 120.0  # seconds for a worker's imports
MEMORY = 4 * 2**30  # bytes of address space per worker
FORMULA = 300  # most characters of a text that can be one formula
NEAR = 1e-25  # largest relative difference of equal constants
LONGEST = 4_000  # characters at the end of a text that are looked at

_MATH_MODE = re.compile(r"\$|\\[(\[]|\\boxed")
_FUNCTION = re.compile(r"(?<![\\A-Za-z])(?:sin|cos|tan|log|ln|pi|exp)(?![A-Za-z])")
_IN_BRACES = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|begin|end|operatorname)\s*\{[^{}]*\}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")


class Outcome(StrEnum):
    """What a worker found for a pair."""

    EQUAL = "equal"
    DIFFERENT = "different"
    GOLD_UNREADABLE = "gold_unreadable"
    NO_ANSWER = "no_answer"
    ERROR = "error"


Pair = tuple[str, str]  # gold, prediction


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    job: int | None = None  # index of the pair it is working on
    deadline: float = 0.0  # when to check on it, at the latest
    cpu: float = 0.0  # seconds of CPU that it had used when it got the job
    given_up: float = 0.0  # when to kill it, however little CPU it has used


class Symbolic:
    """A pool of math-verify workers, started when first needed.

    Args:
        workers: processes.
        deadline: seconds of CPU that one pair may take.
    """

    def __init__(self, workers: int = 2, deadline: float = DEADLINE) -> None:
        self.size = workers
        self.deadline = deadline
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Symbolic":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            _kill(worker)
        self._workers.clear()

    def compare(self, pairs: Sequence[Pair]) -> list[Outcome]:
        """Compare each prediction with its gold answer, in order; a pair that misses its deadline is an ERROR."""
        outcomes = [Outcome.ERROR] * len(pairs)
        owed = iter(range(len(pairs)))
        left = len(pairs)
        while left:
            while len(self._workers) < min(self.size, left):
                self._workers.append(_start())
            self._hand_out(pairs, owed)
            left -= self._collect(outcomes)
        return outcomes

    def _hand_out(self, pairs: Sequence[Pair], owed: Iterator[int]) -> None:
        for worker in self._workers:
            if worker.ready and worker.job is None:
                worker.job = next(owed, None)
                if worker.job is not None:
                    worker.deadline = time.monotonic() + self.deadline
                    worker.given_up = time.monotonic() + PATIENCE * self.deadline
                    worker.cpu = _cpu_seconds(worker.process)
                    with contextlib.suppress(OSError):  # it died: `_collect` notices that and gives up the pair
                        worker.pipe.send(pairs[worker.job])

    def _waits_for_a_core(self, worker: _Worker) -> bool:
        """Whether a worker at its deadline has used less CPU than allowed; if so, it is checked again later."""
        left = self.deadline - (_cpu_seconds(worker.process) - worker.cpu)
        if left <= 0 or time.monotonic() >= worker.given_up or not worker.process.is_alive():
            return False
        worker.deadline = time.monotonic() + left
        return True

    def _collect(self, outcomes: list[Outcome]) -> int:
        """Collect the workers' answers; returns how many pairs that settles."""
        settled = 0
        busy = [worker for worker in self._workers if worker.job is not None or not worker.ready]
        soonest = min(worker.deadline for worker in busy)
        spoke = wait([worker.pipe for worker in busy], timeout=max(0.0, soonest - time.monotonic()))
        for worker in busy:
            if worker.pipe in spoke:
                said = _receive(worker.pipe)
                if said is not None and not worker.ready:
                    worker.ready = True
                    continue
                if said is not None and worker.job is not None:
                    outcomes[worker.job] = Outcome(said)
                    worker.job = None
                    settled += 1
                    continue
            elif time.monotonic() < worker.deadline or (worker.ready and self._waits_for_a_core(worker)):
                continue
            if not worker.ready:
                raise RuntimeError("a judge's worker process did not start; is math-verify installed?")
            settled += worker.job is not None  # dead or too late: the pair stays an ERROR
            _kill(worker)
            self._workers.remove(worker)
        return settled


def _cpu_seconds(process: SpawnProcess) -> float:
    """Seconds of CPU that a process has used; 0 if it no longer exists."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_formula(text: str) -> bool:
    """Whether a text is one short line of mathematics without words: `2x+3`, `(3, 4)`, `2^{1/2}`."""
    if len(text) > FORMULA or "\n" in text.strip():
        return False
    return not _WORD.search(_FUNCTION.sub("", _IN_BRACES.sub("", text)))


def _start() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with _no_main():
        process.start()
    theirs.close()
    return _Worker(process, ours, deadline=time.monotonic() + START_DEADLINE)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Keep a new process from importing the main script, which may be a user's that begins with `tpt.run(...)`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _receive(pipe: Connection) -> Any:
    """What a worker said, or None if it died."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


def _kill(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _serve(pipe: Connection) -> None:
    """A worker's loop: read a pair, answer, until the other end closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable()  # math-verify warns on each pair that it has no time-out; the parent process takes care of that
    import math_verify  # imports sympy

    pipe.send("ready")
    while True:
        try:
            gold, prediction = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(str(_compare(math_verify, gold[-LONGEST:], prediction[-LONGEST:])))
        except Exception:  # whatever sympy raises on hostile text, including memory errors, is a judge error
            pipe.send(str(Outcome.ERROR))


def _compare(math_verify: Any, gold: str, prediction: str) -> Outcome:
    # No time-outs of its own: they need SIGALRM, and the parent kills this process.
    gold_parsed = _parse(math_verify, gold)
    if not gold_parsed:
        return Outcome.GOLD_UNREADABLE
    parsed = _parse(math_verify, prediction)
    if not parsed:
        return Outcome.NO_ANSWER
    equal = math_verify.verify(gold_parsed, parsed, timeout_seconds=None) and not _differ(gold_parsed[0], parsed[0])
    return Outcome.EQUAL if equal else Outcome.DIFFERENT


def _parse(math_verify: Any, text: str) -> Any:
    """What math-verify reads in a text, either as it is, or as LaTeX, which data sets give without dollar signs."""
    forms = [text] if _MATH_MODE.search(text) else [text, f"${text}$"]
    if len(forms) > 1 and ("\\" in text or is_formula(text)):
        forms = [f"${_FUNCTION.sub(_as_command, text.replace('**', '^'))}$", text]
    for form in forms:
        parsed = math_verify.parse(form, parsing_timeout=None)
        if parsed:
            return parsed
    return None


def _as_command(function: "re.Match[str]") -> str:
    return f"\\{function[0]} "


def _differ(gold: Any, found: Any) -> bool:
    """Whether two constants differ at all: to math-verify all tiny numbers are equal, and 3.14159265 is pi."""
    import sympy

    if not all(isinstance(one, sympy.Expr) and one.is_number for one in (gold, found)) or found == 0 or gold == 0:
        return False
    exact = [one.replace(lambda e: e.is_Float, lambda e: sympy.Rational(str(e))) for one in (gold, found)]
    return bool(abs(sympy.N(exact[0] / exact[1], 50) - 1) > NEAR)
