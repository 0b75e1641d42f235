"""CodeContests (Li et al. 2022): contest problems, solved by programs from stdin to stdout."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from tpt.errors import DataError
from tpt.judges.code.program import Language
from tpt.judges.code.spec import Source, Spec
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks import rows
from tpt.tasks.base import Split, register
from tpt.tasks.code import CodeTask
from tpt.tasks.wording import with_requirements

TEST_KINDS = ("public_tests", "private_tests", "generated_tests")
COLUMNS = ("name", "description", *TEST_KINDS)
SOLUTIONS = "solutions"  # a column that is needed to run reference solutions
NO_SOLUTIONS = "add it; or, if there are none, set task.references=0, and give tpt judge --solutions FILE.jsonl"
# The data set's numbers for the languages judged here; 0 is unknown, 1 Python 2, 4 Java.
SPOKEN: dict[int, Language] = {2: "cpp", 3: "python"}
IMAGE = "<image>"
NAMES = {"python": "Python 3", "cpp": "C++17"}


@register("code_contests")
@dataclass
class CodeContests(CodeTask):
    """CodeContests, or any data with its columns."""

    path: str = setting(
        "deepmind/code_contests",
        "A hub id, a folder with `train` and `test` as JSONL or parquet, or one file.",
        path=True,
    )
    tests: int | None = setting(
        50, "The most tests of a problem: public ones, then private, then generated; null: all.", low=1
    )
    labelled: int | None = setting(
        5, "The most solutions of each label and language that a problem keeps, of up to thousands; null: all.", low=0
    )
    images: bool = setting(
        False,
        "Whether to keep problems whose statement has an image, which a model cannot see; arXiv 2504.18116 evaluates "
        "the 140 test problems without.",
    )

    EVERYTHING: ClassVar[dict[str, Any]] = {"labelled": None, "images": True}

    @property
    def sets(self) -> tuple[Split, ...]:
        """See `Task.sets`."""
        return rows.sets(self.path)

    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split; those with images are left out.

        Raises:
            DataError: see `Task.load`.
        """
        size = self.size(split)
        seen: Counter[str] = Counter()
        for row in rows.drawn(lambda: self._rows(split), size, self.seed, f"the {split} split of {self.path}"):
            spec, name = self.spec(row), row["name"]
            seen[name] += 1
            name += f"#{seen[name]}" if seen[name] > 1 else ""  # a few contests were held twice
            question = row["description"].strip()
            yield Problem(f"code_contests/{split}/{name}", question, "", self.human(spec), spec.to_json())

    def instruct(self, question: str) -> str:
        """See `with_requirements`."""
        return with_requirements(
            f"You are an expert programmer. Solve the following contest problem with a {NAMES[self.language]} program "
            "that reads standard input and writes standard output.",
            question,
            "Reason step by step about how to solve it.",
            "The program must be right and fast enough for every input within the limits.",
            f"End with the whole program in one markdown block that starts with ```{self.language}.",
        )

    def spec(self, row: dict[str, Any]) -> Spec:
        """Tests, limits and labelled solutions of a row.

        Raises:
            DataError: a column is not as in the data set.
        """
        from tpt.judges.code.stdio import by_tokens

        try:
            tests = [pair for kind in TEST_KINDS for pair in _pairs(row[kind])][: self.tests]
            limit, memory = _seconds(row.get("time_limit")), row.get("memory_limit_bytes") or 0
            return Spec(
                tests=tests,
                seconds=limit * self.time_factor if limit else self.seconds,
                memory_mb=max(self.memory_mb, int(memory) // 2**20),
                tolerance=(row["float_tolerance"] or 0.0) if "float_tolerance" in row else None,
                case_sensitive=self.case_sensitive,
                references=self._solutions(row.get(SOLUTIONS)),
                incorrect=self._solutions(row.get("incorrect_solutions")),
                broken=_broken(row, tests, self.checker() is by_tokens),
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise DataError(
                f"{self.path}: problem {row['name']!r} is not as in CodeContests ({type(error).__name__}: {error})",
                "tests are {input: [...], output: [...]}, solutions {language: [...], solution: [...]}",
            ) from error

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        _, split, name = problem.id.split("/", 2)
        return rows.place(self.path, split, f"name {name}")

    def files(self) -> list[Path]:
        """See `Task.files`."""
        return rows.files(self.path)

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        self.check_few_shot(0)

    def _rows(self, split: Split) -> Iterator[dict[str, Any]]:
        for row in rows.rows(self.path, split, COLUMNS):
            if self.references and SOLUTIONS not in row:
                raise DataError(f"{self.path}: problem {row['name']!r} has no column '{SOLUTIONS}'", NO_SOLUTIONS)
            if not isinstance(row["description"], str) or not isinstance(row["name"], str):
                raise DataError(f"{self.path}: a problem has no text as its name and description", "fix or remove it")
            if self.images or IMAGE not in row["description"]:
                yield row

    def _solutions(self, solutions: dict[str, list[Any]] | None) -> list[Source]:
        """Solutions in the languages judged here."""
        if not solutions:
            return []
        pairs = list(zip(solutions["language"], _texts(solutions["solution"]), strict=True))
        return [
            (language, source)
            for number, language in SPOKEN.items()
            for source in islice((source for one, source in pairs if one == number), self.labelled)
        ]


def _broken(row: dict[str, Any], tests: list[tuple[str, str]], one_answer: bool) -> str:
    """Why a problem cannot be judged by its tests; "" if it can."""
    if row.get("input_file"):
        return f"it reads the file {row['input_file']}, not stdin"
    if one_answer and tests and not any(expected.strip() for _, expected in tests):
        return "its tests expect no output"  # a program that prints nothing would be correct
    return "" if tests else "it has no tests"


def _pairs(tests: dict[str, list[str]] | None) -> list[tuple[str, str]]:
    return list(zip(_texts(tests["input"]), _texts(tests["output"]), strict=True)) if tests else []


def _texts(values: list[Any]) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(f"not a list: {values!r:.50}")
    wrong = [value for value in values if not isinstance(value, str)]
    if wrong:
        raise TypeError(f"not a text: {wrong[0]!r}")
    return values


def _seconds(limit: dict[str, int] | None) -> float:
    return (limit.get("seconds") or 0) + (limit.get("nanos") or 0) / 1e9 if limit else 0.0
