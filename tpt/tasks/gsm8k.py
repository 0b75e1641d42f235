"""GSM8K (Cobbe et al. 2021): grade-school problems, from the hub or from local files with the same columns."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt.errors import DataError
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks.base import Split, Task, register
from tpt.tasks.rows import files, local, place, rows, sets
from tpt.tasks.wording import with_requirements

COLUMNS = ("question", "answer")
CALCULATION = re.compile(r"<<[^<>]*>>")  # the data set's calculator annotations

# Written by hand in the style of the data set, but not from it.
SHOTS = [
    (
        "A bakery sells 14 loaves in the morning and twice as many in the afternoon. Each loaf costs $3. "
        "How many dollars does it take in?",
        "In the afternoon it sells 14 * 2 = 28 loaves.\nIn all it sells 14 + 28 = 42 loaves.\n"
        "It takes in 42 * 3 = 126 dollars.\n#### 126",
    ),
    (
        "Lena reads 12 pages a day. Her book has 156 pages. She has read for 5 days. How many days are left?",
        "She has read 12 * 5 = 60 pages.\n156 - 60 = 96 pages are left.\nThat takes 96 / 12 = 8 days.\n#### 8",
    ),
    (
        "A tank holds 80 liters and is a quarter full. A pump adds 15 liters a minute. "
        "After how many minutes is it full?",
        "The tank holds 80 / 4 = 20 liters now.\n80 - 20 = 60 liters are missing.\n"
        "That takes 60 / 15 = 4 minutes.\n#### 4",
    ),
    (
        "Omar earns $18 an hour and works 6 hours a day for 5 days. He pays 20% of it in tax. How much does he keep?",
        "He works 6 * 5 = 30 hours.\nHe earns 30 * 18 = 540 dollars.\nThe tax is 540 * 0.2 = 108 dollars.\n"
        "He keeps 540 - 108 = 432 dollars.\n#### 432",
    ),
]


@register("gsm8k")
@dataclass
class Gsm8k(Task):
    """GSM8K, or any data with its columns."""

    path: str = setting(
        "openai/gsm8k",
        "A hub id, a folder with `train` and `test` as JSONL or parquet (columns `question` and `answer`), or one "
        "file.",
        path=True,
    )
    subset: str = setting("main", "The configuration of the hub data set, by its own name.", free=True)

    @property
    def sets(self) -> tuple[Split, ...]:
        """See `Task.sets`."""
        return sets(self.path)

    def load(self, split: Split) -> Iterator[Problem]:
        """All problems of the split, or `train_size`/`test_size` of them drawn by `seed`, in the file's order.

        Raises:
            DataError: see `Task.load`.
        """
        from tpt.judges.gold import gold_answer, readable_gold

        all_rows = list(self._rows(split))
        size = self.size(split)
        if size is not None and size > len(all_rows):
            raise DataError(
                f"{self.requested(split)}, but the {split} split has {len(all_rows)} problems", "request fewer"
            )
        kept = range(len(all_rows))
        chosen = list(kept) if size is None else sorted(random.Random(self.seed).sample(kept, size))
        for index in chosen:
            question, answer = all_rows[index]
            if not readable_gold(answer):
                raise DataError(
                    f"{self._source(split)}: problem {index + 1} ({question[:60]!r}) has no readable gold answer: "
                    f"{gold_answer(answer)[:60]!r}",
                    "an answer must end with a line `#### ` and a number; fix or remove that problem",
                )
            solution = CALCULATION.sub("", answer).strip()
            yield Problem(f"gsm8k/{split}/{index}", question, gold_answer(answer), solution)

    def instruct(self, question: str) -> str:
        """The paper's prompt, reworded; see `with_requirements`."""
        return with_requirements(
            "You are an expert mathematician. Solve the following problem step by step and show every calculation.",
            question,
            "Give a complete and correct solution in a markdown block.",
            "Explain each step.",
            "End with the numeric answer alone on a new line, as `#### [Answer]`.",
        )

    def worked_examples(self) -> list[tuple[str, str]]:
        """Worked examples that are not in the data set."""
        return SHOTS[: self.few_shot]

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        _, split, index = problem.id.split("/")
        return place(self.path, split, f"row {int(index) + 1}", None if self.files() else self.subset)

    def files(self) -> list[Path]:
        """See `Task.files`."""
        return files(self.path)

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        self.check_few_shot(len(SHOTS))

    def _source(self, split: Split) -> str:
        found = local(self.path, split)
        return ", ".join(map(str, found)) if found else f"{self.path} ({split})"

    def _rows(self, split: Split) -> Iterator[tuple[str, str]]:
        numbered = enumerate(rows(self.path, split, COLUMNS, self.subset), 1)
        return (_texts(row, f"{self._source(split)}: problem {number}") for number, row in numbered)


def _texts(row: dict[str, Any], where: str) -> tuple[str, str]:
    for column in COLUMNS:
        if not isinstance(row[column], str):
            raise DataError(f"{where} has no text as its {column}, but {row[column]!r}", "fix or remove that problem")
    return row["question"], row["answer"]
