"""What becomes a training example, and what is said where little does."""

import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpt import records
from tpt.errors import EmptyPrune, RunError
from tpt.prune.counts import PruneCounts
from tpt.prune.modes import ground_truth, soft_positive
from tpt.prune.prune import prune
from tpt.prune.sources import Inputs
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.settings.prune import FlipConfig, MixConfig, PruneConfig

Pair = tuple[Sample, Verdict]
CORRECT, PARTIAL, WRONG = Status.CORRECT, Status.PARTIAL, Status.WRONG


def pair(problem: int, index: int, text: str, status: Status = CORRECT, finish: str = "stop") -> Pair:
    strict = WRONG if status is PARTIAL else status
    lenient = CORRECT if status is PARTIAL else status
    name = f"p/{problem}"
    return (
        Sample(name, index, [1, problem], [10 + index, 2], text, finish),
        Verdict(name, index, status, strict, lenient),
    )


def encode(problem: Problem, text: str) -> tuple[list[int], list[int]]:
    return [7, len(problem.question)], [len(text), 2]


def inputs_of(folder: Path, pairs: list[Pair], shard_size: int = 4, order: list[int] | None = None) -> Inputs:
    """Shards of whole problems on disk."""
    by_problem: dict[str, list[Pair]] = {}
    for one in pairs:
        by_problem.setdefault(one[0].problem_id, []).append(one)
    groups = list(by_problem.values())
    chunks = [list(chain(*groups[start : start + shard_size])) for start in range(0, len(groups), shard_size)]
    samples, verdicts = [], []
    for number in order or range(len(chunks)):
        samples.append(records.shard_path(folder, "samples", number))
        verdicts.append(records.shard_path(folder, "verdicts", number))
        records.write(samples[-1], Sample, [one for one, _ in chunks[number]])
        records.write(verdicts[-1], Verdict, [one for _, one in chunks[number]])
    problems = folder / "train.parquet"
    known = [Problem(name, f"question {name}", "1", f"worked {name}") for name in by_problem]
    records.write(problems, Problem, known)
    return Inputs(samples, verdicts, problems, encode)


def examples(path: Path) -> list[Example]:
    return list(records.read(path, Example))


@pytest.fixture
def kept(tmp_path: Path) -> Callable[..., list[Example]]:
    """The examples that some samples give under some settings."""

    def run(pairs: list[Pair], seed: int = 0, **values: object) -> list[Example]:
        prune(inputs_of(tmp_path, pairs), PruneConfig(**values), 1, seed, tmp_path / "examples.parquet")  # type: ignore[arg-type]  # any setting
        return examples(tmp_path / "examples.parquet")

    return run


def test_ground_truth_keeps_what_the_strict_reader_finds_right(kept: Callable[..., list[Example]]) -> None:
    pairs = [pair(1, 0, "right"), pair(2, 0, "almost", PARTIAL), pair(3, 0, "wrong", WRONG)]
    assert [one.text for one in kept(pairs)] == ["right"]


MIXED = [
    *(pair(number, 0, f"right {number}") for number in range(12)),
    *(pair(number, 1, f"wrong {number}", WRONG) for number in range(6, 18)),
    *(pair(number, 2, f"cut {number}", CORRECT, "length") for number in range(18, 20)),
]


@pytest.mark.parametrize(("problems", "eligible"), [("all", 18), ("solved", 12), ("both", 6)])
def test_only_some_problems_may_give_examples(kept: Callable[..., list[Example]], problems: str, eligible: int) -> None:
    """A sample that cannot be trained on, such as one that is cut off, solves nothing."""
    drawn = kept(MIXED, mode="none", problems=problems)
    assert len({one.problem_id for one in drawn}) == eligible


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_modes_that_draw_as_many_examples_of_such_problems_draw_the_same_problems(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    drawn = []
    for mode in ("ground_truth", "well_formed_wrong", "none"):
        folder = tmp_path_factory.mktemp("prune")
        config = PruneConfig(mode=mode, problems="both", examples=count)
        prune(inputs_of(folder, MIXED), config, 1, seed, folder / "examples.parquet")
        drawn.append(examples(folder / "examples.parquet"))
    right, wrong, either = ([one.problem_id for one in of] for of in drawn)
    assert sorted(right) == sorted(wrong) == sorted(either) and len(right) == count
    assert {one.text.split()[0] for one in drawn[0]} == {"right"}
    assert {one.text.split()[0] for one in drawn[1]} == {"wrong"}


def test_the_lenient_reader_keeps_what_it_finds_right(kept: Callable[..., list[Example]]) -> None:
    pairs = [pair(1, 0, "right"), pair(2, 0, "almost", PARTIAL), pair(3, 0, "wrong", WRONG)]
    assert [one.text for one in kept(pairs, reader="lenient")] == ["right", "almost"]


def test_soft_positive_keeps_partial_credit_too(kept: Callable[..., list[Example]]) -> None:
    pairs = [pair(1, 0, "right"), pair(2, 0, "almost", PARTIAL), pair(3, 0, "wrong", WRONG)]
    assert [one.text for one in kept(pairs, mode="soft_positive")] == ["right", "almost"]


def with_tests(problem: int, passed: int, total: int = 10) -> Pair:
    """A sample of a problem with tests, some of which it passes."""
    status = CORRECT if passed == total else PARTIAL if passed else WRONG
    sample, _ = pair(problem, 0, f"passes {passed}")
    reader = status if status is not PARTIAL else WRONG
    kind = "" if passed == total else "wrong answer"
    return sample, Verdict(
        sample.problem_id,
        0,
        status,
        reader,
        reader,
        passed=passed,
        total=total,
        kind=kind,
        first_failed=int(bool(kind)),
    )


TESTED = [with_tests(number, passed) for number, passed in enumerate((0, 1, 4, 5, 8, 9, 10))]


@pytest.mark.parametrize(
    ("threshold", "kept_at"),
    [
        ("one", [1, 4, 5, 8, 9, 10]),
        ("0.01", [1, 4, 5, 8, 9, 10]),
        ("0.5", [5, 8, 9, 10]),
        ("0.85", [9, 10]),
        ("all_but_one", [9, 10]),
        ("1.0", [10]),
    ],
)
def test_the_threshold_of_soft_positive_is_a_number_of_tests(
    kept: Callable[..., list[Example]], threshold: str, kept_at: list[int]
) -> None:
    found = kept(TESTED, mode="soft_positive", threshold=threshold)
    assert [one.text for one in found] == [f"passes {passed}" for passed in kept_at]


def test_all_but_one_of_two_tests_is_at_least_one(kept: Callable[..., list[Example]]) -> None:
    pairs = [with_tests(1, 0, 2), with_tests(2, 1, 2), with_tests(3, 0, 1), with_tests(4, 1, 1)]
    found = kept(pairs, mode="soft_positive", threshold="all_but_one")
    assert [(one.problem_id, one.text) for one in found] == [("p/2", "passes 1"), ("p/4", "passes 1")]


def test_it_is_counted_what_each_threshold_would_keep(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [*TESTED, pair(50, 0, "cut", finish="length")])
    counted = {}
    for mode in ("soft_positive", "ground_truth"):
        counts = prune(inputs, PruneConfig(mode=mode), 1, 0, tmp_path / "out.parquet")
        counted[mode] = counts.by_threshold
    assert counted["soft_positive"] == {"one": 6, "0.5": 4, "all_but_one": 2, "1.0": 1}
    assert counted["ground_truth"] == {}  # judging stopped at the first failing test: nobody counted the others


@given(passed=st.integers(0, 12), total=st.integers(1, 12), low=st.floats(0.01, 1), high=st.floats(0.01, 1))
def test_a_higher_threshold_keeps_nothing_that_a_lower_one_drops(
    passed: int, total: int, low: float, high: float
) -> None:
    low, high = min(low, high), max(low, high)
    _, verdict = with_tests(1, min(passed, total), total)
    keeps = [soft_positive(verdict, PruneConfig(threshold=str(one))) for one in (low, high)]
    assert keeps[0] >= keeps[1]
    assert ground_truth(verdict, PruneConfig()) <= keeps[1]
    assert soft_positive(verdict, PruneConfig(threshold="one")) >= keeps[0]


def test_mode_none_keeps_any_finished_solution(kept: Callable[..., list[Example]]) -> None:
    pairs = [pair(1, 0, "right"), pair(2, 0, "wrong", WRONG), pair(3, 0, "unread", Status.GOLD_UNREADABLE)]
    assert [one.text for one in kept(pairs, mode="none")] == ["right", "wrong", "unread"]


@pytest.mark.parametrize("status", [Status.GOLD_UNREADABLE, Status.JUDGE_ERROR])
@pytest.mark.parametrize("mode", ["ground_truth", "soft_positive"])
def test_what_could_not_be_judged_is_never_kept(kept: Callable[..., list[Example]], mode: str, status: Status) -> None:
    sample, _ = pair(1, 0, "?")
    claims_to_be_right = (sample, Verdict("p/1", 0, status, CORRECT, CORRECT))
    assert [one.text for one in kept([claims_to_be_right, pair(2, 0, "right")], mode=mode)] == ["right"]


@pytest.mark.parametrize("mode", ["none", "ground_truth", "soft_positive"])
def test_a_cut_off_sample_is_not_kept(kept: Callable[..., list[Example]], mode: str) -> None:
    pairs = [pair(1, 0, "cut", finish="length"), pair(2, 0, "whole")]
    assert [one.text for one in kept(pairs, mode=mode)] == ["whole"]
    assert [one.text for one in kept(pairs, mode=mode, keep_cut_off=True)] == ["cut", "whole"]


def test_an_empty_completion_is_not_kept(kept: Callable[..., list[Example]]) -> None:
    assert [one.text for one in kept([pair(1, 0, " \n"), pair(2, 0, "says something")], mode="none")] == [
        "says something"
    ]


def test_the_tokens_that_were_sampled_are_the_tokens_kept(kept: Callable[..., list[Example]]) -> None:
    [example] = kept([pair(5, 3, "right")])
    assert (example.prompt_ids, example.completion_ids) == ([1, 5], [13, 2])
    assert (example.source, example.round) == ("self", 1)


def test_exact_duplicates_within_a_problem_are_removed(tmp_path: Path) -> None:
    pairs = [pair(1, 0, "a"), pair(1, 1, "a"), pair(1, 2, "b"), pair(2, 0, "a")]
    counts = prune(inputs_of(tmp_path, pairs), PruneConfig(per_problem=0), 1, 0, tmp_path / "out.parquet")
    assert sorted((one.problem_id, one.text) for one in examples(tmp_path / "out.parquet")) == [
        ("p/1", "a"),
        ("p/1", "b"),
        ("p/2", "a"),
    ]
    assert (counts.candidates, counts.duplicates, counts.problems, counts.kept) == (4, 1, 2, 3)


def test_another_seed_draws_other_solutions(kept: Callable[..., list[Example]]) -> None:
    pairs = [pair(problem, index, f"{index}") for problem in range(30) for index in range(4)]
    first, second = ([one.text for one in kept(pairs, seed=seed)] for seed in (0, 1))
    assert first != second
    assert len(set(first)) > 1


def test_every_problem_is_as_likely_however_many_solutions_it_has(kept: Callable[..., list[Example]]) -> None:
    """With one a problem, an easy problem (many right samples) must not push out a hard one."""
    easy = [pair(0, index, f"{index}") for index in range(20)]
    hard = [pair(problem, 0, "only") for problem in range(1, 4)]
    drawn = Counter(kept(easy + hard, seed=seed, examples=1)[0].problem_id == "p/0" for seed in range(120))
    assert 12 <= drawn[True] <= 50  # 30 expected of 120; 105 if each solution were a lot


sampled = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.sampled_from(list(Status)), st.sampled_from(["stop", "length"])),
        max_size=6,
    ),
    min_size=1,
    max_size=14,
)


def pairs_of(drawn: list[list[tuple[str, Status, str]]]) -> list[Pair]:
    # Problem 99 has a right solution, so that there is always something to keep.
    made = [
        pair(n, i, text, status, finish) for n, one in enumerate(drawn) for i, (text, status, finish) in enumerate(one)
    ]
    return [*made, pair(99, 0, "right")]


property_test = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


configs = st.builds(
    PruneConfig,
    mode=st.sampled_from(["none", "ground_truth"]),
    per_problem=st.integers(0, 3),
    examples=st.sampled_from([None, 1, 3, 8]),
)


@property_test
@given(sampled, configs, st.integers(0, 9))
def test_what_is_kept_obeys_every_setting(
    tmp_path: Path, drawn: list[list[tuple[str, Status, str]]], config: PruneConfig, seed: int
) -> None:
    pairs, per_problem, wanted = pairs_of(drawn), config.per_problem, config.examples
    out = tmp_path / "out.parquet"
    counts = prune(inputs_of(tmp_path, pairs), config, 1, seed, out)
    found = [(one.problem_id, one.text) for one in examples(out)]
    right = {
        (one.problem_id, one.text)
        for one, verdict in pairs
        if verdict.strict is CORRECT and one.finish_reason == "stop"
    }
    possible = (
        {(one.problem_id, one.text) for one, _ in pairs if one.finish_reason == "stop"}
        if config.mode == "none"
        else right
    )
    assert len(found) == len(set(found)) == counts.kept == counts.examples
    assert set(found) <= possible
    per = Counter(name for name, _ in possible)
    reachable = sum(min(count, per_problem) if per_problem else count for count in per.values())
    assert len(found) == min(reachable, wanted if wanted is not None else reachable)
    if per_problem:
        assert max(Counter(name for name, _ in found).values()) <= per_problem


@property_test
@given(sampled, st.integers(0, 2), st.integers(1, 6), st.integers(1, 6))
def test_a_smaller_draw_is_part_of_a_larger_one(
    tmp_path: Path, drawn: list[list[tuple[str, Status, str]]], per_problem: int, size: int, more: int
) -> None:
    inputs = inputs_of(tmp_path, pairs_of(drawn))
    sets = []
    for wanted in (size, size + more):
        config = PruneConfig(mode="none", per_problem=per_problem, examples=wanted)
        prune(inputs, config, 1, 5, tmp_path / "out.parquet")
        sets.append({(one.problem_id, one.text) for one in examples(tmp_path / "out.parquet")})
    assert sets[0] <= sets[1]


@property_test
@given(sampled, st.randoms(use_true_random=False))
def test_the_order_of_the_shards_does_not_matter(
    tmp_path: Path, drawn: list[list[tuple[str, Status, str]]], rng: random.Random
) -> None:
    pairs = pairs_of(drawn)
    shards = -(-len({one.problem_id for one, _ in pairs}) // 2)
    orders = [list(range(shards)), rng.sample(range(shards), shards)]
    sets = []
    for order in orders:
        inputs = inputs_of(tmp_path, pairs, shard_size=2, order=order)
        prune(inputs, PruneConfig(mode="none", examples=4), 1, 5, tmp_path / "out.parquet")
        sets.append({(one.problem_id, one.text) for one in examples(tmp_path / "out.parquet")})
    assert sets[0] == sets[1]


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(n, i, f"{i}") for n in range(20) for i in range(3)])
    for name in ("one", "two"):
        prune(inputs, PruneConfig(examples=7), 1, 5, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_human_solutions_are_encoded_and_counted(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(n, 0, "wrong", WRONG) for n in range(5)])
    counts = prune(inputs, PruneConfig(source="human", examples=3), 2, 0, tmp_path / "out.parquet")
    found = examples(tmp_path / "out.parquet")
    assert counts.kept_by_source == {"human": 3}
    assert all(one.text == f"worked {one.problem_id}" and one.completion_ids == [len(one.text), 2] for one in found)
    assert {(one.source, one.round) for one in found} == {("human", 2)}


def test_another_runs_examples_are_matched_by_question_and_encoded_anew(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(n, 0, "wrong", WRONG) for n in range(4)])
    inputs.other_problems = tmp_path / "theirs.parquet"
    theirs = [Problem("x/0", "question p/3", "1"), Problem("p/1", "a question that this run does not have", "1")]
    records.write(inputs.other_problems, Problem, theirs)
    inputs.other_examples = [tmp_path / "their-examples.parquet"]
    foreign = [Example("x/0", "self", 1, [900], [901], "theirs"), Example("p/1", "self", 1, [900], [901], "not ours")]
    records.write(inputs.other_examples[0], Example, foreign)
    counts = prune(inputs, PruneConfig(source="run"), 1, 0, tmp_path / "out.parquet")
    assert examples(tmp_path / "out.parquet") == [Example("p/3", "run", 1, *encode(theirs[0], "theirs"), "theirs")]
    assert counts.kept_by_source == {"run": 1}


def test_a_mix_takes_from_each_source_and_never_two_of_one_problem(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(n, 0, "right") for n in range(10)])
    config = PruneConfig(source="mix", mix=MixConfig(self=4, human=8))
    counts = prune(inputs, config, 1, 0, tmp_path / "out.parquet")
    assert counts.kept_by_source == {"self": 4, "human": 6}
    assert len({one.problem_id for one in examples(tmp_path / "out.parquet")}) == counts.kept == 10
    assert any("human had 6 of the 8 requested examples" in warning for warning in counts.warnings)


def test_a_teachers_samples_are_encoded_for_the_student(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(1, 0, "right"), pair(2, 0, "cut", finish="length")])
    inputs.foreign = True
    prune(inputs, PruneConfig(keep_cut_off=True), 1, 0, tmp_path / "out.parquet")
    whole, cut = examples(tmp_path / "out.parquet")
    assert whole.completion_ids == [5, 2]
    assert cut.completion_ids == [3], "a solution that did not end must not teach to end there"


def test_accumulating_adds_new_examples_to_the_earlier_ones(tmp_path: Path) -> None:
    first = inputs_of(tmp_path / "1", [pair(n, 0, "old") for n in range(3)])
    prune(first, PruneConfig(accumulate=True), 1, 0, tmp_path / "one.parquet")
    second = inputs_of(tmp_path / "2", [pair(0, 0, "old"), pair(1, 0, "old"), pair(1, 1, "new"), pair(7, 0, "new")])
    second.earlier = tmp_path / "one.parquet"
    counts = prune(second, PruneConfig(accumulate=True), 2, 0, tmp_path / "two.parquet")
    found = [(one.problem_id, one.text, one.round) for one in examples(tmp_path / "two.parquet")]
    assert sorted(found) == [
        ("p/0", "old", 1),
        ("p/1", "new", 2),
        ("p/1", "old", 1),
        ("p/2", "old", 1),
        ("p/7", "new", 2),
    ]
    assert (counts.earlier, counts.kept, counts.examples, counts.duplicates) == (3, 2, 5, 2)


def test_keeping_nothing_is_an_error_that_says_what_to_change_and_writes_nothing(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(1, 0, "almost", PARTIAL), pair(2, 0, "wrong", WRONG)])
    with pytest.raises(
        EmptyPrune, match=r"kept none of 2 samples \(0 right by the strict reader, 1 by the lenient"
    ) as caught:
        prune(inputs, PruneConfig(), 1, 0, tmp_path / "out.parquet")
    assert "prune.reader=lenient" in caught.value.hint
    assert not (tmp_path / "out.parquet").exists()
    assert all(path.exists() for path in inputs.samples)


def test_samples_that_are_all_cut_off_ask_for_more_tokens(tmp_path: Path) -> None:
    with pytest.raises(EmptyPrune) as caught:
        prune(inputs_of(tmp_path, [pair(1, 0, "cut", finish="length")]), PruneConfig(), 1, 0, tmp_path / "out.parquet")
    assert "raise think.max_tokens" in caught.value.hint


def test_few_examples_are_a_warning(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(n, 0, "right") for n in range(3)])
    warned = prune(inputs, PruneConfig(warn_below=4), 1, 0, tmp_path / "out.parquet").warnings
    assert len(warned) == 1 and "only 3 examples" in warned[0]
    assert prune(inputs, PruneConfig(warn_below=3), 1, 0, tmp_path / "out.parquet").warnings == []


def test_samples_are_counted_by_verdict(tmp_path: Path) -> None:
    pairs = [
        pair(1, 0, "right"),
        pair(1, 1, "almost", PARTIAL),
        pair(1, 2, "wrong", WRONG),
        pair(2, 0, "?", Status.JUDGE_ERROR),
        pair(2, 1, "cut", WRONG, "length"),
        pair(2, 2, ""),
    ]
    counts = prune(inputs_of(tmp_path, pairs), PruneConfig(warn_below=0), 1, 0, tmp_path / "out.parquet")
    assert counts == PruneCounts(
        available=6, correct=2, lenient=3, partial=1, unjudged=1, cut_off=1, unusable=2,
        candidates=1, problems=1, kept_by_source=Counter(self=1), kept=1, examples=1,
        warnings=["1 samples could not be judged; the verdict shards say why"],
    )  # fmt: skip


def test_verdicts_of_other_samples_are_refused(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, [pair(1, 0, "right"), pair(1, 1, "right too")])
    records.write(inputs.verdicts[0], Verdict, [pair(1, 0, "right")[1]])
    with pytest.raises(RunError, match="does not hold the verdicts"):
        prune(inputs, PruneConfig(), 1, 0, tmp_path / "out.parquet")


def synthetic(folder: Path, samples: int, per_shard: int = 2000) -> Inputs:
    def shard(first: int) -> Iterator[Pair]:
        for number in range(first, first + per_shard):
            yield pair(number // 10, number % 10, f"solution {number} " * 4)

    shards: list[tuple[Path, Path]] = []
    for number in range(samples // per_shard):
        shards.append((records.shard_path(folder, "samples", number), records.shard_path(folder, "verdicts", number)))
        records.write(shards[-1][0], Sample, (one for one, _ in shard(number * per_shard)))
        records.write(shards[-1][1], Verdict, (one for _, one in shard(number * per_shard)))
    return Inputs([one for one, _ in shards], [one for _, one in shards], folder / "none", encode)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    peaks: dict[int | None, list[int]] = {None: [], 250: []}
    for samples in (4_000, 12_000):
        inputs = synthetic(tmp_path / str(samples), samples)
        for wanted, found in peaks.items():
            tracemalloc.start()
            counts = prune(inputs, PruneConfig(examples=wanted), 1, 0, tmp_path / "out.parquet")
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert counts.kept == (wanted or samples // 10)
    for small, large in peaks.values():
        assert large < small + 800_000, peaks  # 8,000 samples are several megabytes


def test_flipped_verdicts_decide_what_is_kept_and_are_counted(tmp_path: Path) -> None:
    pairs = [pair(problem, 0, f"{problem}", WRONG) for problem in range(60)]
    config = PruneConfig(flip=FlipConfig(0.5))
    counts = prune(inputs_of(tmp_path, pairs), config, 1, 0, tmp_path / "out.parquet")
    assert (counts.correct, counts.flipped) == (0, counts.kept)
    assert counts.flipped == counts.flipped_to_correct
    assert 15 <= counts.kept <= 45
