"""What a task is: a dataclass of its settings that loads problems, words the prompt and judges.

Adding one is one file: a dataclass under `@register("name")`, and `conf/task/name.yaml`.
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
from tpt.records import Problem, Sample, Verdict

Split = Literal["train", "test"]

# A field with this metadata says how to compute, not what: it takes no part in fingerprints.
RUNTIME = {"runtime": True}
# A field with this metadata says where `Task.files` lie: in fingerprints what is in them stands for it.
PATH = {"path": True}


@dataclass
class Task(ABC):
    """Settings and behaviour of one task; the fields are what `task.*` can set.

    Attributes:
        name: the registered name.
        train_size: problems in the training split; None: all there are.
        test_size: problems in the test split; None: all there are.
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
            DataError: a file is missing, empty or torn, lacks a column, or holds a gold answer that cannot be read.
        """

    @abstractmethod
    def instruct(self, question: str) -> str:
        """The user's turn of the chat for one question."""

    def shots(self) -> list[tuple[str, str]]:
        """(question, worked solution) of the few-shot examples; `few_shot` of them."""
        return []

    def screen(self, problems: Iterable[Problem], reject: Callable[[Problem, str], None]) -> Iterator[Problem]:
        """The problems that can be judged, in order; `reject(problem, reason)` is called for each other one."""
        yield from problems

    def judge(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """One verdict for each pair, in order.

        Args:
            partial: whether partial credit is asked for: where there are tests, all are run, not only up to the first
                that fails.
        """
        from tpt.judge.answer import judge_pairs  # imports multiprocessing helpers only where judging happens

        return judge_pairs(pairs)

    def rules(self) -> int:
        """The version of the rules that `judge` follows; when it is raised, existing samples are judged again.

        Returns:
            that of the judge of answers. A task with a judge of its own outside this package need not override this:
            its source counts as it is.
        """
        return rules.ANSWERS

    def marks(self) -> dict[str, Any]:
        """What every manifest whose figures this task's judge made must say of it; for a code task its sandbox."""
        return {}

    def files(self) -> list[Path]:
        """Local files the problems come from: when what is in them changes, so does the run's fingerprint."""
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
        """Check that there are as many worked examples as are asked for.

        Raises:
            ConfigError: there are fewer.
        """
        if self.few_shot > available:
            raise ConfigError(f"task.few_shot={self.few_shot}: {self.name} has {available} worked examples", "lower it")


REGISTRY: dict[str, type[Task]] = {}
BROKEN: dict[str, BaseException] = {}  # what importing a module of tasks raised, by the module's name


def register(name: str) -> Callable[[type[Task]], type[Task]]:
    """Make a task class known under `name`, which `conf/task/*.yaml` gives as `task.name`."""

    def add(kind: type[Task]) -> type[Task]:
        kind.registered = name
        REGISTRY[name] = kind
        return kind

    return add


def check_loaded(name: str) -> None:
    """Check that there is no task of this name in a file that cannot be imported.

    Raises:
        ConfigError: there is; names the file, the line and what is wrong there.
    """
    declared = re.compile(rf"register\(\s*[\"']{re.escape(name)}[\"']")
    for module, error in BROKEN.items():
        path = _file(module)
        if module.rpartition(".")[2] == name or declared.search(_source(path)):
            raise ConfigError(
                f"the task {name} cannot be loaded: {_where(error, path)}: {type(error).__name__}: {said(error)}",
                "correct that file; the other tasks can be used meanwhile",
            ) from error


def _file(module: str) -> str:
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # the module is found without being run, but its packages are
        found = None
    return (found and found.origin) or module


def _source(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _where(error: BaseException, path: str) -> str:
    """The file and line at fault: of a syntax error where it is, else the last that was run in the tasks' folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}" if error.lineno else error.filename
    ran = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    beside = [f"{file}, line {line}" for file, line in ran if Path(file).parent == Path(path).parent]
    return beside[-1] if beside else path


def make(node: Any) -> Task:
    """The task that a config node describes.

    Raises:
        ConfigError: an unknown task or setting, a value of the wrong type, or a task whose file cannot be imported.
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
