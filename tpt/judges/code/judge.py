"""Judging many solutions in parallel, each thread with its own sandboxes."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock, local
from types import TracebackType

from tpt.errors import SandboxError
from tpt.judges.code import calls, stdio
from tpt.judges.code.program import FENCE, Found, Language, extract
from tpt.judges.code.spec import Kind, Result, Spec
from tpt.judges.code.stdio import Checker, by_tokens
from tpt.judges.thinking import UNFINISHED, final_part
from tpt.records import Sample, Status, Verdict, overall
from tpt.sandbox.command import Sandbox
from tpt.sandbox.probe import probe
from tpt.sandbox.runner import Gate, Runner, Undecided, slowness
from tpt.sandbox.worker import Died, Program, Worker

COMPILER = Path("/usr/bin/g++")
# The binary leaves the sandbox on stdout, so that programs run in sandboxes without the compiler's files.
COMPILE = f"{COMPILER} -x c++ -std=c++17 -O2 -w -pipe -o /tmp/solution - && cat /tmp/solution"
COMPILE_SECONDS = 30.0
COMPILE_BYTES = 2 * 2**30
BINARY_BYTES = 64 * 2**20


@dataclass
class Judge:
    """A pool of judging threads; use it as a context manager.

    Args:
        kind: `bwrap` or `none`, see `Sandbox`.
        python: the interpreter for Python solutions.
        workers: threads; None for one per core that this process may use.

    Raises:
        SandboxError: sandboxes do not work on this machine, or are not secure.
    """

    kind: str = "bwrap"
    python: str = "/usr/bin/python3"
    workers: int | None = None

    def __enter__(self) -> "Judge":
        self._sandbox = Sandbox(self.kind, self.python)
        self._gate, self._lock, self._mine = Gate(), Lock(), local()
        self._all: list[Worker] = []
        size = self.workers or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="judge")
        self._window = 4 * size
        try:
            self._slowness = self._pool.submit(self._check).result()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.stop()
        self._pool.shutdown(wait=True)
        for worker in self._all:
            worker.close()
        self._sandbox.close()

    def results(
        self, jobs: Iterable[tuple[Spec, Language, str]], partial: bool, checker: Checker = by_tokens
    ) -> Iterator[Result]:
        """Judge triples (spec, language, source), in order and in bounded memory.

        Args:
            partial: whether to run every test; else only up to the first failure.
        """
        stream = iter(jobs)
        pending: deque[Future[Result]] = deque()
        try:
            while True:
                for spec, language, source in islice(stream, self._window - len(pending)):
                    pending.append(self._pool.submit(self._result, spec, language, source, partial, checker))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for one in pending:
                one.cancel()

    def _check(self) -> float:
        """Test the sandbox and measure the machine's speed."""
        worker = self._worker()
        try:
            if self.kind == "bwrap":
                probe(worker)
            return slowness(worker)
        except Died as error:
            raise SandboxError(
                f"the sandbox does not survive on this machine: {error}", "see the message above"
            ) from error

    def _worker(self) -> Worker:
        worker = Worker(self._sandbox)
        with self._lock:
            self._all.append(worker)
        return worker

    def _runners(self) -> tuple[Runner, Runner]:
        """This thread's runner of solutions and its referee."""
        if not hasattr(self._mine, "runners"):
            self._mine.runners = tuple(Runner(self._worker(), self._gate, self._slowness) for _ in range(2))
        runner, referee = self._mine.runners
        return runner, referee

    def _result(self, spec: Spec, language: Language, source: str, partial: bool, checker: Checker) -> Result:
        if spec.unusable:
            return _unusable(spec)
        runner, referee = self._runners()
        try:
            if spec.calls:
                return calls.judge(runner, referee, source, spec, partial)
            program = _program(runner, language, source)
            if isinstance(program, Result):
                program.total = spec.total
                return program
            return stdio.judge(runner, program, spec, checker, partial)
        except Died as error:
            return self._blame(runner, spec, error)
        except Undecided as error:
            return _undecided(spec, error)
        finally:
            runner.worker.renew()

    def _blame(self, runner: Runner, spec: Spec, error: Died) -> Result:
        """The result of a solution that killed its sandbox twice: its own fault, unless an empty program also fails."""
        try:
            runner.run(Program(b""), b"", 5.0, 2**30, 2**20)
        except (Died, SandboxError, Undecided):
            return _undecided(spec, error)
        result = Result()
        result.add(Kind.CRASH, "it ended its sandbox")
        result.total = spec.total
        return result


def verdicts(
    judge: Judge, jobs: Iterable[tuple[Spec, Language, Sample]], partial: bool, checker: Checker = by_tokens
) -> Iterator[Verdict]:
    """One verdict for each sample, in order: the program is extracted from its text and judged."""
    waiting: deque[tuple[Sample, Spec, Found | None]] = deque()

    def with_program() -> Iterator[tuple[Spec, Language, str]]:
        for spec, language, sample in jobs:
            found = None if spec.unusable else extract(sample.text, language)
            waiting.append((sample, spec, found))
            if found:
                yield spec, language, found.source

    def drain() -> Iterator[Verdict]:
        while waiting and waiting[0][2] is None:
            sample, spec, _ = waiting.popleft()
            result = _unusable(spec) if spec.unusable else Result(0, spec.total, 1, Kind.NO_PROGRAM)
            yield verdict(sample, result, None)

    for result in judge.results(with_program(), partial, checker):
        yield from drain()
        sample, _, found = waiting.popleft()
        yield verdict(sample, result, found)
        yield from drain()
    yield from drain()


def status(result: Result) -> Status:
    """The status of a sample with this result."""
    if result.kind is Kind.JUDGE_ERROR:
        return Status.JUDGE_ERROR
    if result.kind is Kind.NO_TESTS:
        return Status.GOLD_UNREADABLE
    if result.kind is Kind.NO_PROGRAM:
        return Status.NO_ANSWER
    if result.total and result.passed == result.total:
        return Status.CORRECT
    return Status.PARTIAL if result.passed else Status.WRONG


def verdict(sample: Sample, result: Result, found: Found | None) -> Verdict:
    """The verdict on a sample with this result; the strict reader accepts only fenced blocks of the language."""
    lenient = status(result)
    strict = lenient if found is None or found.rule == FENCE else Status.NO_ANSWER
    unfinished = result.kind is Kind.NO_PROGRAM and final_part(sample.text) is None
    return Verdict(
        problem_id=sample.problem_id,
        index=sample.index,
        status=overall(strict, lenient),
        strict=strict,
        lenient=lenient,
        rule=found.rule if found else UNFINISHED if unfinished else "",
        passed=result.passed,
        total=result.total,
        reason=result.reason,
        kind=str(result.kind),
        first_failed=result.first_failed,
    )


def _unusable(spec: Spec) -> Result:
    """The result of every program for a problem without usable tests."""
    return Result(0, spec.total, 0, Kind.NO_TESTS, spec.unusable)


def _undecided(spec: Spec, why: Exception) -> Result:
    """The result if the judge failed, whichever tests passed before."""
    result = Result()
    result.add(Kind.JUDGE_ERROR, str(why))
    result.total = spec.total
    return result


def _program(runner: Runner, language: Language, source: str) -> Program | Result:
    """A program to run; C++ is compiled in a sandbox first. Or a Result, if it does not compile."""
    text = source.encode("utf-8", "backslashreplace")
    if language == "python":
        return Program(text)
    if not COMPILER.exists():
        raise SandboxError("C++ solutions need g++", "install it (Debian, Ubuntu: apt-get install g++)")
    result = Result()
    ran = runner.run(
        Program(b"", False, ("/bin/sh", "-c", COMPILE)), text, COMPILE_SECONDS, COMPILE_BYTES, BINARY_BYTES
    )
    if ran.exit_code or not ran.stdout:
        result.add(Kind.COMPILE_ERROR, ran.stderr.strip()[:300])
        return result
    return Program(ran.stdout, is_python=False)
