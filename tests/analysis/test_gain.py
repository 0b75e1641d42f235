"""The parts of a gain add up to it, and each is what it says."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpt.analysis.gain import counted, moves, outlooks
from tpt.analysis.parts import PARTS, split
from tpt.analysis.samples import Judged
from tpt.records import Sample, Status, Verdict

RIGHT, WRONG, FORMLESS = Status.CORRECT, Status.WRONG, Status.NO_ANSWER
Kind = tuple[Status, int, str]  # strict verdict, length in tokens, why it ended


def judged(kinds: Sequence[Kind]) -> list[Judged]:
    return [
        (Sample("p", index, [], [1] * length, "", finish), Verdict("p", index, status, status, status))
        for index, (status, length, finish) in enumerate(kinds)
    ]


def parts(before: Sequence[Kind], after: Sequence[Kind]) -> dict[str, float]:
    """The parts of the gain on thirty problems with the same samples."""
    found = split([judged(before)] * 30, [judged(after)] * 30, 0.95, 0)
    return {one.name: round(one.value, 9) for one in found if round(one.value, 9)}


HALF: list[Kind] = [(RIGHT, 10, "stop"), (WRONG, 10, "stop")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([(FORMLESS, 10, "stop")] * 2 + HALF, HALF * 2, {"format": 0.25}),
        ([(FORMLESS, 99, "length")] * 2 + HALF, HALF * 2, {"cut off": 0.25}),
        ([(WRONG, 10, "stop"), *HALF, (WRONG, 10, "stop")], [*HALF, *HALF], {"the rest": 0.25}),
        # Short samples are right and long ones wrong, before and after; after, more of them are short.
        (
            [(RIGHT, 10, "stop")] + [(WRONG, 50, "stop")] * 3,
            [(RIGHT, 10, "stop")] * 3 + [(WRONG, 50, "stop")],
            {"length": 0.5},
        ),
        (HALF, HALF, {}),
    ],
)
def test_a_gain_that_comes_from_one_thing_alone_has_one_part(
    before: list[Kind], after: list[Kind], expected: dict[str, float]
) -> None:
    assert parts(before, after) == expected


KINDS = st.tuples(
    st.sampled_from([RIGHT, WRONG, FORMLESS, Status.JUDGE_ERROR]),
    st.integers(1, 40),
    st.sampled_from(["stop", "length"]),
)
PROBLEMS = st.lists(
    st.tuples(st.lists(KINDS, min_size=1, max_size=4), st.lists(KINDS, min_size=1, max_size=4)), min_size=1
)


@settings(deadline=None, max_examples=40)
@given(PROBLEMS)
def test_the_parts_add_up_to_the_gain(problems: list[tuple[list[Kind], list[Kind]]]) -> None:
    def rate(side: Sequence[Sequence[Kind]]) -> float:
        return sum(sum(kind[0] is RIGHT for kind in of) / len(of) for of in side) / len(side)

    before, after = zip(*problems, strict=True)
    found = split([judged(one) for one in before], [judged(one) for one in after], 0.95, 0)
    assert [one.name for one in found] == list(PARTS)
    assert sum(one.value for one in found) == pytest.approx(rate(after) - rate(before))


def test_the_interval_of_a_part_is_over_problems() -> None:
    """Ten of thirty problems gain everything through form: the part is a third, give or take two standard errors."""
    side = [judged([(FORMLESS, 10, "stop")])] * 10 + [judged([(WRONG, 10, "stop")])] * 20
    after = [judged([(RIGHT, 10, "stop")])] * 10 + [judged([(WRONG, 10, "stop")])] * 20
    found = split(side, after, 0.95, 0)
    whole = sum(one.value for one in found)
    assert whole == pytest.approx(1 / 3)
    assert sum(one.low for one in found) < 1 / 3 - 0.1 and sum(one.high for one in found) > 1 / 3 + 0.1


def test_problems_are_won_lost_better_and_worse() -> None:
    before = {"won": (4, 0), "lost": (4, 1), "better": (4, 1), "same": (4, 2), "fewer samples": (4, 2)}
    after = {"won": (4, 1), "lost": (4, 0), "better": (4, 3), "same": (4, 2), "fewer samples": (2, 1)}
    found = moves(before, after)
    assert (found.won, found.lost, found.better, found.worse) == (1, 1, 2, 1)
    assert found.chance == 1.0
    assert moves({str(one): (1, 0) for one in range(6)}, {str(one): (1, 1) for one in range(6)}).chance == 2 / 2**6


def test_a_round_is_seen_with_what_the_next_one_gained() -> None:
    rounds = {0: {"a": (2, 0), "b": (2, 1)}, 1: {"a": (2, 1), "b": (2, 2)}}
    found = outlooks(rounds, {1: 7})
    assert (found[0].headroom, found[0].mixed, found[0].new, found[0].next_gain) == (0.25, 0.5, None, 0.5)
    assert (found[1].headroom, found[1].mixed, found[1].new, found[1].next_gain) == (0.25, 0.5, 7, None)
    assert counted({"a": judged(HALF)}) == {"a": (2, 1)}
