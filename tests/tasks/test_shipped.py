"""The tasks that are only settings: each composes, reads a row with its columns, and judges an answer to it."""

import base64
import json
import os
import pickle
import shutil
import zlib
from pathlib import Path

import pytest

from tpt.errors import DataError
from tpt.judges.code.program import fenced
from tpt.records import Problem, Sample, Status
from tpt.settings.compose import compose
from tpt.settings.names import choices, conf_dir
from tpt.tasks import Task

DATA = Path(__file__).parent / "data"
OVER_QA = sorted(
    path.stem for path in (conf_dir() / "task").glob("*.yaml") if "  name: qa\n  title" in path.read_text()
)
needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox")

# A question of the tiny file, its gold answer, a completion that is right and one that is wrong.
KNOWN = {
    "math": ("Expand", "x^2-3x-10", "#### $x^2 - 3x - 10$", "#### $x^2+3x-10$"),
    "aime": ("Find the remainder", "24", "#### 24", "#### 1024"),
    "gpqa": ("Which of these has the shortest", None, "gamma rays", "radio waves"),
    "mmlu_pro": ("Which number is prime", "C", "#### C", "#### A"),
    "svamp": ("Tom has 12 plums and Ida has 5 pears. How many plums", "8", "12 - 4 = 8\n#### 8", "#### 16"),
}


def shipped(name: str, *extra: str) -> Task:
    """The task with its tiny file in the place of the hub."""
    local = [f"task.path={DATA / name}.jsonl", *(["task.test_path="] if name in OVER_QA else [])]
    return compose([f"task={name}", "sampler.engine=transformers", *local, *extra]).task


def asked(task: Task, question: str) -> Problem:
    return next(one for split in ("train", "test") for one in task.load(split) if one.question.startswith(question))


@pytest.mark.parametrize("name", OVER_QA)
def test_a_row_of_its_file_is_asked_and_judged(name: str) -> None:
    question, gold, right, wrong = KNOWN[name]
    task = shipped(name)
    problem = asked(task, question)
    assert problem.question in task.user_turn(problem)
    assert problem.id.startswith(f"{name}/")
    if gold is None:  # a choice, whose letter depends on the seed
        letters = {text: letter for letter, text in (one.split(". ", 1) for one in problem.question.splitlines()[2:])}
        gold, right, wrong = letters[right], f"#### {letters[right]}", f"#### {letters[wrong]}"
    assert problem.gold == gold
    texts = [right, wrong, *([problem.solution] if problem.solution else [])]
    said = [
        one.lenient for one in task.verdicts((problem, Sample(problem.id, 0, [], [], text, "stop")) for text in texts)
    ]
    assert said == [Status.CORRECT, Status.WRONG, *([Status.CORRECT] if problem.solution else [])]


def test_each_task_over_other_data_has_a_tiny_file_and_a_known_answer() -> None:
    assert set(OVER_QA) == set(KNOWN) == {path.stem for path in DATA.glob("*.jsonl")} & set(OVER_QA)
    assert set(OVER_QA) < set(choices("task"))


def test_spelling_is_reasoning_gyms_and_gives_credit_for_what_is_nearly_right() -> None:
    task = compose(["task=spelling", "task.train_size=3", "task.test_size=3", "sampler.engine=transformers"]).task
    problem = next(iter(task.load("train")))
    letters = problem.gold
    swapped = f"{letters[1]}{letters[0]}{letters[2:]}"
    pairs = [(problem, Sample(problem.id, 0, [], [], f"#### {one}", "stop")) for one in (letters, swapped)]
    right, wrong = task.verdicts(pairs)
    assert right.status is Status.CORRECT
    assert wrong.status in (Status.PARTIAL, Status.WRONG)


# Programs: the beginning of a question, a solution that is right and one that is wrong.
PROGRAMS = {
    "humaneval": (
        "Complete this function:\n```python\nfrom typing",
        "from typing import List\ndef between(low: int, high: int) -> List[int]:\n    return [*range(low + 1, high)]",
        "def between(low, high):\n    return [*range(low, high)]",
    ),
    "mbpp": (
        "Write a function to find the numbers that two tuples share",
        "def shared(a, b):\n    return [one for one in a if one in b]",
        "def shared(a, b):\n    return a + b",
    ),
    "live_code_bench": (
        "Two numbers",
        "print(sum(map(int, input().split())))",
        "print(3)",
    ),
}


@needs_sandbox
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_judged_by_the_tests_of_its_row(name: str) -> None:
    question, right, wrong = PROGRAMS[name]
    task = shipped(name)
    problem = asked(task, question)
    assert problem.id.startswith(f"{name}/")
    texts = [fenced(one, "python") for one in (right, wrong)]
    pairs = [(problem, Sample(problem.id, 0, [], [], text, "stop")) for text in [*texts, problem.solution or texts[0]]]
    assert [one.status is Status.CORRECT for one in task.verdicts(pairs)] == [True, False, True]


@needs_sandbox
def test_a_class_of_live_code_bench_is_called_with_the_arguments_of_its_tests() -> None:
    task = shipped("live_code_bench")
    problem = asked(task, "Return the longest")
    assert "def longest" in problem.question
    body = "class Solution:\n    def longest(self, words: List[str], default):\n        return max(words, key=len{})"
    texts = [fenced(body.format(extra), "python") for extra in (", default=default", "")]
    right, wrong = task.verdicts([(problem, Sample(problem.id, 0, [], [], text, "stop")) for text in texts])
    assert (right.status, right.total) == (Status.CORRECT, 2)
    assert (wrong.status, wrong.first_failed) == (Status.PARTIAL, 2)


@needs_sandbox
def test_a_function_whose_test_is_more_than_assertions_is_set_aside() -> None:
    task, rejected = shipped("humaneval"), dict[str, str]()
    for split in ("train", "test"):
        list(task.screen(task.load(split), lambda one, reason: rejected.update({one.id.rpartition("/")[2]: reason})))
    assert rejected == {"3": "its tests are more than a list of assertions on one function"}


def test_packed_tests_that_would_run_code_are_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    row = json.loads((DATA / "live_code_bench.jsonl").read_text().splitlines()[0])
    row["private_test_cases"] = base64.b64encode(zlib.compress(pickle.dumps(Hostile()))).decode()
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"a\.jsonl: line 1 has tests in another form \(it refers to posix\.mkdir\)"):
        list(shipped("live_code_bench", f"task.path={tmp_path / 'a.jsonl'}").load("test"))
    assert not (tmp_path / "made").exists()


def test_a_row_of_functions_without_a_column_is_said_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"mbpp\.jsonl: line 1 has no column 'txt'; it has text, ") as caught:
        list(shipped("mbpp", "task.question=txt").load("test"))
    assert "task.*" in caught.value.hint
