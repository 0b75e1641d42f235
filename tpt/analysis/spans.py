"""Where a wrong solution differs from a right one."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """The part of two sequences between their common beginning and their common end.

    Attributes:
        start: elements of the common beginning.
        wrong, right: elements of the part that differs, of either sequence.
        wrong_total, right_total: elements of the whole sequences.
    """

    start: int
    wrong: int
    right: int
    wrong_total: int
    right_total: int

    @property
    def length(self) -> int:
        """Elements of the longer of the two differing parts; 0 where the sequences are equal."""
        return max(self.wrong, self.right)

    @property
    def share(self) -> float:
        """The length as a share of the longer sequence, in [0, 1]."""
        return self.length / max(1, self.wrong_total, self.right_total)

    @property
    def place(self) -> float:
        """Where the wrong sequence leaves the right one, as a share of its length, in [0, 1]."""
        return self.start / max(1, self.wrong_total)


def span(wrong: Sequence[Hashable], right: Sequence[Hashable]) -> Span:
    """The differing span of two sequences; the common beginning is taken off first, so the two never overlap."""
    start = _common(wrong, right)
    end = _common(wrong[start:][::-1], right[start:][::-1])
    return Span(start, len(wrong) - start - end, len(right) - start - end, len(wrong), len(right))


def _common(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def distances(one: Sequence[int], others: Sequence[Sequence[int]]) -> Ints:
    """Levenshtein distances of one sequence of token ids from each of some others, shape (others,).

    All others are gone through at once, a row of the usual table for each token of `one`.
    """
    lengths = np.array([len(other) for other in others])
    longest = int(lengths.max(initial=0))
    table = np.full((len(others), longest), -1)
    for at, other in enumerate(others):
        table[at, : len(other)] = other
    columns = np.arange(longest + 1)
    row = np.tile(columns, (len(others), 1))
    for number, token in enumerate(one, 1):
        best = np.minimum(row[:, 1:] + 1, row[:, :-1] + (table != token))
        row = np.column_stack([np.full(len(others), number), best])
        # An insertion costs 1 a column: the running minimum of what is above the diagonal.
        row = np.minimum.accumulate(row - columns, axis=1) + columns
    found: Ints = row[np.arange(len(others)), lengths]
    return found


def nearest(one: Sequence[int], others: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Which of some sequences is the fewest edits away, the first of equals, and how many edits that is."""
    found = distances(one, others)
    best = int(found.argmin())
    return best, int(found[best])


def is_between(value: float, edges: Sequence[float]) -> int:
    """Which of the bins between ascending edges a value falls into; the last one holds its upper edge."""
    return next((at for at, (_, high) in enumerate(pairwise(edges)) if value < high), len(edges) - 2)
