"""A judge that errs: which verdicts are flipped, and that no other is."""

from hypothesis import given
from hypothesis import strategies as st

from tpt.prune.flip import flip
from tpt.prune.modes import well_formed_wrong
from tpt.records import Status, Verdict
from tpt.runs.table import pruning
from tpt.settings.prune import FlipConfig, PruneConfig

CORRECT, WRONG = Status.CORRECT, Status.WRONG


def verdict(index: int, status: Status) -> Verdict:
    return Verdict("p", index, status, status, status)


def config(rate: float, which: str = "both") -> PruneConfig:
    return PruneConfig(flip=FlipConfig(rate, which))


def flipped(rate: float, which: str = "both", status: Status = WRONG, seed: int = 0, count: int = 1000) -> set[int]:
    found = (verdict(index, status) for index in range(count))
    return {one.index for one in found if flip(one, config(rate, which), seed).status is not status}


def test_the_plan_says_that_verdicts_are_flipped() -> None:
    assert "flip" not in pruning(PruneConfig())
    assert "flip 5 % of the verdicts" in pruning(config(0.05))
    assert "flip 12.5 % of the wrong ones" in pruning(config(0.125, "false_positives"))


def test_about_the_share_that_is_asked_for_is_flipped_either_way() -> None:
    assert not flipped(0.0)
    assert len(flipped(1.0)) == 1000
    for status in (CORRECT, WRONG):
        assert 70 <= len(flipped(0.1, status=status)) <= 130


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**31))
def test_what_is_flipped_at_one_rate_is_flipped_at_every_higher_one(one: float, other: float, seed: int) -> None:
    low, high = sorted((one, other))
    assert flipped(low, seed=seed, count=50) <= flipped(high, seed=seed, count=50)


def test_another_seed_flips_others() -> None:
    assert flipped(0.1, seed=0) != flipped(0.1, seed=1)


def test_false_positives_alone_leave_what_is_right() -> None:
    assert not flipped(1.0, "false_positives", CORRECT)
    assert flipped(0.3, "false_positives") == flipped(0.3)


def test_all_of_a_flipped_verdict_says_the_opposite() -> None:
    right = flip(Verdict("p", 0, WRONG, WRONG, WRONG, passed=1, total=4), config(1.0), 0)
    assert (right.status, right.strict, right.lenient, right.passed) == (CORRECT, CORRECT, CORRECT, 4)
    wrong = flip(Verdict("p", 0, CORRECT, CORRECT, CORRECT, passed=4, total=4), config(1.0), 0)
    assert (wrong.status, wrong.strict, wrong.lenient, wrong.passed) == (WRONG, WRONG, WRONG, 0)


def test_what_was_not_judged_has_no_verdict_to_flip() -> None:
    assert not flipped(1.0, status=Status.JUDGE_ERROR)
    assert not flipped(1.0, status=Status.GOLD_UNREADABLE)


def test_well_formed_wrong_takes_wrong_answers_of_the_right_form_alone() -> None:
    settings = PruneConfig()
    assert well_formed_wrong(verdict(0, WRONG), settings)
    assert not well_formed_wrong(verdict(0, CORRECT), settings)
    assert not well_formed_wrong(verdict(0, Status.NO_ANSWER), settings)
    # The lenient reader finds it right: it is no wrong solution.
    assert not well_formed_wrong(Verdict("p", 0, Status.PARTIAL, WRONG, CORRECT), settings)
