"""How a wrong solution differs from a right one, step by step.

Steps are aligned first, then the words within steps that stand beside each other, both by difflib. A step is matched by
its form, in which all numbers are alike: so `Then Ann has 24 - 9 = 16 pens.` stands beside `Then Ann has 24 - 9 = 15
pens.`, however many steps lie between them and the solutions' ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from tpt.analysis.variety import words

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Beside:
    """A step of a wrong solution, and the step of a right one beside it; "" where the other has none.

    Attributes:
        edits: words to be inserted, deleted or replaced to turn one into the other; 0 if they are equal.
    """

    wrong: str
    right: str
    edits: int

    @property
    def same(self) -> bool:
        """Whether the steps are equal."""
        return self.wrong == self.right

    @property
    def same_form(self) -> bool:
        """Whether the steps are equal except for their numbers."""
        return form(self.wrong) == form(self.right)


def form(step: str) -> str:
    """A step in which all numbers are alike."""
    return _NUMBER.sub("0", step)


def align(wrong: list[str], right: list[str]) -> list[Beside]:
    """The steps of two solutions beside each other, in order."""
    return [Beside(ours, theirs, edits(ours, theirs)) for ours, theirs in _beside(wrong, right)]


def _beside(wrong: list[str], right: list[str]) -> Iterator[tuple[str, str]]:
    matcher = SequenceMatcher(None, [form(one) for one in wrong], [form(one) for one in right], autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        yield from zip_longest(wrong[start:end], right[other_start:other_end], fillvalue="")


def edits(one: str, other: str) -> int:
    """How many words are inserted, deleted or replaced from one step to another."""
    ours, theirs = words(one), words(other)
    opcodes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    return sum(max(end - start, last - begin) for tag, start, end, begin, last in opcodes if tag != "equal")


def is_local_slip(aligned: list[Beside]) -> bool:
    """Whether one step is changed and the rest follows from it.

    Each step has one beside it; those before the first that differs are equal by that; those after it are equal except
    for their numbers, which follow from the changed one. The changed step may differ in any way.
    """
    differing = [place for place, one in enumerate(aligned) if not one.same]
    if not differing or any(not (one.wrong and one.right) for one in aligned):
        return False
    return all(one.same_form for one in aligned[differing[0] + 1 :])
