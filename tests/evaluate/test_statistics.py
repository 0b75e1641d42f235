"""pass@k and intervals against what defines them, and against an independent implementation."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpt.evaluate.intervals import Interval, interval, interval_words, paired
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


def test_the_interval_is_scipys() -> None:
    values = np.random.default_rng(1).beta(2, 5, size=120)
    ours = interval(values, 0.95, 20_000, seed=0)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)


def test_on_many_problems_the_interval_is_the_normal_one() -> None:
    values = np.random.default_rng(2).integers(0, 2, size=5000).astype(float)
    ours = interval(values, 0.9, 5000, seed=0)
    half = stats.norm.ppf(0.95) * values.std() / math.sqrt(values.size)
    assert (ours.low, ours.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.001)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(200):
        found = interval(rng.binomial(4, 0.3, size=150) / 4, 0.9, 400, seed=trial)
        hits += found.low <= 0.3 <= found.high
    assert 165 <= hits <= 195


def test_samples_of_one_problem_are_not_taken_for_independent() -> None:
    rates = np.array([0.0, 1.0] * 50)  # each problem's samples are all wrong or all right
    clustered = interval(rates, 0.95, 2000, seed=0)
    pretended = interval(np.repeat(rates, 10), 0.95, 2000, seed=0)
    assert clustered.high - clustered.low > 2 * (pretended.high - pretended.low)


def test_pairing_takes_the_problems_own_difficulty_out() -> None:
    rng = np.random.default_rng(4)
    before = rng.random(100)
    after = before + 0.05
    found = paired(after, before, 0.95, 1000, seed=0)
    assert (found.low, found.value, found.high) == pytest.approx((0.05, 0.05, 0.05))
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(after, before[1:], 0.95, 1000, seed=0)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(5).random(50)
    assert interval(values, 0.95, 500, 7) == interval(values, 0.95, 500, 7)
    assert interval(values, 0.95, 500, 7) != interval(values, 0.95, 500, 8)


def test_no_problems_is_an_error() -> None:
    with pytest.raises(ValueError, match="no problems"):
        interval(np.array([]), 0.95, 100, 0)


def test_ten_thousand_problems_are_resampled_in_bounded_memory() -> None:
    values = np.random.default_rng(6).random(10_000)
    tracemalloc.start()
    interval(values, 0.95, 1000, seed=0)  # all draws at once would be 160 MB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


def test_an_interval_says_in_which_direction_it_lies_and_how_it_is_written() -> None:
    rise, fall, touching = Interval(0.3, 0.1, 0.5), Interval(-0.3, -0.5, -0.1), Interval(0.1, 0.0, 0.2)
    assert [one.direction for one in (rise, fall, touching)] == [1, -1, 0]
    assert rise.columns("gain") == {"gain": 0.3, "gain_low": 0.1, "gain_high": 0.5}
    assert rise.in_percent() == "30.0 [10.0, 50.0]"
    assert fall.in_points() == "-30.0 [-50.0, -10.0]"
    assert interval_words(0.95) == "95 % intervals over problems"
