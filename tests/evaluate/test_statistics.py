"""pass@k and intervals against what defines them, and against an independent implementation."""

import itertools
import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpt.evaluate.intervals import (
    Floats,
    Interval,
    effective_size,
    gain_interval,
    interval_words,
    mean_interval,
    share_interval,
)
from tpt.evaluate.passk import pass_at_k


@given(st.integers(1, 8), st.data())
def test_pass_at_k_is_the_share_of_all_k_subsets_with_a_correct_sample(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    samples = [True] * c + [False] * (n - c)
    subsets = list(itertools.combinations(samples, k))
    expected = sum(any(subset) for subset in subsets) / len(subsets)
    assert pass_at_k(np.array([n]), np.array([c]), k)[0] == pytest.approx(expected)


@given(st.integers(1, 200), st.data())
def test_pass_at_k_grows_with_k_and_with_correct_samples(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    here = pass_at_k(np.array([n]), np.array([c]), k)[0]
    assert 0 <= here <= 1
    if k < n:
        assert pass_at_k(np.array([n]), np.array([c]), k + 1)[0] >= here - 1e-12
    if c < n:
        assert pass_at_k(np.array([n]), np.array([c + 1]), k)[0] >= here - 1e-12


def test_pass_at_k_does_not_overflow() -> None:
    expected = 1 - math.comb(99_000, 100) / math.comb(100_000, 100)
    assert pass_at_k(np.array([100_000]), np.array([1000]), 100)[0] == pytest.approx(expected)


def test_pass_at_1_is_the_share_of_correct_samples() -> None:
    assert pass_at_k(np.array([4, 10]), np.array([1, 3]), 1).tolist() == pytest.approx([0.25, 0.3])


@pytest.mark.parametrize("k", [0, 5])
def test_more_draws_than_samples_is_an_error(k: int) -> None:
    with pytest.raises(ValueError, match="needs at least"):
        pass_at_k(np.array([4]), np.array([1]), k)


shares = st.lists(st.integers(0, 20).map(lambda right: right / 20), min_size=1, max_size=60).map(np.array)


# Some of the cells of `benchmarks/coverage.py` in which intervals cover least, with the least coverage asked of each.
# In all of them the percentile bootstrap over problems, the usual method, covers less.
WORST = [
    # problems, samples of each, rate, concentration of the problems' rates (0: all or none), least coverage
    (50, 1, 0.01, 0.0, 0.90),
    (150, 100, 0.01, 0.3, 0.90),
    (50, 100, 0.05, 0.3, 0.91),
    (20, 100, 0.9, 0.3, 0.91),
]


@pytest.mark.parametrize(("problems", "samples", "rate", "concentration", "least"), WORST)
def test_an_interval_holds_a_rare_rate_about_as_often_as_it_says(
    problems: int, samples: int, rate: float, concentration: float, least: float
) -> None:
    rng = np.random.default_rng(1)
    size = (800, problems)
    alike = rng.random(size) < rate
    rates = rng.beta(rate * concentration, (1 - rate) * concentration, size) if concentration else alike
    evaluations = rng.binomial(samples, rates) / samples
    assert np.mean([holds(share_interval(values, 0.95), rate) for values in evaluations]) >= least
    assert np.mean([holds(percentile(values, rng), rate) for values in evaluations[::4]]) < least


def test_an_interval_of_a_gain_holds_the_change_of_two_problems() -> None:
    rng = np.random.default_rng(1)
    before = rng.random((400, 60)) < 0.5
    after = before | (rng.random(before.shape) < 4 / 60)
    pairs = [(one.astype(float), other.astype(float)) for one, other in zip(after, before, strict=True)]
    assert np.mean([holds(gain_interval(*pair, 0.95), 2 / 60) for pair in pairs]) >= 0.93
    assert np.mean([holds(percentile(one - other, rng), 2 / 60) for one, other in pairs]) < 0.93


def holds(found: Interval, truth: float) -> bool:
    return bool(found.low <= truth <= found.high)


def percentile(values: Floats, rng: np.random.Generator) -> Interval:
    """The interval of the percentile bootstrap over problems."""
    means = values[rng.integers(values.size, size=(300, values.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def test_with_an_outcome_of_0_or_1_per_problem_the_interval_is_wilsons() -> None:
    values = np.repeat([1.0, 0.0], [30, 90])
    wilson = stats.binomtest(30, 120).proportion_ci(0.95, method="wilson")
    found = share_interval(values, 0.95)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))


def test_where_one_problem_alone_is_solved_the_lower_end_is_the_exact_one_sided_limit() -> None:
    exact = stats.binomtest(1, 50, alternative="greater").proportion_ci(0.95, method="exact")
    assert share_interval(np.repeat([1.0, 0.0], [1, 49]), 0.95).low == pytest.approx(exact.low)


def test_on_many_problems_the_interval_is_the_normal_one() -> None:
    values = np.random.default_rng(2).beta(2, 3, size=5000)
    half = stats.norm.ppf(0.95) * values.std() / math.sqrt(values.size)
    found = share_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=2e-4)
    before = np.random.default_rng(3).beta(2, 3, size=5000)
    difference = values - before
    half = stats.norm.ppf(0.95) * difference.std() / math.sqrt(values.size)
    gained = gain_interval(values, before, 0.9)
    assert (gained.low, gained.high) == pytest.approx((difference.mean() - half, difference.mean() + half), abs=5e-4)


@given(shares)
def test_an_interval_of_a_share_surrounds_it_within_0_and_1_and_is_never_of_no_width(values: Floats) -> None:
    found, mirrored = share_interval(values, 0.95), share_interval(1 - values, 0.95)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.01
    assert (1 - found.high, 1 - found.low) == pytest.approx((mirrored.low, mirrored.high), abs=1e-9)
    assert values.size <= effective_size(values, 0.95)
    wider = share_interval(values, 0.99)
    assert wider.low <= found.low
    assert found.high <= wider.high


@given(shares, st.randoms())
def test_an_interval_of_a_gain_surrounds_it_and_of_a_fall_is_its_mirror(values: Floats, random: Random) -> None:
    other = np.array(random.sample(values.tolist(), values.size)) ** 2
    found, fall = gain_interval(values, other, 0.95), gain_interval(other, values, 0.95)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.01
    assert (found.low, found.high) == pytest.approx((-fall.high, -fall.low))


def test_one_problem_says_next_to_nothing() -> None:
    for value in (0.0, 0.5, 1.0):
        found = share_interval(np.array([value]), 0.95)
        assert found.high - found.low > 0.9
    assert not gain_interval(np.ones(1), np.zeros(1), 0.95).direction


def test_none_of_560_problems_is_not_a_rate_of_0_for_sure() -> None:
    found = share_interval(np.zeros(560), 0.95)
    assert found.in_percent() == "0.0 [0.0, 0.7]"


def test_samples_of_one_problem_are_not_taken_for_independent() -> None:
    rates = np.array([0.0, 1.0] * 50)  # each problem's samples are all wrong or all right
    clustered, pretended = share_interval(rates, 0.95), share_interval(np.repeat(rates, 10), 0.95)
    assert clustered.high - clustered.low > 2 * (pretended.high - pretended.low)


def test_pairing_takes_the_problems_own_difficulty_out() -> None:
    before = np.random.default_rng(4).beta(0.5, 0.5, size=200)
    after = np.clip(before + 0.05, 0, 1)
    paired = gain_interval(after, before, 0.95)
    shuffled = gain_interval(after, np.random.default_rng(5).permutation(before), 0.95)
    assert 4 * (paired.high - paired.low) < shuffled.high - shuffled.low
    with pytest.raises(ValueError, match="cannot be paired"):
        gain_interval(after, before[1:], 0.95)


def test_a_mean_of_any_size_has_students_interval() -> None:
    values = np.array([3.0, 5.0, 10.0, -2.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = mean_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert mean_interval(values[:1], 0.9) == Interval(3.0, -math.inf, math.inf)


@pytest.mark.parametrize("interval", [share_interval, mean_interval])
def test_no_problems_is_an_error(interval: Callable[..., Interval]) -> None:
    with pytest.raises(ValueError, match="no problems"):
        interval(np.array([]), 0.95)


def test_an_interval_says_in_which_direction_it_lies_and_how_it_is_written() -> None:
    rise, fall, touching = Interval(0.3, 0.1, 0.5), Interval(-0.3, -0.5, -0.1), Interval(0.1, 0.0, 0.2)
    assert [one.direction for one in (rise, fall, touching)] == [1, -1, 0]
    assert rise.columns("gain") == {"gain": 0.3, "gain_low": 0.1, "gain_high": 0.5}
    assert rise.in_percent() == "30.0 [10.0, 50.0]"
    assert fall.in_points() == "-30.0 [-50.0, -10.0]"
    assert interval_words(0.95) == "95 % intervals over problems"
