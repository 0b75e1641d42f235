"""Edits between sequences are those of the textbook."""

from hypothesis import given
from hypothesis import strategies as st

from tpt.analysis.edits import distances, nearest

IDS = st.lists(st.integers(0, 3), max_size=12)


def edits(one: list[int], other: list[int]) -> int:
    """The textbook's table."""
    table = [[max(i, j) for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
    return table[-1][-1]


@given(IDS, st.lists(IDS, min_size=1, max_size=5))
def test_distances_are_those_of_the_textbook(one: list[int], others: list[list[int]]) -> None:
    assert distances(one, others).tolist() == [edits(one, other) for other in others]


@given(IDS, st.lists(IDS, min_size=1, max_size=5))
def test_the_nearest_is_the_first_of_those_with_the_fewest_edits(one: list[int], others: list[list[int]]) -> None:
    at, least = nearest(one, others)
    assert least == edits(one, others[at])
    assert all(least < edits(one, other) for other in others[:at])
    assert all(least <= edits(one, other) for other in others)
