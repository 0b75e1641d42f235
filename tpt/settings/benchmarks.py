"""Other benchmarks that each round's model is measured on: tasks with settings of their own, and commands."""

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tpt.errors import ConfigError, DataError, nearest
from tpt.setting import check_all, setting
from tpt.settings.sampling import EvaluateConfig
from tpt.tasks.base import Task

CHECKPOINT, LINKS, OUT, OPTIONS = "{checkpoint}", "{links}", "{out}", "{options}"
WORDS = ("program", "task", "metric", "filter")  # settings of a command that stand in its other texts in braces
KINDS = ("figures", "errors", "counts")  # of dotted paths that a command has


@dataclass
class Benchmark:
    """A task that each round's model is evaluated on and that nothing is trained on.

    Attributes:
        task: with its own prompt and judge; its test problems are evaluated.
        evaluate: how it is sampled: as in a run of that task.
    """

    task: Task
    evaluate: EvaluateConfig


@dataclass
class CommandConfig:
    """A command that measures the checkpoint of each round, and writes its figures to a JSON file."""

    command: str = setting(
        "",
        "The command line, without a shell. {checkpoint} stands for the folder of the model, or {links} for a folder "
        "of links to its files if the program writes into the folder of the model; {out} stands for a path, a file or "
        "a folder, that the figures are written to; {program}, {task}, {metric}, {filter} and {options} for the "
        "settings of these names. Any text that contains {checkpoint} or {links}, and {out}.",
        free=True,
    )
    figures: dict[str, str | None] = setting(
        {},
        "Where the figures are in the JSON: dotted paths, by the names that the report gives them; null leaves one "
        "out.",
        holds=(str, type(None)),
    )
    errors: dict[str, str | None] = setting(
        {},
        "Where the standard errors of figures are, by the same names.",
        holds=(str, type(None)),
    )
    counts: dict[str, str | None] = setting(
        {},
        "For figures that are shares, where it says of how many outcomes they are, by the same names; without a "
        "standard error, the interval is computed from this count.",
        holds=(str, type(None)),
    )
    json: str = setting(
        "**/*.json",
        "If the command makes {out} a folder, a pattern of the file in it; of several, the latest.",
        least=1,
    )
    program: str = setting("", "The program, e.g. ~/lm-eval/bin/lm_eval.", path=True)
    task: str = setting("", "The command's own name for what it measures, so any text.", free=True)
    metric: str = setting("", "The command's own name for the figure, so any text.", free=True)
    filter: str = setting("", "How answers are extracted, by the command's own name, so any text.", free=True)
    options: str = setting("", "Further words of the command line, so any text.", free=True)
    minutes: float = setting(
        180.0,
        "How long it may take for one checkpoint; on a cluster, at most as long as a job of `cluster.evaluate`.",
        above=0,
        runtime=True,
    )

    def words(self, checkpoint: Path, links: Path, out: Path) -> list[str]:
        """The command line for one checkpoint, as words.

        Args:
            checkpoint, links, out: what stands for `{checkpoint}`, `{links}` and `{out}`.
        """
        found: list[str] = []
        for word in shlex.split(self.command):
            found += shlex.split(self.options) if word == OPTIONS else [word.replace(OPTIONS, self.options)]
        places = {CHECKPOINT: checkpoint, LINKS: links, OUT: out}
        return [_replaced(self.filled(word), {name: str(path) for name, path in places.items()}) for word in found]

    def filled(self, text: str) -> str:
        """A text in which the settings of the command stand for their names in braces; other braces stay."""
        return _replaced(text, {f"{{{name}}}": getattr(self, name) for name in WORDS})

    def paths(self, kind: str) -> dict[str, str]:
        """The dotted paths of `figures`, `errors` or `counts`, by the name of the figure."""
        given: Mapping[str, str | None] = getattr(self, kind)
        return {self.filled(name): self.filled(path) for name, path in given.items() if path is not None}


def _replaced(text: str, values: Mapping[str, str]) -> str:
    """A text with values in the place of names; a name within a value stays as it is."""
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], text)


def check_benchmark(key: str, benchmark: Benchmark) -> None:
    """Check the settings of a benchmark.

    Args:
        key: what its settings' dotted names begin with.

    Raises:
        ConfigError: a value is not allowed, or contradicts another.
    """
    check_all(benchmark.evaluate, f"{key}.evaluate.")
    with naming(key):
        benchmark.task.validate()


@contextmanager
def naming(key: str) -> Iterator[None]:
    """Say `benchmarks.NAME.task.` for `task.` in errors on the settings of a benchmark's task."""
    try:
        yield
    except (ConfigError, DataError) as error:
        message, hint = (re.sub(r"(?<![\w.])task\.", f"{key}.task.", text) for text in (error.message, error.hint))
        raise type(error)(message, hint) from error


def check_command(key: str, command: CommandConfig) -> None:
    """Check the settings of a command.

    Args:
        key: what its settings' dotted names begin with.

    Raises:
        ConfigError: a value is not allowed, it does not read the checkpoint, or nothing says where its figures are.
    """
    check_all(command, f"{key}.")
    for name in ("command", "options"):
        _check_words(f"{key}.{name}", getattr(command, name))
    line = f"{command.command} {command.options}"
    for needed, words in (
        ((CHECKPOINT, LINKS), "the folder of each round's model"),
        ((OUT,), "where the figures are written"),
    ):
        if not any(name in line for name in needed):
            raise ConfigError(f"{key}.command={command.command} is without {needed[0]}", f"it stands for {words}")
    figures = command.paths("figures")
    if not figures:
        raise ConfigError(
            f"{key}.figures is empty",
            f"say where in the JSON a figure is, e.g. {key}.figures.accuracy=results.accuracy",
        )
    for kind in KINDS[1:]:
        for name in command.paths(kind):
            if name not in figures:
                raise ConfigError(f"{key}.{kind}.{name}: there is no such figure", nearest(name, figures))
    _check_filled(key, command)


def _check_words(key: str, text: str) -> None:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{key}={text} cannot be read: {error}", "quote it as in a shell") from error


def _check_filled(key: str, command: CommandConfig) -> None:
    """Check that what the texts of a command refer to has a value."""
    maps = [getattr(command, kind) for kind in KINDS]
    texts = [command.command, command.options, *(text or "" for one in maps for pair in one.items() for text in pair)]
    for name in WORDS:
        if not getattr(command, name) and any(f"{{{name}}}" in text for text in texts):
            raise ConfigError(f"{key}.{name} has no value, and {key} refers to it", f"give it one: {key}.{name}=VALUE")


def check_name(key: str, name: str, taken: Collection[str], what: str) -> None:
    """Check that the name of a benchmark or command is one of its own.

    Raises:
        ConfigError: it is not.
    """
    if name in taken:
        raise ConfigError(f"{key} has the name of {what}", "choose another name: evaluate.also must tell them apart")
