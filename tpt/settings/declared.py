"""Further benchmarks, as a composed config declares them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from tpt import tasks
from tpt.errors import ConfigError, nearest
from tpt.setting import Setting, walk
from tpt.settings.benchmarks import Benchmark, CommandConfig, naming
from tpt.settings.sampling import NAME, EvaluateConfig
from tpt.settings.typed import typed

# What `conf/task/*.yaml` hold. A benchmark is only evaluated, so it has no use for the others.
OF_A_TASK = ("task", "evaluate", "think", "prune", "train")
EXAMPLES = {"benchmarks": "+task@benchmarks.NAME=TASK", "commands": "+command@commands.NAME=lm_eval"}


def benchmarks(node: DictConfig, evaluate: EvaluateConfig) -> dict[str, Benchmark]:
    """The benchmarks of a composed config.

    Args:
        evaluate: the run's own settings; of these, benchmarks share the confidence of intervals.

    Raises:
        ConfigError: an unknown setting, or a value of the wrong type.
    """
    return {name: _benchmark(name, one, evaluate) for name, one in _entries(node, "benchmarks").items()}


def commands(node: DictConfig) -> dict[str, CommandConfig]:
    """The commands of a composed config.

    Raises:
        ConfigError: an unknown setting, or a value of the wrong type.
    """
    return {name: _command(name, one) for name, one in _entries(node, "commands").items()}


def _entries(node: DictConfig, section: str) -> dict[str, DictConfig]:
    """The settings of each entry of a section."""
    found, example = node.get(section), f"declare one: {EXAMPLES[section]}"
    if found is None:
        return {}
    if not isinstance(found, DictConfig):
        raise ConfigError(f"{section}={found} is not a group of settings", example)
    entries = {str(name): one for name, one in found.items()}
    for name, one in entries.items():
        if not NAME.fullmatch(name):
            words = "a name consists of lower-case letters, digits and '_', and begins with a letter"
            raise ConfigError(f"{section}.{name}: {words}", example)
        if not isinstance(one, DictConfig):
            raise ConfigError(f"{section}.{name}={one} is not a group of settings", example)
    return entries


def _benchmark(name: str, node: DictConfig, evaluate: EvaluateConfig) -> Benchmark:
    key = f"benchmarks.{name}"
    for one in [str(found) for found in node]:
        if one not in OF_A_TASK:
            raise ConfigError(
                f"unknown setting '{key}.{one}'", nearest(f"{key}.{one}", [f"{key}.task", f"{key}.evaluate"])
            )
    task = node.get("task")
    if not isinstance(task, DictConfig):
        raise ConfigError(f"{key} has no task", f"name one: +task@{key}=TASK")
    own: Any = {} if node.get("evaluate") is None else node["evaluate"]
    own = OmegaConf.merge({"confidence": evaluate.confidence}, own) if isinstance(own, Mapping | DictConfig) else own
    sampled = typed(f"{key}.evaluate", EvaluateConfig, own, _known(EvaluateConfig, f"{key}.evaluate"))
    with naming(key):
        return Benchmark(tasks.make(task), dataclasses.replace(sampled, also=[]))


def _command(name: str, node: DictConfig) -> CommandConfig:
    key = f"commands.{name}"
    return typed(key, CommandConfig, node, _known(CommandConfig, key))


def _known(kind: type, key: str) -> dict[str, Setting]:
    """The settings of one entry, by dotted name, and what the entry itself is."""
    return {key: Setting(kind, key)} | {one.key: one for one in walk(kind, f"{key}.")}
