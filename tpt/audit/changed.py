"""The settings of a judge, changed, and the command that makes a run under them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import OmegaConf

from tpt.errors import ConfigError, TptError, nearest
from tpt.nested import flatten
from tpt.runs.folder import Run
from tpt.settings import config, loaded, names
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.overrides import Names, quoted, single

UNQUOTED = re.compile(r"[\w./-]+")
# What decides which verdicts pruning heeds, beside the settings that each task names.
PRUNES_BY = ("prune.reader", "prune.threshold", "prune.mode", "prune.keep_cut_off")


def judge_settings(settings: Config) -> list[str]:
    """The settings of a run that verdicts, or what pruning makes of them, depend on, while the samples do not."""
    return [*(f"task.{name}" for name in settings.task.judged_by), *PRUNES_BY]


def changed(settings: Config, overrides: Sequence[str]) -> Config:
    """A config under other settings of the judge.

    Raises:
        ConfigError: one is not a setting of the judge, or has no such value.
    """
    known, allowed, values = Names.of(), judge_settings(settings), {}
    for override in overrides:
        given = single(override, known)
        if given.key not in allowed:
            raise ConfigError(
                f"{given.key} is not a setting of the judge of {settings.task.called}, and another value may give "
                "other samples",
                f"{nearest(given.key, allowed)}; any other change is a run of its own: `tpt run`",
            )
        values[given.key] = given.parsed.value() if given.parsed else given.value
    node = OmegaConf.create(config.to_dict(settings))
    for key, value in values.items():
        OmegaConf.update(node, key, str(value) if key == "prune.threshold" else value, force_add=True)
    found = loaded.from_node(node)
    config.validate(found)
    return found


def command(settings: Config, overrides: Sequence[str]) -> str:
    """The `tpt run` that does what is still to be done under some settings.

    Args:
        settings: with the overrides.
        overrides: what was changed.

    Returns:
        a command line that is known to name this very run; in words, if there is none that can be written.
    """
    try:
        words = [*_groups(settings)]
        base = dict(flatten(config.to_dict(compose(words))))
        words += list(_differences(settings, base))
        if Run.of(compose(words)).root.name == Run.of(settings).root.name:
            return shlex.join(["tpt", "run", *words])
    except TptError:
        pass
    changes = f" with {shlex.join(overrides)}" if overrides else ""
    return f"the same `tpt run` as before{changes}"


def _groups(settings: Config) -> Iterator[str]:
    if settings.model.name in names.choices("model"):
        yield f"model={settings.model.name}"
    for name in (settings.task.called, settings.task.name):
        if name in names.choices("task"):
            yield f"task={name}"
            return


def _differences(settings: Config, base: dict[str, object]) -> Iterator[str]:
    """The settings that are not what the groups make them, as overrides."""
    for key, value in flatten(config.to_dict(settings)):
        left_out = key.startswith(("cluster.", "tracker.", "stop."))
        if key in base and base[key] != value and not left_out:
            yield f"{key}={_written(value)}"


def _written(value: Any) -> str:
    """A value in the grammar of overrides."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{','.join(map(_written, value))}]"
        case str():
            return value if UNQUOTED.fullmatch(value) else quoted(value)
        case _:
            return str(value)
