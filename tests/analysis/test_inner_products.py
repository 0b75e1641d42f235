"""Estimates of inner products against toys whose expected gradients are computed exactly."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.analysis.inner_products import (
    FEWEST,
    LEVELS,
    Floats,
    Scores,
    across,
    agreement,
    cosine,
    jackknife,
    one_of,
    plugged_in,
    products,
    right,
    wrong,
)
from tpt.evaluate.intervals import Interval

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from toy_gradients import Toy


def apart(one: Floats, other: Floats) -> float:
    """The mean inner product of one problem's vector and another's."""
    gram = one @ other.T
    return float((gram.sum() - np.trace(gram)) / (len(gram) * (len(gram) - 1)))


def alike(one: Floats, other: Floats) -> float:
    return float((one * other).sum(1).mean())


EXACT = {"within": alike, "across": apart}


def off(found: list[float], exact: float) -> float:
    """How many standard errors the mean of the replications is from the exact value."""
    values = np.array(found)
    return float(abs(values.mean() - exact) / (values.std(ddof=1) / np.sqrt(len(values))))


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy.make(problems=5)


@pytest.fixture(scope="module")
def draws(toy: Toy) -> list[Scores]:
    rng = np.random.default_rng(1)
    return [toy.draw(3, rng) for _ in range(1500)]


def test_the_two_sides_are_opposite_whether_errors_are_local_or_not(toy: Toy) -> None:
    chance, plus, minus = toy.exact
    np.testing.assert_allclose(plus + minus, 0, atol=1e-12)
    weighed_alike = plus / chance[:, None] - minus / (1 - chance[:, None])
    np.testing.assert_allclose(weighed_alike, plus / (chance * (1 - chance))[:, None], atol=1e-12)


def test_samples_of_another_temperature_leave_a_residual(toy: Toy) -> None:
    _, plus, minus = toy.exact_at(0.8)
    assert alike(plus + minus, plus + minus) > 0.01 * alike(plus, plus)


@pytest.mark.parametrize("level", LEVELS)
def test_inner_products_are_unbiased(level: str, toy: Toy, draws: list[Scores]) -> None:
    inner, exact = LEVELS[level], EXACT[level]
    _, plus, minus = toy.exact
    cases = ((right, right, exact(plus, plus)), (wrong, wrong, exact(minus, minus)), (right, wrong, exact(plus, minus)))
    for one, other, expected in cases:
        assert off([inner(one(drawn), other(drawn))[0] for drawn in draws], expected) < 4


def test_products_of_independent_samples_are_unbiased(toy: Toy, draws: list[Scores]) -> None:
    rng = np.random.default_rng(2)
    _, _, minus = toy.exact
    _, tempered, _ = toy.exact_at(0.8)
    for level, inner in LEVELS.items():
        found = [inner(right(toy.draw(2, rng, temperature=0.8)), wrong(drawn))[0] for drawn in draws]
        assert off(found, EXACT[level](tempered, minus)) < 4


def test_squares_of_plain_means_are_not(toy: Toy, draws: list[Scores]) -> None:
    """What the analysis did before: the product of a mean with itself, which adds its variance."""
    _, plus, _ = toy.exact
    assert off([alike(right(one).sums, right(one).sums) for one in draws], alike(plus, plus)) > 20


def test_the_gradient_on_one_right_solution_of_some_is_unbiased(toy: Toy, draws: list[Scores]) -> None:
    chance, plus, _ = toy.exact
    of_two = plus / chance[:, None] * (1 - (1 - chance[:, None]) ** 2)
    found = [across(one_of(drawn, 2), right(drawn))[0] for drawn in draws]
    assert off(found, apart(of_two, plus)) < 4
    assert off(found, apart(plus, plus)) > 4, "which all right samples would give"


def test_the_figures_become_those_of_the_theorem_and_plain_means_do_not() -> None:
    drawn = Toy.make(problems=40).draw(64, np.random.default_rng(3))
    errors = []
    for level in LEVELS:
        found = products(drawn, level).figures(0.95)
        for name, exact in (("cosine", 1), ("ratio", 2), ("sides", -1), ("residual", 0)):
            told = found[name]
            assert told is not None
            errors.append(abs(told.value - exact))
    assert max(errors) < 0.2
    sides, _ = plugged_in(drawn.first(2))
    assert sides > -0.5


def test_samples_of_another_temperature_are_found_not_to_be_opposite() -> None:
    toy, rng = Toy.make(problems=60), np.random.default_rng(4)
    found = products(toy.draw(200, rng, temperature=0.5), "across").figures(0.95)["residual"]
    _, plus, minus = toy.exact_at(0.5)
    assert found is not None
    assert found.low > 0
    assert found.low < apart(plus + minus, plus + minus) / apart(plus, plus) < found.high


def test_intervals_cover_the_draw_of_problems_and_of_samples() -> None:
    """300 studies of 20 problems each, of 3,000: about 95 % of the intervals hold the inner product over all 3,000."""
    rng, many = np.random.default_rng(5), Toy.make(problems=3000)
    _, plus, minus = many.exact
    expected = apart(plus, minus)
    held = 0
    for _ in range(300):
        drawn = many.draw(4, rng, problems=rng.choice(3000, 20, replace=False))
        told = jackknife(across(right(drawn), wrong(drawn)), 0.95)
        held += told.low <= expected <= told.high
    assert 0.9 <= held / 300 <= 0.99


def test_of_few_problems_or_of_noise_no_figure_is_told(toy: Toy) -> None:
    few = products(Toy.make(FEWEST - 1).draw(8, np.random.default_rng(0)), "within")
    assert set(few.figures(0.95).values()) == {None}
    noise = np.random.default_rng(0).normal(size=(2, 30, 4, 50)).astype(np.float32)
    labels = np.random.default_rng(1).random((2, 30, 4)) < 0.5
    one, other = (right(Scores(vectors, is_right)) for vectors, is_right in zip(noise, labels, strict=True))
    assert cosine(across(one, other), across(one, one), across(other, other), 0.95) is None


@given(st.floats(-3, 3), st.floats(0, 2), st.floats(0, 1), st.floats(-3, 3), st.floats(0.01, 1))
def test_a_wider_interval_never_agrees_more(
    middle: float, half: float, more: float, claim: float, margin: float
) -> None:
    narrow = agreement(Interval(middle, middle - half, middle + half), claim, margin)
    wide = agreement(Interval(middle, middle - half - more, middle + half + more), claim, margin)
    assert wide in (narrow, "cannot be told")
    assert narrow != "agrees" or half <= margin


def test_an_interval_that_merely_holds_the_claim_does_not_agree_with_it() -> None:
    assert agreement(Interval(1.5, 0.9, 2.1), 2, 0.2) == "cannot be told"
    assert agreement(Interval(1.95, 1.85, 2.05), 2, 0.2) == "agrees"
    assert agreement(Interval(1.2, 1.0, 1.4), 2, 0.2) == "does not agree"
    assert agreement(None, 2, 0.2) == "cannot be told"
