"""Where sequences differ: by hand, and what holds for any two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.analysis.spans import distances, is_between, nearest, span

IDS = st.lists(st.integers(0, 3), max_size=12)


def test_a_span_by_hand() -> None:
    found = span([1, 2, 3, 4, 5], [1, 2, 9, 9, 4, 5])
    assert (found.start, found.wrong, found.right) == (2, 1, 2)
    assert found.length == 2
    assert found.share == pytest.approx(2 / 6)
    assert found.place == pytest.approx(2 / 5)


def test_something_left_out_is_as_long_as_what_is_missing() -> None:
    found = span([1, 2], [1, 7, 7, 2])
    assert (found.wrong, found.right, found.length) == (0, 2, 2)


def test_a_repeated_element_is_not_counted_at_both_ends() -> None:
    found = span([1, 1], [1, 1, 1])
    assert (found.start, found.wrong, found.right) == (2, 0, 1)


@given(IDS)
def test_the_span_of_equal_sequences_is_0(ids: list[int]) -> None:
    found = span(ids, ids)
    assert found.length == found.share == 0
    assert found.start == len(ids)


@given(IDS, IDS)
def test_a_span_is_what_lies_between_the_common_ends(wrong: list[int], right: list[int]) -> None:
    found = span(wrong, right)
    end = len(wrong) - found.start - found.wrong
    assert end == len(right) - found.start - found.right >= 0
    assert wrong[: found.start] == right[: found.start]
    assert wrong[len(wrong) - end :] == right[len(right) - end :]
    ours = wrong[found.start : found.start + found.wrong]
    theirs = right[found.start : found.start + found.right]
    assert not (ours and theirs) or (ours[0] != theirs[0] and ours[-1] != theirs[-1])
    assert 0 <= found.share <= 1
    assert 0 <= found.place <= 1
    assert (found.length == 0) == (wrong == right)
    assert span(right, wrong).length == found.length


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
def test_no_more_is_edited_than_the_span_holds(one: list[int], others: list[list[int]]) -> None:
    at, least = nearest(one, others)
    assert least <= span(one, others[at]).length
    assert all(least <= edits(one, other) for other in others)


def test_a_value_on_an_edge_falls_into_the_upper_bin_but_the_last_edge() -> None:
    assert [is_between(value, (0, 0.5, 1)) for value in (0, 0.49, 0.5, 1)] == [0, 0, 1, 1]
