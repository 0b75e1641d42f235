"""The task: three times a number."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpt.records import Problem
from tpt.tasks import Split, Task


@dataclass
class Tripling(Task):
    largest: int = 60

    def load(self, split: Split) -> Iterator[Problem]:
        for number in range(0 if split == "train" else 1, self.largest, 2)[: self.size(split)]:
            gold = str(3 * number)
            yield Problem(f"tripling/{split}/{number}", f"What is three times {number}?", gold, f"#### {gold}")

    def instruct(self, question: str) -> str:
        return question
