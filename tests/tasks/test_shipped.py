"""The tasks that are only settings: each composes, reads a row with its columns, and judges an answer to it."""

from pathlib import Path

import pytest

from tpt.records import Problem, Sample, Status
from tpt.settings.compose import compose
from tpt.settings.names import choices, conf_dir
from tpt.tasks import Task

DATA = Path(__file__).parent / "data"
OVER_QA = sorted(path.stem for path in (conf_dir() / "task").glob("*.yaml") if "  title: " in path.read_text())

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
    local = [f"task.path={DATA / name}.jsonl", "task.test_path="]
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
