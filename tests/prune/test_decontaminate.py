"""Training problems that overlap those that are evaluated are found, counted and dropped."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpt import records
from tpt.errors import ConfigError, EmptyPrune
from tpt.progress import Progress
from tpt.prune.decontaminate import overlapping, words
from tpt.prune.prune import prune
from tpt.prune.sources import Inputs
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.prune import MixConfig, PruneConfig
from tpt.stages import sets
from tpt.stages.prune import prune_round
from tpt.tasks import make

Make = Callable[..., Config]
FOX = "The quick brown fox jumps over the lazy dog and then it sleeps until Monday, 7 o'clock."
property_test = settings(deadline=None)


def config(how: str, n: int = 13) -> PruneConfig:
    return PruneConfig(decontaminate=how, decontaminate_n=n, warn_below=0)


def dropped(train: list[str], test: list[str], how: str, n: int = 13) -> set[str]:
    """The training questions that are found."""
    found = overlapping(problems(train), problems(test), config(how, n))
    return {train[int(name.removeprefix("p/"))] for name in found}


def problems(questions: list[str]) -> list[Problem]:
    return [Problem(f"p/{number}", text, "1", f"worked {number}") for number, text in enumerate(questions)]


# What counts as the same words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many?", "how  many"),
        ('Tom said: "Go!"', "tom said go"),
        ("It costs 1,800 coins", "It costs 1800 coins."),
        ("twenty-one eggs", "Twenty one eggs"),
        ("Ann\u2019s ﬁsh\u00a0tank", "ann's fish tank"),
    ],
)
def test_case_punctuation_and_spacing_do_not_matter(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("5 - 3", "5 + 3"), ("5-3", "53"), ("3.5 kg", "35 kg"), ("1,80", "180"), ("7 apples", "8 apples"), ("!!", "??")],
)
def test_numbers_and_signs_do(one: str, other: str) -> None:
    assert words(one) != words(other)


# What is found


def test_none_finds_nothing() -> None:
    assert dropped([FOX], [FOX], "none") == set()


def test_a_copy_that_differs_in_dress_is_found_by_both() -> None:
    dressed = f"  {FOX.upper()}".replace(",", " ...")
    for how in ("exact", "ngram"):
        assert dropped([dressed, "Else."], [FOX], how) == {dressed}


def test_a_question_with_a_test_sentence_inside_is_found_by_ngram_alone() -> None:
    longer = f"Read this: {FOX} How many words are there?"
    assert dropped([longer], [FOX], "ngram") == {longer}
    assert dropped([longer], [FOX], "exact") == set()


def test_n_is_how_many_words_in_a_row_overlap() -> None:
    seven = "A tale: jumps over the lazy dog and then! That was all of it, he said to them."
    assert dropped([seven], [FOX], "ngram", 8) == set()
    assert dropped([seven], [FOX], "ngram", 7) == {seven}


def test_a_question_with_fewer_words_is_compared_whole() -> None:
    train = [
        "What is 2 + 2?",
        "What is 2 + 3?",
        "Tom asks: what is 2 + 2? Then he asks again, and then once more, and goes.",
    ]
    assert dropped(train, ["what is 2 + 2"], "ngram") == {train[0]}


some_words = st.lists(st.sampled_from(["apple", "box", "cat", "7", "12", "+", "has"]), max_size=9).map(" ".join)
questions = st.lists(st.one_of(some_words, st.text(max_size=12)), min_size=1, max_size=6)


@property_test
@given(questions, questions, st.integers(1, 6))
def test_exact_finds_a_part_of_what_ngram_finds(train: list[str], test: list[str], n: int) -> None:
    assert dropped(train, test, "exact") <= dropped(train, test, "ngram", n)


@property_test
@given(questions, questions, st.sampled_from(["exact", "ngram"]), st.integers(1, 6))
def test_what_is_left_overlaps_no_more(train: list[str], test: list[str], how: str, n: int) -> None:
    left = [one for one in train if one not in dropped(train, test, how, n)]
    assert dropped(left, test, how, n) == set()


@property_test
@given(questions, st.text(max_size=20), some_words.filter(bool), st.sampled_from(["exact", "ngram"]), st.integers(1, 6))
def test_what_equals_a_test_question_in_its_words_is_always_found(
    others: list[str], copied: str, told: str, how: str, n: int
) -> None:
    dressed = f"\n {told.upper().replace(' ', ', ')}?"
    assert dropped([copied, dressed], [*others, copied, told], how, n) == {copied, dressed}


@property_test
@given(questions, questions, st.sampled_from(["exact", "ngram"]), st.integers(1, 6))
def test_questions_without_a_word_in_common_are_left(train: list[str], test: list[str], how: str, n: int) -> None:
    known = {word for one in test for word in words(one)}
    apart = [one for one in train if words(one) and known.isdisjoint(words(one))]
    assert dropped(apart, test, how, n) == set()


@pytest.mark.parametrize(
    ("task", "sizes", "n", "found"),
    [
        ("word_problems", (240, 150), 13, 2),
        ("word_problems", (240, 150), 8, 66),
        ("word_problems", (240, 150), 5, 202),
        ("code_puzzles", (160, 80), 13, 77),
    ],
)
def test_problems_of_one_template_share_words(task: str, sizes: tuple[int, int], n: int, found: int) -> None:
    """The figures of the module's docstring: no two questions are equal, and ngram drops some all the same."""
    made = make(OmegaConf.create({"name": task, "train_size": sizes[0], "test_size": sizes[1]}))
    train, test = ([one.question for one in made.load(split)] for split in ("train", "test"))
    assert dropped(train, test, "exact") == set()
    assert len(dropped(train, test, "ngram", n)) == found


# What pruning does with it


def encode(problem: Problem, text: str) -> tuple[list[int], list[int]]:
    return [1], [2]


def judged(sample: Sample, status: Status) -> Verdict:
    return Verdict(sample.problem_id, sample.index, status, status, status)


def inputs_of(folder: Path, overlap: int, of: int = 6) -> Inputs:
    """`of` problems with two right samples and a wrong one each; the first `overlap` are test questions too."""
    questions = [f"Problem number {number}: what is it?" for number in range(of)]
    samples = [Sample(f"p/{n}", i, [1], [2], f"text {i}", "stop") for n in range(of) for i in range(3)]
    right = [Status.WRONG, Status.CORRECT, Status.CORRECT]
    verdicts = [
        Verdict(one.problem_id, one.index, right[one.index], right[one.index], right[one.index]) for one in samples
    ]
    records.write(folder / "samples.parquet", Sample, samples)
    records.write(folder / "verdicts.parquet", Verdict, verdicts)
    train, test = folder / "train.parquet", folder / "test.parquet"
    records.write(train, Problem, problems(questions))
    records.write(test, Problem, problems([one.upper() for one in questions[:overlap]] + ["Something else."]))
    return Inputs([folder / "samples.parquet"], [folder / "verdicts.parquet"], train, encode, evaluated=[test])


@pytest.mark.parametrize(
    ("source", "solutions"), [("self", 4), ("human", 2), ("run", 2), ("mix", 6)], ids=["self", "human", "run", "mix"]
)
def test_no_source_gives_an_example_of_an_overlapping_problem(tmp_path: Path, source: str, solutions: int) -> None:
    inputs = inputs_of(tmp_path, overlap=2)
    inputs.other_problems, inputs.other_examples = inputs.problems, [tmp_path / "other.parquet"]
    records.write(inputs.other_examples[0], Example, [Example(f"p/{n}", "self", 1, [1], [2], "o") for n in range(6)])
    mix = MixConfig(self=9, human=9) if source == "mix" else MixConfig()
    wanted = dataclasses.replace(config("exact"), source=source, mix=mix, per_problem=0)
    counts = prune(inputs, wanted, 1, 0, tmp_path / "out.parquet")
    kept = {one.problem_id for one in records.read(tmp_path / "out.parquet", Example)}
    assert kept == {"p/2", "p/3", "p/4", "p/5"}
    assert (counts.decontaminated, counts.decontaminated_samples) == (2, solutions)
    assert counts.available == 18, "the samples are counted as they were"
    assert any("2 training problems overlap those that are evaluated" in one for one in counts.warnings)


def test_without_overlap_nothing_changes_and_nothing_is_said(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, overlap=0)
    written = []
    for how in ("none", "exact", "ngram"):
        counts = prune(inputs, config(how), 1, 0, tmp_path / how)
        assert (counts.decontaminated, counts.warnings) == (0, [])
        written.append((tmp_path / how).read_bytes())
    assert written[0] == written[1] == written[2]


def test_dropping_everything_is_an_error_that_says_so(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, overlap=6)
    with pytest.raises(
        EmptyPrune, match=r"all 12 solutions .* overlap those that are evaluated.*\(6 training"
    ) as caught:
        prune(inputs, config("ngram"), 1, 0, tmp_path / "out.parquet")
    assert "raise prune.decontaminate_n" in caught.value.hint
    assert not (tmp_path / "out.parquet").exists()
    with pytest.raises(EmptyPrune) as caught:
        prune(inputs, config("exact"), 1, 0, tmp_path / "out.parquet")
    assert "decontaminate_n" not in caught.value.hint


def test_the_outcome_says_how_many_were_dropped(tmp_path: Path) -> None:
    counts = prune(inputs_of(tmp_path, overlap=2), config("exact"), 1, 0, tmp_path / "out.parquet")
    said = table.PRUNE.outcome(dataclasses.asdict(counts))
    assert said == "kept 4 of 18 samples; dropped 2 problems that overlap evaluated ones"


def test_runs_with_and_without_share_what_they_thought(tiny_config: Make) -> None:
    without, with_it = (Run.of(tiny_config(f"prune.decontaminate={how}")) for how in ("none", "exact"))
    assert without.fingerprint(Stage(1, "think")) == with_it.fingerprint(Stage(1, "think"))
    assert without.fingerprint(Stage(1, "prune")) != with_it.fingerprint(Stage(1, "prune"))


def test_no_problem_is_trained_on_that_overlaps_one_that_a_round_is_chosen_by(
    tiny_config: Make, tmp_path: Path
) -> None:
    """The stage itself, with data that has a dev set of its own."""
    texts = [f"Problem number {number}: what is it?" for number in range(6)]
    for split, some in (("train", texts), ("dev", [texts[0].upper()]), ("test", [texts[1].upper()])):
        lines = [json.dumps({"question": one, "answer": "#### 1"}) for one in some]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    sizes = ("task.train_size=null", "task.test_size=null", "prune.decontaminate=exact")
    run = Run.create(tiny_config("task=gsm8k", f"task.path={tmp_path}", *sizes))
    sets.write(run, Progress())
    train = list(records.read(run.problems_path("train"), Problem))
    samples = [Sample(one.id, 0, [1], [2], "text", "stop") for one in train]
    records.write(records.shard_path(run.folder(Stage(1, "think")), "samples", 0), Sample, samples)
    verdicts = [judged(one, Status.CORRECT) for one in samples]
    records.write(records.shard_path(run.folder(Stage(1, "judge")), "verdicts", 0), Verdict, verdicts)
    assert prune_round(run, Stage(1, "prune"), Progress())["decontaminated"] == 2
    kept = {one.problem_id for one in records.read(run.examples_path(1), Example)}
    assert kept == {one.id for one in train if one.question in texts[2:]}


def test_only_runs_with_further_sets_to_look_at_are_pruned_anew(tiny_config: Make) -> None:
    def pruned(*overrides: str) -> str:
        return Run.of(tiny_config(*overrides)).fingerprint(Stage(1, "prune"))

    assert pruned("prune.decontaminate=ngram") == "2752ec0d9f9c58c1", "as before dev sets were looked at"
    assert pruned("task.dev_size=6") == "46bf9eea7c5192a4"
    assert pruned("task.dev_size=6", "prune.decontaminate=exact") != "c94b73740db97e80"


def test_an_unknown_way_is_refused_with_the_nearest(tiny_config: Make) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny_config("prune.decontaminate=ngrams")
    assert "did you mean 'ngram'?" in caught.value.hint
    with pytest.raises(ConfigError, match="decontaminate_n=0 is out of range"):
        tiny_config("prune.decontaminate=ngram", "prune.decontaminate_n=0")
