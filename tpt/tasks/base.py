"""What a task is: a dataclass of its settings that loads problems, phrases the prompt and judges.

To add one, write a dataclass under `@register("name")` in a file of its own, and `conf/task/name.yaml`.
"""

import dataclasses
import importlib.util
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from tpt.bounds import Bounds, check
from tpt.errors import ConfigError, nearest, said
from tpt.judge import rules
from tpt.judge.answer import judge_pairs
from tpt.records import Problem, Sample, Verdict

Split = Literal["train", "test"]

# A field with this metadata says how to compute, not what: it is not part of fingerprints.
RUNTIME = {"runtime": True}
# A field with this metadata says where `Task.files` are: in fingerprints their contents stand for it.
PATH = {"path": True}


@dataclass
class Task(ABC):
    """Settings and behaviour of one task; the fields are what `task.*` can set.

    Attributes:
        name: the registered name.
        train_size: problems in the training split; None for all.
        test_size: problems in the test split; None for all.
        seed: which problems are drawn.
        few_shot: worked examples in the prompt, as earlier turns of the chat.
    """

    name: str = ""
    train_size: int | None = None
    test_size: int | None = None
    seed: int = 0
    few_shot: int = 0

    registered: ClassVar[str] = ""
    # Whether verdicts depend on the argument `partial` of `judge`; a task whose judge reads it says True.
    partial_credit: ClassVar[bool] = False
    # Of the settings that are numbers; a class gives those of its own settings.
    RANGES: ClassVar[dict[str, Bounds]] = {
        "train_size": Bounds(1),
        "test_size": Bounds(1),
        "seed": Bounds(0),
        "few_shot": Bounds(0),
    }

    @abstractmethod
    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a split, always the same ones in the same order.

        Raises:
            DataError: a file is missing, empty or torn, lacks a column, or contains a gold answer that cannot be read.
        """

    @abstractmethod
    def instruct(self, question: str) -> str:
        """The user's turn of the chat for one question."""

    def shots(self) -> list[tuple[str, str]]:
        """The `few_shot` worked examples, as (question, worked solution)."""
        return []

    def screen(self, problems: Iterable[Problem], reject: Callable[[Problem, str], None]) -> Iterator[Problem]:
        """The problems that can be judged, in order; `reject(problem, reason)` is called for each of the others."""
        yield from problems

    def judge(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """One verdict for each pair, in order.

        Args:
            partial: whether partial credit is requested: if there are tests, all of them are run, not only up to the
                first failure.
        """
        return judge_pairs(pairs)

    def rules(self) -> int:
        """The version of the rules that `judge` follows; when it is raised, existing samples are judged again.

        Returns:
            that of the judge of answers. A task with a judge of its own outside this package need not override this:
            its source counts as it is.
        """
        return rules.ANSWERS

    def marks(self) -> dict[str, str]:
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
        for kind in reversed(type(self).__mro__):
            for name, bounds in vars(kind).get("RANGES", {}).items():
                check(f"task.{name}", getattr(self, name), bounds)

    def check_few_shot(self, available: int) -> None:
        """Check that there are enough worked examples.

        Raises:
            ConfigError: there are fewer than `few_shot`.
        """
        if self.few_shot > available:
            raise ConfigError(f"task.few_shot={self.few_shot}: {self.name} has {available} worked examples", "lower it")


REGISTRY: dict[str, type[Task]] = {}
BROKEN: dict[str, BaseException] = {}  # what importing a task's module raised, by the module's name


def register(name: str) -> Callable[[type[Task]], type[Task]]:
    """Register a task class under `name`, to which `conf/task/*.yaml` refers as `task.name`."""

    def add(kind: type[Task]) -> type[Task]:
        kind.registered = name
        REGISTRY[name] = kind
        return kind

    return add


def check_loaded(name: str) -> None:
    """Check that no file that cannot be imported defines a task of this name.

    Raises:
        ConfigError: one does; names the file, the line and what is wrong there.
    """
    declared = re.compile(rf"register\(\s*[\"']{re.escape(name)}[\"']")
    for module, error in BROKEN.items():
        path = _file(module)
        if module.rpartition(".")[2] == name or declared.search(_source(path)):
            raise ConfigError(
                f"the task {name} cannot be loaded: {_where(error, path)}: {type(error).__name__}: {said(error)}",
                "correct that file; the other tasks can still be used",
            ) from error


def _file(module: str) -> str:
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # finding a module does not run it, but does run its parent packages
        found = None
    return (found and found.origin) or module


def _source(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _where(error: BaseException, path: str) -> str:
    """The file and line at fault: where a syntax error is, or else the last line run in the tasks' folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}" if error.lineno else error.filename
    ran = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    beside = [f"{file}, line {line}" for file, line in ran if Path(file).parent == Path(path).parent]
    return beside[-1] if beside else path


def make(node: Any) -> Task:
    """The task that a config node describes.

    Raises:
        ConfigError: the task or a setting is unknown, a value has the wrong type, or the task's file is broken.
    """
    name = str(node.get("name", ""))
    if name not in REGISTRY:
        check_loaded(name)
        left_out = "".join(f"; {_file(module)} cannot be loaded: {said(error)}" for module, error in BROKEN.items())
        raise ConfigError(f"unknown task '{name}'", nearest(name, REGISTRY) + left_out)
    kind = REGISTRY[name]
    try:
        task = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), node))
    except ConfigKeyError as error:
        names = [f"task.{item.name}" for item in dataclasses.fields(kind)]
        wrong = f"task.{error.full_key}"
        raise ConfigError(f"the task {name} has no setting '{wrong}'", nearest(wrong, names)) from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"task.{error.full_key}: {str(error).splitlines()[0]}") from error
    assert isinstance(task, Task)
    return task
