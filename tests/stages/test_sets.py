"""No problem that something is chosen on is trained on, shown as an example, or tested."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt import records
from tpt.errors import ConfigError, DataError
from tpt.progress import Progress
from tpt.prune.decontaminate import words
from tpt.records import Problem
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.settings.config import Config
from tpt.stages import sets
from tpt.stages.sets import carve

Make = Callable[..., Config]

QUESTIONS = st.lists(st.sampled_from([f"What is {n}?" for n in range(12)] + [f"what IS {n} ?" for n in range(12)]))


@given(QUESTIONS, st.integers(0, 12), st.integers(0, 5), st.lists(st.integers(0, 11), max_size=4))
def test_a_question_is_on_one_side_however_it_is_written_and_never_one_of_those_taken(
    questions: list[str], size: int, seed: int, taken: list[int]
) -> None:
    problems = [(f"p{number}", question) for number, question in enumerate(questions)]
    drawn = carve(problems, [f"What is {n}?" for n in taken], size, seed)
    dev = {tuple(words(question)) for name, question in problems if name in drawn}
    train = {tuple(words(question)) for name, question in problems if name not in drawn}
    assert not dev & train
    assert not dev & {tuple(words(f"What is {n}?")) for n in taken}
    assert len(drawn) <= size
    assert carve(reversed(problems), [f"What is {n}?" for n in taken], size, seed) == drawn


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 3))
def test_as_many_are_drawn_as_requested_and_a_larger_draw_holds_a_smaller_one(size: int, more: int, seed: int) -> None:
    problems = [(f"p{number}", f"What is {number}?") for number in range(120)]
    drawn, larger = (carve(problems, [], some, seed) for some in (size, size + more))
    assert (len(drawn), len(larger)) == (size, size + more)
    assert drawn <= larger
    assert size < 4 or drawn != carve(problems, [], size, seed + 1)


def written(config: Config) -> dict[str, list[Problem]]:
    """The sets of problems that prepare writes for a config."""
    run = Run.create(config)
    run.folder(table.PREPARED).mkdir(parents=True)
    counts, _ = sets.write(run, Progress(run.progress_path(table.PREPARED)))
    found = {split: list(records.read(run.problems_path(split), Problem)) for split in counts}
    assert {split: len(problems) for split, problems in found.items()} == counts
    return found


@pytest.mark.parametrize(
    "task",
    [
        ("task=word_problems", "task.few_shot=8"),
        ("task=code_puzzles", "task.few_shot=4", "task.references=0"),
        ("task=reasoning_gym", "task.dataset=chain_sum", "task.few_shot=3"),
    ],
)
def test_dev_problems_are_not_among_those_trained_on_tested_or_shown_as_examples(
    tiny_config: Make, task: tuple[str, ...]
) -> None:
    for seed in (0, 1):
        config = tiny_config(*task, "task.train_size=30", "task.dev_size=10", "task.test_size=8", f"task.seed={seed}")
        found = written(config)
        assert {split: len(problems) for split, problems in found.items()} == {"train": 30, "dev": 10, "test": 8}
        texts = {split: {tuple(words(one.question)) for one in problems} for split, problems in found.items()}
        shown = {tuple(words(question)) for question, _ in config.task.worked_examples()}
        assert not texts["dev"] & (texts["train"] | texts["test"] | shown)


def data(folder: Path, **questions: list[str]) -> str:
    """A folder with a file of each set; the setting that names it."""
    folder.mkdir()
    for split, some in questions.items():
        lines = [json.dumps({"question": one, "answer": "#### 1"}) for one in some]
        (folder / f"{split}.jsonl").write_text("\n".join(lines))
    return f"task.path={folder}"


MINE = ("task=gsm8k", "task.train_size=null", "task.test_size=null")
TRAIN = [f"What is {number}?" for number in range(20)]


def test_the_dev_set_of_a_folder_is_taken_as_it_is(tiny_config: Make, tmp_path: Path) -> None:
    path = data(tmp_path / "mine", train=TRAIN, dev=["Is it?", "Why?"], test=["Who?"])
    config = tiny_config(*MINE, path, "rounds=auto")
    assert (config.task.dev_size, config.evaluate.also) == (None, ["dev"])
    found = written(config)
    assert [one.question for one in found["dev"]] == ["Is it?", "Why?"]
    assert len(found["train"]) == 20
    with pytest.raises(ConfigError, match=r"task.dev_size=5: the data of gsm8k has a dev set of its own"):
        tiny_config(*MINE, path, "task.dev_size=5")


@pytest.mark.parametrize(
    ("dev", "shared"), [(["Who?"], "in the dev and in the test split"), (TRAIN[:1], "in the training and in the dev")]
)
def test_a_dev_set_that_shares_a_question_is_refused(
    tiny_config: Make, tmp_path: Path, dev: list[str], shared: str
) -> None:
    path = data(tmp_path / "mine", train=TRAIN, dev=dev, test=["Who?"])
    with pytest.raises(DataError, match=shared):
        written(tiny_config(*MINE, path, "evaluate.also=[dev]"))


def test_a_copy_of_a_test_question_is_not_chosen_by(tiny_config: Make, tmp_path: Path) -> None:
    path = data(tmp_path / "mine", train=[*TRAIN, "WHO"], test=["Who?"])
    assert "WHO" not in {one.question for one in written(tiny_config(*MINE, path, "task.dev_size=19"))["dev"]}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (20, "task.dev_size=20 takes from the 20 training problems, and leaves none to train on"),
        (21, "task.dev_size=21 takes from the 20 training problems, of which 20 can be set aside"),
        (200, "of which 20 can be set aside"),
    ],
)
def test_a_dev_set_larger_than_the_data_is_refused_with_a_size_that_fits(
    tiny_config: Make, tmp_path: Path, size: int, words: str
) -> None:
    path = data(tmp_path / "mine", train=TRAIN, test=["Who?"])
    with pytest.raises(DataError, match=words) as error:
        written(tiny_config(*MINE, path, f"task.dev_size={size}"))
    assert error.value.hint == "give a smaller one, e.g. task.dev_size=5, or more training problems"


def test_only_a_run_that_chooses_pays_for_a_dev_set(tiny_config: Make) -> None:
    plain = tiny_config("rounds=2")
    assert (plain.task.dev_size, plain.evaluate.also) == (None, [])
    assert Run.of(tiny_config("rounds=4")).root == Run.of(plain).root
    for asked in (["rounds=auto"], ["evaluate.also=[dev]"], ["task.dev_size=6"]):
        config = tiny_config(*asked)
        assert (config.task.dev_size, config.evaluate.also) == (6, ["dev"])  # as many as are tested
    assert tiny_config("rounds=auto", "task.test_size=null", *MINE[:1]).task.dev_size == 200
    with pytest.raises(ConfigError, match=r"rounds=auto needs dev problems, and task.dev_size=0 sets none aside"):
        tiny_config("rounds=auto", "task.dev_size=0")
