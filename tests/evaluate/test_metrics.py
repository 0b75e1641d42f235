"""The figures of an evaluation, counted by hand on a few samples."""

import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt.errors import DataError, RunError
from tpt.evaluate import store
from tpt.evaluate.metrics import READERS, difference, doubts, majorities, shares, summarise
from tpt.judges.thinking import UNFINISHED
from tpt.records import Sample, Status, Verdict
from tpt.settings.sampling import EvaluateConfig

CONFIG = EvaluateConfig(samples_per_problem=2, ks=[1, 2])
C, W, N = Status.CORRECT, Status.WRONG, Status.NO_ANSWER


def judged(
    problem: str, index: int, strict: Status, lenient: Status, answer: str, cut: bool = False
) -> tuple[Sample, Verdict]:
    text = f"so {answer} by way {index}"
    sample = Sample(problem, index, [], [1] * 10, text, "length" if cut else "stop")
    overall = C if strict is C else Status.PARTIAL if lenient is C else lenient
    strict_answer = "" if strict is N else answer
    return sample, Verdict(problem, index, overall, strict, lenient, "", strict_answer, answer)


PAIRS = [
    judged("a", 0, C, C, "7"),
    judged("a", 1, W, W, "8"),
    judged("b", 0, N, C, "5"),
    judged("b", 1, N, C, "5"),
    judged("c", 0, W, W, "1", cut=True),
    judged("c", 1, W, W, "1"),
]


def test_figures_by_hand() -> None:
    found = summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)
    assert (found["problems"], found["samples"], found["mean_tokens"]) == (3, 6, 10)
    assert found["strict"]["pass@k"]["1"]["value"] == pytest.approx(1 / 6)
    assert found["strict"]["pass@k"]["2"]["value"] == pytest.approx(1 / 3)
    assert found["lenient"]["pass@k"]["1"]["value"] == pytest.approx(0.5)
    assert found["strict"]["correct@k"] == {"1": 0.5, "2": 1.0}
    assert found["lenient"]["correct@k"] == {"1": 1.5, "2": 2.0}
    assert found["strict"]["maj@k"]["2"]["value"] == pytest.approx(1 / 3)  # a: a tie, and 7 came first
    assert found["lenient"]["maj@k"]["2"]["value"] == pytest.approx(2 / 3)
    assert found["well_formed"] == pytest.approx(4 / 6)
    assert found["cut_off"] == pytest.approx(1 / 6)
    assert found["distinct"] == 2
    assert found["statuses"]["partial"] == 2
    assert found["per_problem"] == {
        "id": ["a", "b", "c"], "n": [2, 2, 2], "strict": [1, 0, 0], "lenient": [1, 2, 0],
        "strict_majority": [1, 0, 0], "lenient_majority": [1, 1, 0],
    }  # fmt: skip


def test_an_interval_surrounds_its_figure() -> None:
    found = summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)
    for reader in ("strict", "lenient"):
        for one in found[reader]["pass@k"].values():
            assert one["low"] <= one["value"] <= one["high"]


def test_a_gain_is_paired_by_problem_whatever_the_order() -> None:
    before = summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)
    better = [
        (s, replace(v, strict=C, strict_answer="x")) if s.problem_id == "c" else (s, v) for s, v in reversed(PAIRS)
    ]
    after = summarise((s for s, _ in better), (v for _, v in better), CONFIG)
    gain = difference(after, before, "strict", 1, CONFIG)
    assert gain.value == pytest.approx(1 / 3)
    assert difference(before, before, "strict", 1, CONFIG).value == 0


def test_majorities_are_paired_by_problem_and_survive_the_disk(tmp_path: Path) -> None:
    before = summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)
    unlucky = [(s, replace(v, lenient=W) if s.problem_id == "b" else v) for s, v in reversed(PAIRS)]
    after = summarise((s for s, _ in unlucky), (v for _, v in unlucky), CONFIG)
    for name, metrics in (("before", before), ("after", after)):
        (tmp_path / name).mkdir()
        store.save(tmp_path / name, metrics)
    one, other = store.load(tmp_path / "after"), store.load(tmp_path / "before")
    for reader in READERS:
        assert majorities(one, reader) == {2}
        assert shares(other, reader, 2, "maj@k").mean() == pytest.approx(other[reader]["maj@k"]["2"]["value"])
    # b is lost; of a the wrong answer comes first now.
    assert difference(one, other, "lenient", 2, CONFIG, "maj@k").value == pytest.approx(-2 / 3)
    with pytest.raises(DataError, match="maj@1 is not known by problem"):
        difference(one, other, "lenient", 1, CONFIG, "maj@k")


def test_an_evaluation_that_kept_no_majorities_is_read_and_has_none(tmp_path: Path) -> None:
    programs = [(s, replace(v, strict_answer="", lenient_answer="")) for s, v in PAIRS]
    metrics = summarise((s for s, _ in programs), (v for _, v in programs), CONFIG)
    store.save(tmp_path, metrics)
    found = store.load(tmp_path)
    assert list(found["per_problem"]) == ["id", "n", "strict", "lenient"], "as older evaluations have it"
    assert majorities(found, "strict") == set()


def test_evaluations_of_different_problems_are_not_compared() -> None:
    other = summarise((s for s, _ in PAIRS[:4]), (v for _, v in PAIRS[:4]), CONFIG)
    whole = summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)
    with pytest.raises(DataError, match="different problems"):
        difference(whole, other, "strict", 1, CONFIG)


def test_no_samples_is_an_error() -> None:
    with pytest.raises(DataError, match="no samples"):
        summarise([], [], CONFIG)


def test_a_verdict_beside_another_sample_is_an_error() -> None:
    samples, verdicts = [s for s, _ in PAIRS], [v for _, v in PAIRS]
    with pytest.raises(RunError, match="stands beside"):
        summarise(samples, [*verdicts[1:], verdicts[0]], CONFIG)
    with pytest.raises(RunError, match="fewer verdicts than samples"):
        summarise(samples, verdicts[:-1], CONFIG)


def test_samples_of_one_problem_that_lie_apart_are_an_error() -> None:
    apart = [*PAIRS[:1], *PAIRS[2:], PAIRS[1]]
    with pytest.raises(DataError, match="several places"):
        summarise([s for s, _ in apart], [v for _, v in apart], CONFIG)


def test_a_gold_answer_that_cannot_be_read_and_a_judge_that_failed_never_count_as_correct() -> None:
    pairs = [judged("a", index, status, status, "7") for index, status in enumerate(Status) if status is not C]
    found = summarise([s for s, _ in pairs], [v for _, v in pairs], CONFIG)
    assert found["strict"]["pass@k"]["1"]["value"] == found["lenient"]["maj@k"]["5"]["value"] == 0
    assert found["statuses"]["gold_unreadable"] == found["statuses"]["judge_error"] == 1
    assert found["judge_error"] == found["gold_unreadable"] == 1 / 5
    assert found["well_formed"] == 2 / 5, "partial and wrong: of the others nobody knows"
    errors, golds = doubts(found)
    assert "1 of 5 samples could not be judged: the judge failed" in errors
    assert "the gold answer cannot be read" in golds
    assert "may be too low" in golds


def test_an_evaluation_that_could_not_be_judged_at_all_does_not_look_like_a_model_that_solves_nothing() -> None:
    error = Status.JUDGE_ERROR
    pairs = [judged("a", index, error, error, "7") for index in range(3)]
    found = summarise([s for s, _ in pairs], [v for _, v in pairs], CONFIG)
    assert (found["judge_error"], found["well_formed"]) == (1, 0)
    assert "its figures mean nothing" in doubts(found)[0]
    assert doubts(summarise((s for s, _ in PAIRS), (v for _, v in PAIRS), CONFIG)) == []


def test_one_answer_in_three_forms_has_three_votes_of_the_lenient_reader() -> None:
    right = [judged("a", index, W, C, form) for index, form in enumerate(("$18", "18", "18.00"))]
    pairs = [*right, *(judged("a", index, W, W, "20") for index in (3, 4))]
    found = summarise([s for s, _ in pairs], [v for _, v in pairs], CONFIG)
    assert found["lenient"]["maj@k"]["5"]["value"] == 1
    assert found["strict"]["maj@k"]["5"]["value"] == 0, "the paper's reader compares texts"


FORMS = {18: ("18", "$18", "18.00", "18 dollars", "36/2"), 20: ("20", "20.0", "\\$20"), 5: ("5", "five", "10/2")}
answers_in_forms = st.sampled_from(sorted(FORMS)).flatmap(
    lambda value: st.tuples(st.just(value), st.sampled_from(FORMS[value]))
)


@given(st.lists(answers_in_forms, min_size=1, max_size=9))
def test_the_lenient_readers_vote_is_on_values_whatever_their_form(answers: list[tuple[int, str]]) -> None:
    pairs = [judged("a", index, W, C if value == 18 else W, form) for index, (value, form) in enumerate(answers)]
    found = summarise([s for s, _ in pairs], [v for _, v in pairs], replace(CONFIG, ks=[1]))
    [(winner, _)] = Counter(value for value, _ in answers).most_common(1)
    assert found["lenient"]["maj@k"][str(len(answers))]["value"] == (winner == 18)


def test_samples_that_never_left_their_thinking_are_counted() -> None:
    pairs = [judged("a", index, N, N, "") for index in range(2)]
    verdicts = [pairs[0][1], replace(pairs[1][1], rule=UNFINISHED)]
    found = summarise([one for one, _ in pairs], verdicts, CONFIG)
    assert found["unfinished_thinking"] == 1 / 2


def test_the_texts_of_the_samples_are_not_kept_in_memory() -> None:
    samples = (Sample("a", index, [], [1], f"{index:07d}" * 10_000, "stop") for index in range(200))  # 14 MB of text
    verdicts = (Verdict("a", index, W, W, W) for index in range(200))
    tracemalloc.start()
    found = summarise(samples, verdicts, CONFIG)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["distinct"] == 200
    assert peak < 4_000_000


@pytest.mark.parametrize(("answers", "right"), [("778", 1.0), ("788", 0.0), ("78", 1.0), ("87", 0.0)])
def test_a_majority_is_right_only_if_its_answer_is_and_a_tie_goes_to_the_first(answers: str, right: float) -> None:
    status = {"7": C, "8": W}
    pairs = [judged("a", index, status[one], status[one], one) for index, one in enumerate(answers)]
    found = summarise([s for s, _ in pairs], [v for _, v in pairs], CONFIG)
    for reader in ("strict", "lenient"):
        assert found[reader]["maj@k"][str(len(answers))]["value"] == right


def test_programs_are_not_voted_on_and_well_formed_where_one_was_found() -> None:
    pairs = [judged("a", 0, C, C, ""), judged("a", 1, W, W, ""), judged("b", 0, N, C, ""), judged("b", 1, N, N, "")]
    metrics = summarise((one for one, _ in pairs), (one for _, one in pairs), CONFIG)
    assert metrics["strict"]["maj@k"] == {}
    assert metrics["well_formed"] == 0.5
    assert metrics["strict"]["pass@k"]["1"]["value"] == 0.25
