"""The beginning of a task of the user's own: its file, its config and its test, which passes as written."""

import re
from pathlib import Path

from tpt import plugins, tasks
from tpt.errors import ConfigError, FileError
from tpt.explain import in_words
from tpt.settings import names

TASK = '''\
"""The task @NAME@."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpt.records import Problem
from tpt.tasks import Split, Task, register


@register("@NAME@")
@dataclass
class @CLASS@(Task):
    """Its fields are settings: `task.largest=50`."""

    largest: int = 100

    def load(self, split: Split) -> Iterator[Problem]:
        """Even numbers to train on, odd ones to test: the same problems in the same order every time."""
        numbers = range(0 if split == "train" else 1, self.largest, 2)
        for number in numbers[: self.size(split)]:
            solution = f"{number} + {number} = {2 * number}\\n#### {2 * number}"
            yield Problem(f"@NAME@/{split}/{number}", f"What is twice {number}?", str(2 * number), solution)

    def instruct(self, question: str) -> str:
        """The user's turn of the chat."""
        return f"{question} End with a line `#### ` and the number."
'''
CONFIG = """\
# @package _global_
# The task @NAME@: tpt run --config-dir DIR task=@NAME@
task:
  name: @NAME@
  train_size: null
  test_size: null
think:
  samples_per_problem: 4
  max_tokens: 64
evaluate:
  samples_per_problem: 4
  max_tokens: 64
  ks: [1, 4]
"""
TEST = '''\
"""What must hold of the task @NAME@, whatever its problems are."""

from pathlib import Path

from tpt.records import Problem, Sample, Status
from tpt.settings.compose import compose
from tpt.tasks import Task

FOLDER = Path(__file__).resolve().parent.parent


def task() -> Task:
    return compose(["task=@NAME@"], FOLDER).task


def statuses(pairs: list[tuple[Problem, str]]) -> set[Status]:
    samples = [(problem, Sample(problem.id, 0, [], [], text, "stop")) for problem, text in pairs]
    return {verdict.status for verdict in task().verdicts(samples)}


def test_the_problems_are_the_same_every_time_and_none_is_both_trained_on_and_tested() -> None:
    train, test = (list(task().load(split)) for split in ("train", "test"))
    assert train == list(task().load("train"))
    assert len({problem.id for problem in [*train, *test]}) == len([*train, *test])
    assert not {problem.question for problem in train} & {problem.question for problem in test}


def test_the_judge_accepts_the_worked_solutions_and_nothing_that_says_nothing() -> None:
    problems = list(task().load("test"))
    assert statuses([(problem, problem.solution) for problem in problems if problem.solution]) <= {Status.CORRECT}
    assert Status.CORRECT not in statuses([(problem, "I do not know.") for problem in problems])
'''


def files(name: str) -> dict[str, str]:
    """The text of each file, by its path in the folder that `--config-dir` names.

    Args:
        name: of the task.
    """
    title = "".join(part.capitalize() for part in name.split("_"))
    texts = {f"tasks/{name}.py": TASK, f"task/{name}.yaml": CONFIG, f"tests/test_{name}.py": TEST}
    return {path: text.replace("@NAME@", name).replace("@CLASS@", title) for path, text in texts.items()}


def write_task(name: str, folder: Path) -> list[Path]:
    """Write a task, its config and its test.

    Returns:
        the files.
    Raises:
        ConfigError: the name is no name, or is taken.
        FileError: one of the files exists, in which case none is written; or they cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"{name} cannot be a task's name", "give lower-case letters, digits and _, as in my_task")
    if name in (*tasks.REGISTRY, *names.choices("task"), *plugins.names(plugins.TASKS)):
        raise ConfigError(f"there is a task {name} already", "give another name")
    texts = {folder / path: text for path, text in files(name).items()}
    for path in texts:
        if path.exists():
            raise FileError(f"{path} exists already", "give another name or another folder; nothing was written")
    for path, text in texts.items():
        with in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return list(texts)
