"""Problems whose solution is a Python function, judged by assertions: HumanEval, MBPP, or data with other columns."""

import ast
import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tpt.errors import ConfigError, DataError
from tpt.judges.code.program import fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks import columns, rows
from tpt.tasks.base import Split, register
from tpt.tasks.code import PythonTask
from tpt.tasks.tables import Row
from tpt.tasks.wording import with_requirements

FIX = "fix or remove that row"


@register("functions")
@dataclass
class Functions(PythonTask):
    """Functions that assertions call."""

    title: str = setting("", "What the data is called in folder names, problem ids and tables; any name.", free=True)
    path: str = setting(
        "",
        "A file, a folder with a file for each split, or a hub id.",
        path=True,
        least=1,
        hint="say where the problems are: task.path=FILE, a folder or a hub id",
    )
    subset: str = setting("", "The configuration of the hub data set, by its own name.", free=True)
    split: str = setting("train", "The split of the training problems, by its own name.", least=1, free=True)
    test_split: str = setting("test", "The split of the test problems, by its own name.", least=1, free=True)
    test_share: float | None = setting(
        None,
        "The share of the questions of `split` that are the test problems, by `task.seed`; null: they have a split.",
        above=0,
        below=1,
    )
    question: str = setting("prompt", "Any column: the question.", least=1, free=True)
    completes: bool = setting(
        False, "Whether the question is the beginning of the function, which `solution` continues, as in HumanEval."
    )
    tests: str = setting(
        "test", "Any column: a function `check(candidate)` of assertions, or a list of assertions.", least=1, free=True
    )
    shows_tests: bool = setting(False, "Whether the prompt shows the assertions, without which a name may be unknown.")
    setup: str = setting("", "Any column: code that the tests need; empty: none.", free=True)
    solution: str = setting("", "Any column: a solution known to be right.", free=True)
    entry_point: str = setting(
        "", "Any column: the function's name; empty: the one that solution and tests share.", free=True
    )
    id: str = setting("", "Any column that names a row, in problem ids; empty: its number.", free=True)
    seconds: float = 10.0

    @property
    def called(self) -> str:
        """See `Task.called`."""
        return self.title or self.name

    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split.

        Raises:
            DataError: see `Task.load`.
        """
        where = f"the {split} split of {self.path}"
        for row in rows.drawn(lambda: self._rows(split), self.size(split), self.seed, where):
            yield row["problem"]

    def instruct(self, question: str) -> str:
        """See `with_requirements`."""
        return with_requirements(
            "You are an expert Python programmer. Write the function that this problem describes.",
            question,
            "Reason step by step about how to write it.",
            "Keep the names and parameters that are given.",
            "End with the whole function, with its imports, in one markdown block that starts with ```python.",
        )

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        split, name = problem.id.removeprefix(f"{self.called}/").split("/", 1)
        where = self.source(split)
        return rows.place(where.path, where.split, f"{self.id} {name}" if self.id else f"row {name}", where.subset)

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        if not self.entry_point and not self.solution:
            raise ConfigError("nothing names the function that is tested", "set task.entry_point or task.solution")

    def source(self, split: Split) -> rows.Source:
        """See `PythonTask.source`."""
        own = self.split if split == "train" or self.test_share else self.test_split
        return rows.Source(self.path, own, self.subset)

    def _rows(self, split: Split) -> Iterator[Row]:
        for number, (place, row) in enumerate(self.source(split).read(), 1):
            try:
                question = columns.text(columns.at(row, self.question), "question")
                if not self.test_share or self._is_test(question) == (split == "test"):
                    yield {"problem": self._problem(split, number, question, row)}
            except columns.BadRow as error:
                raise DataError(f"{place} {error}", FIX) from error
            except KeyError as error:
                there = columns.nearest_first(str(error.args[0]), columns.names(row))
                raise DataError(f"{place} has no column {error}; it has {there}", "name another: task.*") from error

    def _is_test(self, question: str) -> bool:
        """Whether a question is held out: by a hash, so that equal ones are so together."""
        hashed = hashlib.sha256(f"{self.seed} {' '.join(question.split())}".encode()).digest()
        return int.from_bytes(hashed[:8]) < (self.test_share or 0) * 2**64

    def _problem(self, split: Split, number: int, question: str, row: Row) -> Problem:
        """The problem in a row; its tests may turn out to be unusable, which `screen` then says."""
        tests, setup = columns.at(row, self.tests), self._given(row, self.setup)
        own = self._given(row, self.solution)
        reference = f"{columns.at(row, self.question).rstrip()}\n{own}" if self.completes and own else own
        entry = self._given(row, self.entry_point) or _shared(reference, tests)
        calls = _calls(tests, entry)
        beside = _beside(reference, entry) if self.completes else ""
        spec = Spec(
            calls=calls or [],
            entry_point=entry,
            prelude="\n".join(filter(None, [setup, beside])),
            seconds=self.seconds,
            memory_mb=self.memory_mb,
            references=[("python", reference)] if reference else [],
            broken="" if calls else "its tests are more than a list of assertions on one function",
        )
        shown = f"Complete this function:\n{fenced(question, 'python')}" if self.completes else question
        if self.shows_tests:
            listed = tests if isinstance(tests, str) else "\n".join(tests)
            shown += f"\n\nThe function has to pass these assertions:\n{fenced(listed.strip(), 'python')}"
        name = columns.text(columns.at(row, self.id), "id") if self.id else str(number)
        worked = fenced(reference, "python") if reference else ""
        return Problem(f"{self.called}/{split}/{name}", shown, "", worked, spec.to_json())

    def _given(self, row: Row, name: str) -> str:
        """What a column holds, with its indentation; "" if no column is named or it is empty."""
        value = columns.at(row, name) if name else ""
        if value is not None and not isinstance(value, str):
            raise columns.BadRow(f"has no text as its {name}, but {value!r:.60}")
        return (value or "").strip("\n").rstrip()


def _shared(solution: str, tests: Any) -> str:
    """The one function that a solution defines and its tests call; "" if there is no such one."""
    try:
        defined = {one.name for one in ast.parse(solution).body if isinstance(one, ast.FunctionDef)}
        tested = ast.parse(tests if isinstance(tests, str) else "\n".join(tests))
    except (SyntaxError, TypeError):
        return ""
    called = {one.func.id for one in ast.walk(tested) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
    both = defined & called
    return both.pop() if len(both) == 1 else ""


def _calls(tests: Any, entry: str) -> list[tuple[list[str], str]] | None:
    """The assertions of a row's tests; None if they are something else."""
    from tpt.judges.code.calls import asserted, assertions  # slow to import, as is all that runs programs

    if isinstance(tests, str) and "def check" in tests:
        return assertions(tests) if entry else None
    try:
        statements = ast.parse(textwrap.dedent(tests if isinstance(tests, str) else "\n".join(tests))).body
    except (SyntaxError, TypeError):
        return None
    return asserted(statements, entry) if entry else None


def _beside(source: str, entry: str) -> str:
    """What a question gives beside the function to complete: imports, and functions that it may call."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return ""
    return "\n".join(ast.unparse(one) for one in body if not (isinstance(one, ast.FunctionDef) and one.name == entry))
