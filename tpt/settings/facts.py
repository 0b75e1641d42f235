"""Every setting with what it says of itself, as the documentation shows it."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tpt import tasks
from tpt.setting import Setting, walk
from tpt.settings.benchmarks import CommandConfig
from tpt.settings.config import Config
from tpt.settings.names import OF_COMMANDS


@dataclass(frozen=True)
class Fact:
    """What one setting says of itself.

    Attributes:
        key: its dotted name, as an override has it.
        kind: its type in words.
        default: its default; `???` if it has none.
        meaning: what it means, in a sentence or two.
        allowed: the bounds or choices in words; "" if `kind` says all.
        runtime: whether it says how to compute and not what, so that it takes no part in fingerprints.
        path: whether it is a path on this machine, in which `~` and `$NAME` are replaced.
        section: what the group of settings is that it belongs to.
        task: the task that it is a setting of; "" if it is of all tasks or of none.
    """

    key: str
    kind: str
    default: Any
    meaning: str
    allowed: str
    runtime: bool
    path: bool
    section: str
    task: str = ""


def every() -> Iterator[Fact]:
    """Every setting, section by section, and then those of each task, the ones of all tasks included."""
    yield from (_fact(one) for one in walk(Config) if one.words != "a group of settings")
    yield from (_fact(one) for one in walk(CommandConfig, f"{OF_COMMANDS}."))
    for name, kind in sorted(tasks.REGISTRY.items()):
        yield from (_fact(one, name) for one in walk(kind, "task."))


def _fact(one: Setting, task: str = "") -> Fact:
    return Fact(
        key=one.key,
        kind=one.words,
        default=one.value,
        meaning=one.facts.help,
        allowed=one.facts.allowed,
        runtime=one.runtime,
        path=one.path,
        section=(one.holder and inspect.getdoc(one.holder)) or "",
        task=task,
    )
