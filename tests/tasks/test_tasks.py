"""Every task in the same four ways, and what is particular to each."""

import inspect
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpt.errors import ConfigError, DataError
from tpt.judges import rules
from tpt.records import Problem, Sample, Status
from tpt.tasks import REGISTRY, make, register
from tpt.tasks.base import Split, Task
from tpt.tasks.code import CodeTask
from tpt.tasks.generated import split_of
from tpt.tasks.gsm8k import SHOTS as GSM8K_SHOTS
from tpt.tasks.word_problems import SHOTS, tell

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gsm8k"

ROWS = [
    {"question": f"What is {i} + {i}?", "answer": f"{i}+{i}=<<{i}+{i}={2 * i}>>{2 * i}\n#### {2 * i:,}"}
    for i in range(400, 440)
]


def write(folder: Path, train: list[dict[str, str]], test: list[dict[str, str]]) -> Path:
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(params=["word_problems", "gsm8k", "reasoning_gym", "qa"])
def task(request: pytest.FixtureRequest, tmp_path: Path) -> Task:
    extra: dict[str, object] = {"train_size": 20, "test_size": 10}
    if request.param == "qa":
        extra["solution"] = "answer"
    if request.param in ("gsm8k", "qa"):
        extra["path"] = str(write(tmp_path, ROWS[:25], ROWS[25:]))
    if request.param == "reasoning_gym":
        extra["dataset"] = "chain_sum"
    return make(OmegaConf.create({"name": request.param, **extra}))


def test_the_settings_are_checked(task: Task) -> None:
    task.validate()
    task.train_size = 0
    with pytest.raises(ConfigError, match="train_size=0"):
        task.validate()


def test_a_split_is_always_the_same(task: Task) -> None:
    for split, size in (("train", 20), ("test", 10)):
        assert split in ("train", "test")
        first = list(task.load("train" if split == "train" else "test"))
        assert first == list(task.load("train" if split == "train" else "test"))
        assert len(first) == size
        assert len({problem.id for problem in first}) == size


def test_another_seed_draws_other_problems(task: Task) -> None:
    first = [problem.question for problem in task.load("train")]
    task.seed += 1
    assert [problem.question for problem in task.load("train")] != first


def test_train_and_test_share_no_question(task: Task) -> None:
    assert not {one.question for one in task.load("train")} & {one.question for one in task.load("test")}


def test_the_human_solution_of_each_problem_is_right_and_another_answer_is_not(task: Task) -> None:
    problems = list(task.load("train"))
    solved = [(problem, Sample(problem.id, 0, [], [], problem.solution, "stop")) for problem in problems]
    failed = [(problem, Sample(problem.id, 0, [], [], "#### 987654", "stop")) for problem in problems]
    assert {one.status for one in task.verdicts(solved)} == {Status.CORRECT}
    # Some generators give partial credit for an answer that is near.
    assert {one.status for one in task.verdicts(failed)} <= {Status.WRONG, Status.PARTIAL}


def test_the_question_is_in_the_prompt(task: Task) -> None:
    problem = next(iter(task.load("train")))
    assert problem.question in task.instruct(problem.question)


# word_problems


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(8, 100))
def test_a_told_problem_has_its_steps_and_its_sums_are_right(seed: int, steps: int, largest: int) -> None:
    question, solution, answer = tell(random.Random(seed), steps, largest)
    *lines, last = solution.splitlines()
    assert last == f"#### {answer}"
    assert len(lines) == steps
    for line in lines:
        left, right = line.rstrip(".").split(" = ")
        a, sign, b = left.split()[-3:]
        value = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b), "/": int(a) / int(b)}[sign]
        assert int(right.split()[0]) == value
    assert answer > 0
    assert question.endswith("?")


def test_nobody_is_given_two_counts() -> None:
    for seed in range(2000):  # a draw that names a person twice is about one in 300
        question, _, _ = tell(random.Random(seed), 2, 20)
        owners = re.findall(r"(\w+) has \d", question)
        assert len(owners) == len(set(owners))


def test_the_split_of_a_question_does_not_depend_on_the_seed() -> None:
    for seed in range(3):
        for split in ("train", "test"):
            task = make(OmegaConf.create({"name": "word_problems", "train_size": 100, "test_size": 100, "seed": seed}))
            assert split in ("train", "test")
            problems = list(task.load("train" if split == "train" else "test"))
            assert {split_of(one.question) for one in problems} == {split}
            assert not {one.question for one in problems} & {question for question, _ in SHOTS}


def test_difficulty_is_a_setting() -> None:
    task = make(OmegaConf.create({"name": "word_problems", "train_size": 50, "min_steps": 3, "max_steps": 4}))
    assert {len(one.solution.splitlines()) - 1 for one in task.load("train")} == {3, 4}


def test_settings_that_allow_too_few_problems_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpt.tasks.generated.ATTEMPTS", 5)  # else it makes nearly all that there are first
    task = make(OmegaConf.create({"name": "word_problems", "train_size": 10**6, "max_steps": 1, "largest": 8}))
    with pytest.raises(DataError, match="different train problems can be made"):
        list(task.load("train"))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"min_steps": 3, "max_steps": 2}, "min_steps=3"),
        ({"few_shot": 99}, "8 worked examples"),
        ({"largest": 2}, "largest=2"),
    ],
)
def test_wrong_difficulties_are_refused(extra: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(OmegaConf.create({"name": "word_problems", **extra})).validate()
    assert message in str(caught.value)


# gsm8k


def gsm8k(folder: Path, **extra: object) -> Task:
    return make(OmegaConf.create({"name": "gsm8k", "path": str(folder), **extra}))


def test_human_solutions_lose_their_calculator_annotations(tmp_path: Path) -> None:
    problem = next(iter(gsm8k(write(tmp_path, ROWS, ROWS)).load("train")))
    assert problem.solution == "400+400=800\n#### 800"
    assert problem.gold == "800"


def test_the_subset_is_drawn_by_the_seed_and_nested_in_the_whole(tmp_path: Path) -> None:
    folder = write(tmp_path, ROWS, ROWS)
    whole = [one.id for one in gsm8k(folder).load("test")]
    some = [one.id for one in gsm8k(folder, test_size=7).load("test")]
    assert len(some) == 7
    assert set(some) <= set(whole)
    assert some != [one.id for one in gsm8k(folder, test_size=7, seed=1).load("test")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "train.jsonl is empty"),
        ('{"question": "a"}\n', "no column 'answer'; it has question"),
        ('{"question": "a", "answer": "#### 1"}\n{"question": "b", "ans', "line 2 is torn"),
        ('{"question": "how?", "answer": "#### many"}\n', "'many'"),
        ('{"question": "how?", "answer": "it is so"}\n', "no readable gold answer"),
        ('{"question": null, "answer": "#### 1"}\n', "problem 1 has no text as its question, but None"),
        ('{"question": "how?", "answer": 5}\n', "problem 1 has no text as its answer, but 5"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(DataError) as caught:
        list(gsm8k(tmp_path).load("train"))
    assert message in caught.value.message


def test_a_missing_file_and_too_many_problems_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of train.jsonl, .* and train\*.parquet"):
        list(gsm8k(tmp_path).load("train"))
    with pytest.raises(DataError, match="there is no file"):
        list(gsm8k(tmp_path / "nowhere").load("train"))
    with pytest.raises(DataError, match="has 40 problems"):
        list(gsm8k(write(tmp_path, ROWS, ROWS), train_size=41).load("train"))


def test_a_folder_in_the_users_home_counts_among_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    task = gsm8k(Path("~"), test_size=3)
    write(tmp_path, ROWS, ROWS)
    assert task.files() == [tmp_path / "train.jsonl", tmp_path / "test.jsonl"]
    assert sum(1 for _ in task.load("test")) == 3


def test_without_a_hub_the_error_says_what_to_give() -> None:
    with pytest.raises(DataError) as caught:
        list(make(OmegaConf.create({"name": "gsm8k", "path": "nobody/has-this"})).load("train"))
    assert "task.path=FOLDER" in caught.value.hint


def test_the_worked_examples_are_right() -> None:
    task = make(OmegaConf.create({"name": "gsm8k", "few_shot": 4}))
    pairs = [(Problem("p", q, s.rsplit("#### ", 1)[1]), Sample("p", 0, [], [], s, "stop")) for q, s in GSM8K_SHOTS]
    assert task.worked_examples() == GSM8K_SHOTS
    assert {one.status for one in task.verdicts(pairs)} == {Status.CORRECT}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not beside this checkout")
def test_the_real_data_set_loads() -> None:
    task = gsm8k(SHARED, test_size=500)
    assert sum(1 for _ in task.load("train")) == 7473
    assert sum(1 for _ in task.load("test")) == 500


# reasoning_gym


def test_an_unknown_generator_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        make(OmegaConf.create({"name": "reasoning_gym", "dataset": "chain_sums"})).validate()
    assert "chain_sum" in caught.value.hint


def test_wrong_settings_of_a_generator_are_refused() -> None:
    task = make(OmegaConf.create({"name": "reasoning_gym", "dataset": "chain_sum", "settings": {"colour": 1}}))
    with pytest.raises(ConfigError, match="chain_sum"):
        task.validate()


def test_a_generator_with_few_questions_says_so() -> None:
    tiny = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    task = make(
        OmegaConf.create({"name": "reasoning_gym", "dataset": "chain_sum", "train_size": 5000, "settings": tiny})
    )
    with pytest.raises(DataError, match="gives only"):
        list(task.load("train"))


@pytest.mark.parametrize(
    "dataset",
    ["leg_counting", "spell_backward", "basic_arithmetic", "rotate_matrix", "n_queens", "tower_of_hanoi", "arc_agi"],
)
def test_other_families_judge_their_own_answers(dataset: str) -> None:
    settings = {"name": "reasoning_gym", "dataset": dataset, "train_size": 5, "test_size": 5}
    task = make(OmegaConf.create(settings))
    pairs = [(one, Sample(one.id, 0, [], [], one.solution, "stop")) for one in task.load("train")]
    assert {one.status for one in task.verdicts(pairs)} == {Status.CORRECT}


def test_a_grid_with_one_wrong_row_is_not_right() -> None:
    settings = {"name": "reasoning_gym", "dataset": "rotate_matrix", "train_size": 5, "test_size": 5}
    task = make(OmegaConf.create(settings))
    pairs = [
        (one, Sample(one.id, 0, [], [], one.solution.rsplit("\n", 1)[0] + "\n9 9 9", "stop"))
        for one in task.load("train")
    ]
    assert Status.CORRECT not in {one.status for one in task.verdicts(pairs)}


def test_a_generator_that_names_no_answer_gives_no_worked_solution() -> None:
    settings = {"name": "reasoning_gym", "dataset": "graph_color", "train_size": 3, "test_size": 3}
    assert {one.solution for one in make(OmegaConf.create(settings)).load("train")} == {""}


def test_worked_examples_of_a_generator_are_in_neither_split() -> None:
    settings = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    few = {"name": "reasoning_gym", "dataset": "chain_sum", "train_size": 100, "test_size": 40, "few_shot": 3}
    task = make(OmegaConf.create(few | {"settings": settings}))
    task.validate()
    shots = task.worked_examples()
    assert len(shots) == 3
    assert all(solution.startswith("#### ") for _, solution in shots)
    questions = {one.question for split in ("train", "test") for one in task.load(split)}
    assert not questions & {question for question, _ in shots}


def test_a_generator_without_answers_has_no_worked_examples() -> None:
    task = make(OmegaConf.create({"name": "reasoning_gym", "dataset": "graph_color", "few_shot": 2}))
    with pytest.raises(ConfigError, match="has 0 worked examples"):
        task.validate()


# the rules of judging


def test_the_judges_have_versions_that_their_tasks_name() -> None:
    for kind in {type(make(OmegaConf.create({"name": name}))) for name in REGISTRY}:
        code = issubclass(kind, CodeTask)
        assert kind().rules() == (rules.PROGRAMS if code else rules.ANSWERS), kind
        assert kind.partial_credit == code, kind


def test_a_raised_version_of_one_judge_leaves_the_tasks_of_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, programs = make(OmegaConf.create({"name": "gsm8k"})), make(OmegaConf.create({"name": "leetcode"}))
    before = answers.rules()
    monkeypatch.setattr("tpt.judges.rules.PROGRAMS", rules.PROGRAMS + 1)
    assert (answers.rules(), programs.rules()) == (before, rules.PROGRAMS)


def test_asking_for_partial_credit_changes_no_verdict_of_a_task_without_it() -> None:
    task = make(OmegaConf.create({"name": "word_problems"}))
    problem = next(iter(task.load("test")))
    samples = [Sample(problem.id, i, [], [], text, "stop") for i, text in enumerate([problem.solution, "#### -1", "?"])]
    pairs = [(problem, sample) for sample in samples]
    assert not task.partial_credit
    assert list(task.verdicts(pairs, partial=True)) == list(task.verdicts(pairs, partial=False))


def test_versions_are_read_without_loading_a_judge() -> None:
    said = "import sys, tpt.judges.rules; print([one for one in sys.modules if one.startswith('tpt.')])"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['tpt.judges', 'tpt.judges.rules']"


# the registry


def test_a_new_task_is_a_few_lines() -> None:
    @register("doubling")
    @dataclass
    class Doubling(Task):
        """Twice a number."""

        def load(self, split: Split) -> Iterator[Problem]:
            start = 0 if split == "train" else 1000
            for i in range(start, start + 5):
                yield Problem(f"doubling/{split}/{i}", f"What is twice {i}?", str(2 * i), f"#### {2 * i}")

        def instruct(self, question: str) -> str:
            return question

    try:
        task = make(OmegaConf.create({"name": "doubling"}))
        pairs = [(one, Sample(one.id, 0, [], [], one.solution, "stop")) for one in task.load("test")]
        assert [one.status for one in task.verdicts(pairs)] == [Status.CORRECT] * 5
        assert len(inspect.getsource(Doubling).splitlines()) < 40
    finally:
        del REGISTRY["doubling"]


@pytest.mark.parametrize("old", ["judge", "shots"])
def test_a_task_with_a_method_by_its_old_name_is_refused(old: str) -> None:
    with pytest.raises(ConfigError, match=f"the method {old}, which is called"):
        register("old")(type("Old", (Task,), {old: lambda self: None}))
    assert "old" not in REGISTRY
