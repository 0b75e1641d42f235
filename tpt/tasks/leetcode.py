"""LeetCode problems with function calls (`class Solution`), judged by their assertions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt.errors import ConfigError, DataError
from tpt.judges.code.program import fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks import rows
from tpt.tasks.base import Split, register
from tpt.tasks.code import CodeTask
from tpt.tasks.wording import with_requirements

COLUMNS = ("task_id", "problem_description", "starter_code", "prompt", "entry_point", "test")
REFERENCE = "completion"  # an optional column


@register("leetcode")
@dataclass
class LeetCode(CodeTask):
    """LeetCodeDataset (Xia et al. 2025), or any data with its columns."""

    path: str = setting(
        "newfacade/LeetCodeDataset",
        "A hub id, a folder with `train` and `test` as JSONL or parquet, or one file.",
        path=True,
    )
    seconds: float = 10.0

    @property
    def sets(self) -> tuple[Split, ...]:
        """See `Task.sets`."""
        return rows.sets(self.path)

    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split.

        Raises:
            DataError: see `Task.load`.
        """
        from tpt.judges.code.calls import assertions

        size = self.size(split)
        for row in rows.drawn(lambda: self._rows(split), size, self.seed, f"the {split} split of {self.path}"):
            reference = row.get(REFERENCE) or ""
            calls = assertions(row["test"])
            spec = Spec(
                calls=calls or [],
                entry_point=row["entry_point"],
                prelude=row["prompt"],
                seconds=self.seconds,
                memory_mb=self.memory_mb,
                references=[("python", reference)] if reference.strip() else [],
                broken="" if calls else "its test is more than a list of assertions on `candidate`",
            )
            question = f"{row['problem_description'].strip()}\n\nStart from:\n{fenced(row['starter_code'], 'python')}"
            solution = fenced(reference, "python") if reference.strip() else ""
            yield Problem(f"leetcode/{split}/{row['task_id']}", question, "", solution, spec.to_json())

    def instruct(self, question: str) -> str:
        """See `with_requirements`."""
        return with_requirements(
            "You are an expert Python programmer. Solve the following problem by completing the class Solution.",
            question,
            "Reason step by step about how to solve it.",
            "Keep the names and parameters that are given.",
            "End with the whole class in one markdown block that starts with ```python.",
        )

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        _, split, name = problem.id.split("/", 2)
        return rows.place(self.path, split, f"task_id {name}")

    def files(self) -> list[Path]:
        """See `Task.files`."""
        return rows.files(self.path)

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        self.check_few_shot(0)
        if self.language != "python":
            raise ConfigError(f"task.language={self.language}: LeetCode's assertions are Python", "leave it out")

    def _rows(self, split: Split) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows.rows(self.path, split, COLUMNS), 1):
            texts = COLUMNS if row.get(REFERENCE) is None else (*COLUMNS, REFERENCE)
            wrong = [column for column in texts if not isinstance(row[column], str)]
            if wrong:
                raise DataError(
                    f"{self.path}: problem {number} has no text as its {wrong[0]}, but {row[wrong[0]]!r}",
                    "fix or remove that problem",
                )
            yield row
