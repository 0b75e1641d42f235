"""How many edits a sequence of tokens is away from others."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


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
