"""Several trainings: intervals that cover, tests that keep their level, and power that simulation finds too."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tpt.design import show_power
from tpt.evaluate import trainings
from tpt.evaluate.contrasts import Expect, examine, holm
from tpt.evaluate.intervals import Floats, Interval, gain_interval, mean_interval, normal_interval
from tpt.evaluate.power import Assumed, Design, detectable, enough, in_words, needed, unknown_in_words
from tpt.settings.config import Config
from tpt.terminal import PlainConsole

SLOPE = 0.15  # points of pass@1 for a step of 1 in log-odds, of the problems below


def arms(rng: np.random.Generator, problems: int, count: int, between: float, shift: float = 0.0) -> list[list[Floats]]:
    """Two arms of as many trainings; true shares of a problem differ by arm, training means by `between` (a share)."""
    hard = rng.normal(-0.8, 1.8, problems)
    found = []
    for arm in range(2):
        own = hard + rng.normal(0, 0.7, problems) + arm * shift / SLOPE
        odds = own + rng.normal(0, between / SLOPE, (count, 1))
        found.append(list(rng.binomial(4, 1 / (1 + np.exp(-odds))) / 4))
    return found


def test_two_arms_of_the_same_method_seldom_differ_clearly_though_their_checkpoints_often_do() -> None:
    rng = np.random.default_rng(0)
    trials = 150
    methods = checkpoints = 0
    for _ in range(trials):
        one, other = arms(rng, 500, 3, between=0.025)
        methods += trainings.independent(one, other, 0.95).interval.direction != 0
        checkpoints += gain_interval(one[0], other[0], 0.95).direction != 0
    assert methods / trials <= 0.06
    assert checkpoints / trials > 0.2, "what the sentences about methods are there for"


def test_a_real_difference_is_found_with_enough_trainings() -> None:
    rng = np.random.default_rng(1)
    pairs = [arms(rng, 300, 5, 0.01, shift=0.12) for _ in range(40)]
    found = [trainings.independent(other, one, 0.95).interval for one, other in pairs]
    assert sum(one.direction == 1 for one in found) >= 36


def test_the_mean_is_that_of_all_and_the_interval_is_wider_than_one_over_problems() -> None:
    rng = np.random.default_rng(2)
    one, other = arms(rng, 80, 3, 0.03)
    found = trainings.paired(one, other, 0.95)
    over_problems = gain_interval(np.mean(one, axis=0), np.mean(other, axis=0), 0.95)
    assert found.interval.value == pytest.approx(np.mean(one) - np.mean(other))
    assert found.interval.low < over_problems.low < over_problems.high < found.interval.high
    assert found.spread == pytest.approx(np.std(np.mean(one, axis=1) - np.mean(other, axis=1), ddof=1))


def test_without_differences_between_problems_the_interval_is_students() -> None:
    means = np.array([0.2, 0.35, 0.3])
    found = trainings.level([np.full(50, one) for one in means], 0.95).interval
    expected = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.002)  # problems that are all alike add a little


@pytest.mark.parametrize(("between", "needed"), [(0.0, "problems"), (0.05, "trainings")])
def test_of_figures_alone_an_interval_covers_that_has_a_part_for_problems_and_one_for_trainings(
    between: float, needed: str
) -> None:
    rng, trials = np.random.default_rng(5), 200
    odds = rng.normal(-0.8, np.sqrt(1.8**2 + 0.7**2 + (between / SLOPE) ** 2), 500_000)
    truth, held = float((1 / (1 + np.exp(-odds))).mean()), dict.fromkeys(("both", "problems", "trainings"), 0)
    for _ in range(trials):
        rates = np.array(arms(rng, 100, 3, between)[0])
        means, errors = rates.mean(axis=1), rates.std(axis=1, ddof=1) / 10
        figures = [normal_interval(*one, 0.95) for one in zip(means, errors, strict=True)]
        parts = {"problems": figures[0], "trainings": mean_interval(means, 0.95)}
        for name, one in {"both": trainings.measured(figures, 0.95).interval, **parts}.items():
            held[name] += one.low <= truth <= one.high
    assert held["both"] / trials >= 0.94
    other = next(name for name in parts if name != needed)
    assert held[other] / trials < 0.93, "what the other part is there for"


def test_one_training_or_other_problems_are_refused() -> None:
    shares = np.zeros(4)
    with pytest.raises(ValueError, match="1 training says nothing"):
        trainings.level([shares], 0.95)
    with pytest.raises(ValueError, match="1 training says nothing"):
        trainings.measured([Interval(0.5, 0.4, 0.6)], 0.95)
    with pytest.raises(ValueError, match="the same problems"):
        trainings.level([shares, shares[1:]], 0.95)
    with pytest.raises(ValueError, match="cannot be paired"):
        trainings.independent([shares] * 2, [shares[1:]] * 2, 0.95)
    with pytest.raises(ValueError, match="cannot be paired"):
        trainings.paired([shares] * 2, [shares] * 3, 0.95)


def normal(value: float, error: float, confidence: float) -> Interval:
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return Interval(value, value - half, value + half)


@pytest.mark.parametrize(
    ("expect", "value", "p", "outcome"),
    [
        ("higher", 0.05, stats.norm.sf(2.5), "holds"),
        ("higher", -0.05, stats.norm.cdf(2.5), "contradicted"),
        ("lower", -0.05, stats.norm.sf(2.5), "holds"),
        ("different", 0.05, 2 * stats.norm.sf(2.5), "holds"),
        ("alike", 0.0, stats.norm.sf(2.5), "holds"),
        ("alike", 0.01, stats.norm.sf(2.0), "holds"),
        ("alike", 0.03, stats.norm.sf(1.0), "open"),
        ("alike", 0.2, 1.0, "contradicted"),
        ("higher", 0.01, stats.norm.sf(0.5), "open"),
    ],
)
def test_a_test_is_its_interval_turned_round(expect: Expect, value: float, p: float, outcome: str) -> None:
    [found] = examine([(partial(normal, value, 0.02), expect, 0.05)])
    assert found.p == pytest.approx(p, abs=5e-5)
    assert found.outcome() == outcome


def test_fewer_data_never_make_two_things_alike() -> None:
    ps = [examine([(partial(normal, 0.0, error), "alike", 0.05)])[0].p for error in (0.01, 0.03, 0.1, 1.0)]
    assert ps == sorted(ps)
    assert ps[0] < 0.001
    assert ps[-1] > 0.4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_by_hand_rejects(ps: list[float]) -> None:
    corrected = holm(ps)
    ordered = sorted(ps)
    for level in (0.01, 0.05, 0.2):
        passed = [p * (len(ps) - rank) < level for rank, p in enumerate(ordered)]
        assert sum(one < level for one in corrected) == [*passed, False].index(False)
    assert all(one >= p for one, p in zip(corrected, ps, strict=True))


@pytest.mark.parametrize("design", [Design(150, 4, 3), Design(500, 4, 5)])
def test_power_is_what_simulation_finds(design: Design) -> None:
    assumed = Assumed()
    least, rng, trials = detectable(design, assumed), np.random.default_rng(3), 100
    shape = assumed.rate * (1 - assumed.rate) / assumed.spread**2 - 1
    of_arm = np.sqrt((1 - assumed.agreement) * 2) * assumed.spread
    seen = 0
    for _ in range(trials):
        true = rng.beta(assumed.rate * shape, (1 - assumed.rate) * shape, design.problems)
        sides = []
        for arm in range(2):
            moved = arm * (least + rng.normal(0, of_arm, design.problems))
            shares = true + moved + rng.normal(0, assumed.between, (design.trainings, 1))
            noise = np.sqrt((true * (1 - true)) / design.samples) * rng.normal(size=shares.shape)
            sides.append(list(shares + noise))
        seen += trainings.independent(sides[1], sides[0], 0.95).interval.low > 0
    assert 0.7 <= seen / trials <= 0.92


def test_a_design_says_what_it_can_see_and_which_would_see_five_points() -> None:
    words = in_words(Design(150, 4, 1), Assumed())
    assert words.startswith("power: 150 problems x 4 samples, 1 training: arms must differ by 12 points")
    assert "for 5 points take" in words
    assert "nothing about the methods" in words
    more = enough(4, Assumed())
    assert more is not None
    assert detectable(more, Assumed()) <= 0.05
    sizes = [detectable(Design(problems, 4, 3), Assumed()) for problems in (50, 200, 1000)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("trainings", [1, 5, 10, 20])
def test_where_the_number_of_problems_is_not_known_the_one_needed_is_said(trainings: int) -> None:
    problems, words = needed(4, trainings, Assumed()), unknown_in_words(4, trainings, Assumed())
    assert "known only after prepare" in words
    if problems:
        assert (
            detectable(Design(problems, 4, trainings), Assumed())
            <= 0.05
            < detectable(Design(problems // 2, 4, trainings), Assumed())
        )
        assert f"{trainings} trainings x 4 samples take {problems} problems" in words
    else:
        assert detectable(Design(5000, 4, trainings), Assumed()) > 0.05
        assert "not even 5000 problems are enough" in words
        assert "take 300 problems x 10 trainings" in words


def test_a_dry_run_of_data_of_unknown_size_says_how_many_problems_it_would_need(
    tiny_config: Callable[..., Config], capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [tiny_config("task=gsm8k", "task.test_size=null", f"seed={seed}") for seed in range(3)]
    show_power(configs, PlainConsole())
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("power: the number of problems is known only after prepare")
    assert "3 trainings x 2 samples" in line


def test_spread_is_measured_without_the_samples_noise() -> None:
    rng = np.random.default_rng(4)
    true = rng.beta(2, 3, 20_000)
    n = np.full(true.size, 4)
    found = Assumed.of_counts(n, rng.binomial(4, true))
    assert (found.rate, found.spread) == pytest.approx((true.mean(), true.std()), abs=0.01)
