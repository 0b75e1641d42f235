"""LiveCodeBench (Jain et al. 2024): contest problems by date: programs from stdin to stdout, and `class Solution`."""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt.errors import DataError, said
from tpt.judges.code.program import fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks import columns, rows
from tpt.tasks.base import Split, register
from tpt.tasks.code import PythonTask
from tpt.tasks.tables import Row
from tpt.tasks.wording import with_requirements

COLUMNS = ("question_id", "question_content", "starter_code", "public_test_cases", "private_test_cases", "metadata")
FORM = "tests are JSON lists of {input, output, testtype}; private ones may be packed as in the hub's data set"
# What LeetCode gives solutions without an import.
PRELUDE = "import bisect, heapq, math\n" + "\n".join(
    f"from {one} import *" for one in ("typing", "collections", "functools", "itertools")
)


@dataclass(frozen=True)
class Tests:
    """The tests of a row: for a program (stdin, stdout), for a function (its call, what its value must be)."""

    programs: list[tuple[str, str]]
    calls: list[tuple[list[str], str]]


@register("live_code_bench")
@dataclass
class LiveCodeBench(PythonTask):
    """LiveCodeBench's code generation, or any data with its columns."""

    path: str = setting(
        "lighteval/code_generation_lite",
        "A hub id, a folder with `train` and `test`, or one file. The original repository, "
        "livecodebench/code_generation_lite, is a script, which `datasets` no longer runs: give its JSONL files.",
        path=True,
    )
    subset: str = setting("v4_v5", "The release of the training problems, by its own name.", free=True)
    test_subset: str = setting("v6", "The release of the test problems, by its own name.", free=True)
    tests: int | None = setting(50, "The most tests of a problem, public ones first; null: all.", low=1)
    references: int = 0  # the data has no solutions

    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split.

        Raises:
            DataError: see `Task.load`.
        """
        where = f"the {split} split of {self.path}"
        for row in rows.drawn(lambda: self._rows(split), self.size(split), self.seed, where):
            spec = self._spec(row)
            question = row["question_content"].strip()
            if spec.calls:
                question += f"\n\nStart from:\n{fenced(row['starter_code'], 'python')}"
            yield Problem(f"live_code_bench/{split}/{row['question_id']}", question, "", "", spec.to_json())

    def instruct(self, question: str) -> str:
        """See `with_requirements`."""
        return with_requirements(
            "You are an expert Python programmer. Solve the following problem. If it gives a class to start from, "
            "complete the class; otherwise write a program that reads standard input and writes standard output.",
            question,
            "Reason step by step about how to solve it.",
            "The program must be right and fast enough for every input within the limits.",
            "End with the whole program in one markdown block that starts with ```python.",
        )

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        _, split, name = problem.id.split("/", 2)
        where = self.source(split)
        return rows.place(where.path, where.split, f"question_id {name}", where.subset)

    def source(self, split: Split) -> rows.Source:
        """See `PythonTask.source`. On the hub, every release has one split, which is called test."""
        on_hub = not Path(self.path).expanduser().exists()
        subset = self.test_subset if split == "test" else self.subset
        return rows.Source(self.path, "test" if on_hub else split, subset)

    def _rows(self, split: Split) -> Iterator[Row]:
        for place, row in self.source(split).read():
            lacks = [name for name in COLUMNS if not isinstance(row.get(name), str)]
            if lacks:
                there = columns.nearest_first(lacks[0], row)
                raise DataError(
                    f"{place} has no text as its {lacks[0]}; it has {there}", f"it needs {', '.join(COLUMNS)}"
                )
            yield row | {"place": place}

    def _spec(self, row: Row) -> Spec:
        try:
            found = _tests(row, self.tests)
        except (ValueError, TypeError, KeyError, pickle.UnpicklingError, zlib.error, EOFError) as error:
            raise DataError(f"{row['place']} has tests in another form ({said(error)})", FORM) from error
        entry = json.loads(row["metadata"]).get("func_name", "") if found.calls else ""
        return Spec(
            tests=found.programs,
            calls=found.calls,
            entry_point=f"Solution().{entry}" if entry else "",
            prelude=PRELUDE if found.calls else "",
            seconds=self.seconds,
            memory_mb=self.memory_mb,
            case_sensitive=self.case_sensitive,
            broken=""
            if bool(found.programs) != bool(entry)
            else "its tests are neither of a program nor of a function",
        )


def _tests(row: Row, most: int | None) -> Tests:
    """The tests of a row, public ones first."""
    listed = [*json.loads(row["public_test_cases"]), *_private(row["private_test_cases"])][:most]
    programs = [(one["input"], one["output"]) for one in listed if one["testtype"] == "stdin"]
    calls = [_call(one) for one in listed if one["testtype"] == "functional"]
    return Tests(programs, calls)


def _call(test: dict[str, str]) -> tuple[list[str], str]:
    """A call whose arguments are JSON, a line each, and the condition that its value is the expected one."""
    arguments = [repr(json.loads(line)) for line in test["input"].splitlines() if line.strip()]
    return [f"candidate({', '.join(arguments)})"], f"_values[0] == {json.loads(test['output'])!r}"


def _private(packed: str) -> list[dict[str, str]]:
    """Private tests: a JSON list, or that as text, pickled, compressed and written in base64."""
    try:
        found = json.loads(packed)
    except ValueError:
        found = json.loads(_Text(io.BytesIO(zlib.decompress(base64.b64decode(packed)))).load())
    if not isinstance(found, list):
        raise TypeError("the private tests are not a list")
    return found


class _Text(pickle.Unpickler):
    """Unpickles a text and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every class and function: a text needs none."""
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")
