"""The tests of a code problem, as stored in `Problem.meta`, and the result for one solution."""

import dataclasses
import json
from dataclasses import dataclass, field
from enum import StrEnum

from tpt.judges.code.program import Language
from tpt.records import Problem

Source = tuple[Language, str]


class Kind(StrEnum):
    """What went wrong on the first test that a solution fails."""

    NONE = ""
    NO_PROGRAM = "no program"
    COMPILE_ERROR = "compile error"
    WRONG_ANSWER = "wrong answer"
    TIME = "time limit"
    MEMORY = "memory limit"
    OUTPUT = "output limit"
    CRASH = "crash"
    JUDGE_ERROR = "judge error"
    NO_TESTS = "no usable tests"  # the problem is at fault: none of its programs is judged


@dataclass(slots=True)
class Spec:
    """Tests and limits of one problem. It has either `tests` or `calls`.

    Attributes:
        tests: (stdin, expected stdout).
        calls: (calls of the solution as Python expressions, an expression that is true if their values, the list
            `_values`, are right).
        entry_point: what `candidate` stands for in a call, e.g. `Solution().twoSum`.
        prelude: Python source to put before a solution with calls: imports, helper classes.
        seconds: CPU seconds per test, or for all calls together.
        memory_mb: MiB.
        tolerance: by how much numbers may differ; for None see `judges.code.output.same`.
        case_sensitive: whether the case of letters matters.
        references: solutions known to be right.
        incorrect: solutions known to be wrong.
        broken: why the tests are meaningless; "" if they are not.
    """

    tests: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[list[str], str]] = field(default_factory=list)
    entry_point: str = ""
    prelude: str = ""
    seconds: float = 6.0
    memory_mb: int = 512
    tolerance: float | None = None
    case_sensitive: bool = False
    references: list[Source] = field(default_factory=list)
    incorrect: list[Source] = field(default_factory=list)
    broken: str = ""

    @property
    def total(self) -> int:
        """Number of tests."""
        return len(self.tests) or len(self.calls)

    @property
    def unusable(self) -> str:
        """Why programs cannot be judged by this spec; "" if they can."""
        return self.broken or ("" if self.total else "it has no tests")

    def to_json(self) -> str:
        """As text for `Problem.meta`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of(cls, problem: Problem) -> "Spec":
        """The spec of a code problem."""
        found = json.loads(problem.meta)
        for name in ("tests", "calls", "references", "incorrect"):  # JSON has no tuples
            found[name] = [tuple(one) for one in found[name]]
        return cls(**found)


@dataclass(slots=True)
class Result:
    """What the tests say about one solution.

    Attributes:
        passed: tests passed; those before the first failing test, if judging stopped there.
        total: number of tests.
        first_failed: number of the first failing test, from 1; 0 if none fails.
        kind: what went wrong in that test.
        reason: details, e.g. the last line of stderr.
    """

    passed: int = 0
    total: int = 0
    first_failed: int = 0
    kind: Kind = Kind.NONE
    reason: str = ""

    def add(self, kind: Kind, reason: str = "") -> None:
        """Count the next test."""
        number = self.total + 1
        self.total = number
        if kind is Kind.NONE:
            self.passed += 1
        elif not self.first_failed:
            self.first_failed, self.kind, self.reason = number, kind, reason
