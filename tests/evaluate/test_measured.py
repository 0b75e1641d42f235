"""Figures of other programs: found wherever they are in the JSON, with no more certainty than they come with."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tpt.artefacts import Measurement
from tpt.errors import CommandError
from tpt.evaluate.intervals import (
    Interval,
    counted_interval,
    gain_interval,
    independent_difference,
    normal_interval,
    share_interval,
)
from tpt.evaluate.measured import at, figures, interval, leaves

KEYS = st.text("ab,.|", min_size=1, max_size=4)
JSON = st.recursive(
    st.integers(0, 9),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)
HARNESS = {
    "results": {"hellaswag": {"acc,none": 0.25, "acc_stderr,none": 0.04, "alias": "hellaswag"}},
    "n-samples": {"hellaswag": {"effective": 100}},
    "nothing": {"acc": math.nan},
    "done": True,
}


@given(JSON)
def test_every_number_is_found_at_its_own_path_whatever_its_keys_are(value: Any) -> None:
    for where, number in leaves(value):
        if where:
            assert number in list(at(value, where))


def written(folder: Path, value: Any) -> Path:
    path = folder / "out.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_figure_has_the_standard_error_and_the_count_that_stand_beside_it(tmp_path: Path) -> None:
    path, where = written(tmp_path, HARNESS), {"acc": "results.hellaswag.acc,none"}
    found = figures("c", path, where, {"acc": "results.hellaswag.acc_stderr,none"}, {})["acc"]
    assert found == {"value": 0.25, "error": 0.04, "count": None}
    assert interval(found, 0.95) == normal_interval(0.25, 0.04, 0.95)
    found = figures("c", path, where, {}, {"acc": "n-samples.hellaswag.effective"})["acc"]
    assert interval(found, 0.95) == counted_interval(0.25, 100, 0.95)


@pytest.mark.parametrize("where", ["results.hellaswag.alias", "no.such", "nothing.acc"])
def test_without_a_standard_error_there_is_no_interval(where: str, tmp_path: Path) -> None:
    found = figures("c", written(tmp_path, HARNESS), {"acc": "results.hellaswag.acc,none"}, {"acc": where}, {})["acc"]
    assert interval(found, 0.95) is None


def test_outcomes_that_are_all_alike_are_not_certain_of_what_others_would_be() -> None:
    alone, counted = (Measurement(value=1.0, error=0.0, count=count) for count in (None, 12))
    assert interval(alone, 0.95) is None
    assert interval(counted, 0.95) == counted_interval(1.0, 12, 0.95)


@pytest.mark.parametrize(
    ("value", "where", "message", "hint"),
    [
        ("{", "a", "is no JSON", "must write JSON"),
        ("", "a", "is no JSON", "must write JSON"),
        ([], "a", "has no a", "there are no numbers"),
        (HARNESS, "results.hellaswag.acc", "has no results.hellaswag.acc", "first: results.hellaswag.acc,none"),
        (HARNESS, "results.hellaswag.alias", 'is "hellaswag", and not a number', "the path of a number"),
        (HARNESS, "results.hellaswag", "and not a number", "the path of a number"),
        (HARNESS, "nothing.acc", "is NaN, and not a number", "the path of a number"),
        (HARNESS, "done", "is true, and not a number", "the path of a number"),
    ],
)
def test_json_without_the_figure_is_refused_with_what_there_is(
    value: Any, where: str, message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError) as caught:
        figures("commands.c", written(tmp_path, value), {"acc": where}, {}, {})
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_count_is_of_a_share(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no share of them"):
        figures("commands.c", written(tmp_path, {"loss": 2.5, "n": 9}), {"loss": "loss"}, {}, {"loss": "n"})


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.9, 0.95]))
def test_a_counted_share_has_the_interval_of_its_answers(right: int, count: int, confidence: float) -> None:
    assume(right <= count)
    outcomes = np.array([1.0] * right + [0.0] * (count - right))
    one, other = counted_interval(right / count, count, confidence), share_interval(outcomes, confidence)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1), st.floats(0.001, 1))
def test_an_unpaired_difference_adds_variances(one: float, other: float, error: float, beside: float) -> None:
    found = independent_difference(normal_interval(one, error, 0.95), normal_interval(other, beside, 0.95))
    together = normal_interval(one - other, math.hypot(error, beside), 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((together.value, together.low, together.high))


def test_a_paired_difference_of_like_answers_is_narrower_than_an_unpaired_one() -> None:
    before = np.array([1.0] * 50 + [0.0] * 50)
    after = np.array([1.0] * 55 + [0.0] * 45)
    paired = gain_interval(after, before, 0.95)
    unpaired = independent_difference(counted_interval(0.55, 100, 0.95), counted_interval(0.5, 100, 0.95))
    assert width(paired) < width(unpaired)


def width(one: Interval) -> float:
    return one.high - one.low
