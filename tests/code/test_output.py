"""When an output is the expected one."""

import tracemalloc
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.judges.code import output
from tpt.judges.code.output import same


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"7\n", b"7"),
        (b"1 2 3", b"1 2 3 \n\n"),
        (b"1\n2\n3\n", b"1 2 3"),
        (b"yes", b"YES\n"),
        (b"0.50000", b"0.5"),
        (b"0.3333333", b"0.333333333333"),
        (b"1000000.5", b"1000000.499999"),
        (b"1e-7", b"0.0"),
        (b"", b"\n"),
        (b"7\r\n", b"7\n"),
    ],
)
def test_space_case_and_the_end_of_a_decimal_do_not_count(printed: bytes, expected: bytes) -> None:
    assert same(printed, expected)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"8", b"7"),
        (b"7 7", b"7"),
        (b"", b"7"),
        (b"12", b"1 2"),
        (b"7.0", b"7"),
        (b"0.51", b"0.5"),
        (b"nan", b"0.5"),
        (b"inf", b"1.5"),
        (b"1_0.5", b"10.5"),
        (b"007", b"7"),
        (b"7\x00", b"7"),
        (b"1000000007", b"1000000008"),
        (b"\xff\xfe", b"7"),
        (b"1" * 400, b"1.5"),
        (b"1e999", b"2e999"),
        (b"7" * 10**6 + b"x", b"7.5"),  # quick to refuse, too
        (b"7e" * 10**6, b"7.5"),
    ],
)
def test_another_answer_is_wrong(printed: bytes, expected: bytes) -> None:
    assert not same(printed, expected)


def test_a_problem_may_allow_a_tolerance_or_none() -> None:
    assert same(b"7.01", b"7", tolerance=0.1)
    assert not same(b"7.2", b"7", tolerance=0.01)
    assert not same(b"0.50", b"0.5", tolerance=0)


def test_case_may_count() -> None:
    assert not same(b"Yes", b"YES", case_sensitive=True)


tokens = st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Z", "C"]), min_size=1), min_size=1)


@given(tokens, st.sampled_from([" ", "\n", " \n", "\t"]))
def test_only_the_tokens_count(words: list[str], space: str) -> None:
    assert same((space.join(words) + space).encode(), " ".join(words).encode())


@given(tokens, tokens)
def test_the_comparison_does_not_depend_on_which_is_which_for_words(one: list[str], other: list[str]) -> None:
    left, right = " ".join(one).encode(), " ".join(other).encode()
    assert same(left, right, tolerance=0) == same(right, left, tolerance=0)


SPACE = " \t\n\r\v\f"
outputs = st.text(st.sampled_from(SPACE + "01.eE-x\x1c\x85"), max_size=40).map(str.encode)


def by_lists(printed: bytes, expected: bytes) -> bool:
    """What `same` says, said simply."""
    mine, theirs = printed.lower().split(), expected.lower().split()
    return len(mine) == len(theirs) and all(
        one == other or same(one, other) for one, other in zip(mine, theirs, strict=True)
    )


@given(outputs, outputs, st.integers(1, 5))
def test_an_output_compared_piece_by_piece_is_compared_token_by_token(one: bytes, other: bytes, piece: int) -> None:
    respaced = b"\v".join(one.split()) + b"\f"
    with patch.object(output, "_PIECE", piece):
        assert same(one, respaced)
        assert same(one, other) == by_lists(one, other)


def test_an_output_of_small_tokens_takes_little_memory_to_compare() -> None:
    printed, expected = b"7 " * 10**6, b"7\n" * 10**6
    tracemalloc.start()
    try:
        assert same(printed, expected)
        assert not same(printed, expected + b"7")
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
