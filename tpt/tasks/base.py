"""What a task is: a dataclass of its settings that loads problems, phrases the prompt and judges.

To add one, write a dataclass under `@register("name")` in a file of its own, and `conf/task/name.yaml`;
`tpt.tasks.finding` says where a task outside this package may lie.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tpt.artefacts import Marks
from tpt.errors import ConfigError
from tpt.judges import rules
from tpt.records import Problem, Sample, Verdict
from tpt.setting import check_all, setting

Split = str  # the name of a set of problems
# What the cards of data sets on the hub, or the repositories that they name, say.
LICENCES = {
    "openai/gsm8k": "MIT",
    "EleutherAI/hendrycks_math": "MIT",
    "openai/openai_humaneval": "MIT",
    "ChilleD/SVAMP": "MIT",
    "TIGER-Lab/MMLU-Pro": "MIT",
    "deepmind/code_contests": "CC BY 4.0",
    "google-research-datasets/mbpp": "CC BY 4.0",
    "Idavidrein/gpqa": "CC BY 4.0",
}
DEV: Split = "dev"  # the set on which rounds and arms are chosen


@dataclass
class Task(ABC):
    """Settings and behaviour of one task; the fields are what `task.*` can set.

    A setting that says where `Task.files` are is a `path`: in fingerprints the content of those files stands for it.
    """

    name: str = setting("", "The task's registered name; any that is registered.", free=True)
    train_size: int | None = setting(None, "Problems in the training split; null: all there are.", low=1)
    test_size: int | None = setting(None, "Problems in the test split; null: all there are.", low=1)
    seed: int = setting(0, "The seed by which problems are drawn.", low=0)
    few_shot: int = setting(0, "Worked examples in the prompt, as earlier turns of the chat.", low=0)
    dev_size: int | None = setting(
        None,
        "Problems set aside from the training split, beside `train_size`: rounds and arms are chosen on them, and "
        "nothing is trained on them. null: none; where a dev set is needed (`rounds=auto`, `evaluate.also=[dev]`) and "
        "the data has none of its own, as many as `test_size`, or 200.",
        low=0,
        added=True,
    )

    code: str | None = setting(
        None,
        "The Python file that defines the task, if it is one of your own; for a file in the folder `tasks` of "
        "`--config-dir` it is set by itself.",
        path=True,
        added=True,
    )

    licence: str = setting(
        "",
        "The licence of the problems, as any text, for `tpt trace`; empty: that of the hub data set, if it is known.",
        free=True,
        runtime=True,
    )

    # The settings that verdicts depend on and prompts do not.
    judged_by: ClassVar[tuple[str, ...]] = ()

    # Whether verdicts depend on the argument `partial` of `verdicts`; a task whose judge reads it says True.
    partial_credit: ClassVar[bool] = False

    asks_with: ClassVar[tuple[str, ...]] = ("id", "question")  # the fields of a problem that its prompt is made from

    @property
    def sets(self) -> tuple[Split, ...]:
        """The sets of problems that `load` knows; data with a dev set of its own names it here."""
        return "train", "test"

    @abstractmethod
    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split, always the same ones in the same order.

        Raises:
            DataError: a file is missing, empty or torn, lacks a column, or contains a gold answer that cannot be read.
        """

    def size(self, split: Split) -> int | None:
        """How many problems of a set `load` yields; None: all there are.

        Those of the training split include the `dev_size` problems that are set aside from it afterwards.
        """
        if split == "train":
            return self.train_size and self.train_size + (self.dev_size or 0)
        return None if split == DEV else self.test_size

    def requested(self, split: Split) -> str:
        """The settings that say how many problems of a set are requested, for messages: `task.test_size=500`."""
        names = [f"{split}_size", *(["dev_size"] if split == "train" and self.dev_size else [])]
        return " ".join(f"task.{name}={getattr(self, name, None)}" for name in names)

    @property
    def called(self) -> str:
        """What run folders and tables call the task; tasks over other data may have a name of their own."""
        return self.name

    @abstractmethod
    def instruct(self, question: str) -> str:
        """The user's turn of the chat for one question."""

    def user_turn(self, problem: Problem) -> str:
        """The user's turn of the chat for one problem; it may read the fields that `asks_with` names."""
        return self.instruct(problem.question)

    def system_turn(self, problem: Problem) -> str:
        """The system's turn of the chat for one problem, with the same fields; "" for none."""
        return ""

    def own_solution(self, problem: Problem) -> str:
        """The data's own worked solution as it is in the data, for showing what the judge reads from it."""
        return problem.solution

    def origin(self, problem: Problem) -> str:
        """Where a problem is from: a file or a data set and the row in it, or how it was made; "" if not known."""
        return ""

    def known_licence(self) -> str:
        """The licence of the problems; "" if it is not known."""
        return self.licence or LICENCES.get(str(getattr(self, "path", "")), "")

    def worked_examples(self) -> list[tuple[str, str]]:
        """The `few_shot` worked examples, as (question, worked solution)."""
        return []

    def screen(self, problems: Iterable[Problem], reject: Callable[[Problem, str], None]) -> Iterator[Problem]:
        """The problems that can be judged, in order; `reject(problem, reason)` is called for each of the others."""
        yield from problems

    def verdicts(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """One verdict for each pair, in order.

        Args:
            partial: whether partial credit is requested: if there are tests, all of them are run, not only up to the
                first failure.
        """
        from tpt.judges.answer import judge_pairs  # slow to import, and most commands judge nothing

        return judge_pairs(pairs)

    def rules(self) -> int:
        """The version of the rules that `verdicts` follows; when it is raised, existing samples are judged again.

        Returns:
            that of the judge of answers. A task with a judge of its own outside this package need not override this:
            its source counts as it is.
        """
        return rules.ANSWERS

    def marks(self) -> Marks:
        """What every manifest with figures from this task's judge must record about it; for a code task its sandbox."""
        return {}

    def files(self) -> list[Path]:
        """Local files the problems come from: if their contents change, so does the run's fingerprint."""
        return []

    def validate(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: a value is out of range or contradicts another.
        """
        check_all(self, "task.")

    def check_few_shot(self, available: int) -> None:
        """Check that there are enough worked examples.

        Raises:
            ConfigError: there are fewer than `few_shot`.
        """
        if self.few_shot > available:
            raise ConfigError(f"task.few_shot={self.few_shot}: {self.name} has {available} worked examples", "lower it")


REGISTRY: dict[str, type[Task]] = {}
RENAMED = {"judge": "verdicts", "shots": "worked_examples"}  # a method by the old name would be ignored in silence
BROKEN: dict[str, BaseException] = {}  # what importing a task's module raised, by the module's name


def register(name: str) -> Callable[[type[Task]], type[Task]]:
    """Register a task class under `name`, to which `conf/task/*.yaml` refers as `task.name`."""

    def add(kind: type[Task]) -> type[Task]:
        for method, now in RENAMED.items():
            if callable(vars(kind).get(method)):
                raise ConfigError(
                    f"the task {name} defines the method {method}, which is called {now} now", "rename it"
                )
        REGISTRY[name] = kind
        return kind

    return add
