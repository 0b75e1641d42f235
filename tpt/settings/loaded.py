"""A config from what OmegaConf has read, e.g. of a run folder's file. Hydra, which is slow to import, is not needed."""

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tpt import __version__, artefacts, files, tasks
from tpt.errors import ConfigError, Damaged, RunError, nearest
from tpt.setting import Setting
from tpt.settings import declared, names
from tpt.settings.config import ADDED, SCALARS, SECTIONS, Config, validate, with_dev
from tpt.settings.typed import typed

AUTO = "auto"  # as a number of rounds: see `StopConfig`
IN_CAPSULE = "capsule://"  # in the config of a capsule: what follows lies in its folder
WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)")


def from_node(node: DictConfig) -> Config:
    """Turn a composed node into typed dataclasses.

    Raises:
        ConfigError: an unknown key, a missing or wrongly typed value.
    """
    for key in map(str, node):
        if key not in names.TOP:
            raise ConfigError(f"unknown setting '{key}'", nearest(key, names.TOP))
    known = names.settings()
    given = {name: {} if node.get(name) is None else node[name] for name in SECTIONS}
    sections = {name: typed(name, kind, given[name], known) for name, kind in SECTIONS.items()}
    scalars = {name: _scalar(node, name) for name in SCALARS}
    if scalars["rounds"] == AUTO:
        stop = sections["stop"]
        stop.auto, scalars["rounds"] = True, max(stop.most, stop.least)
    for name, kind in SCALARS.items():
        if type(scalars[name]) is not kind:  # isinstance would take true for 1
            hint = "give a number, or rounds=auto: until a round no longer gains" if name == "rounds" else ""
            shown = "null" if scalars[name] is None else scalars[name]
            raise ConfigError(f"{name}={shown} is not {Setting(kind)}", hint)
    task = node.get("task")
    if not isinstance(task, DictConfig):
        raise ConfigError(f"task={task} is not a group of settings", "name one: task=word_problems")
    evaluate: Any = sections["evaluate"]
    further: dict[str, Any] = {
        "benchmarks": declared.benchmarks(node, evaluate),
        "commands": declared.commands(node),
    }
    return with_dev(Config(task=tasks.make(task), **sections, **scalars, **further))


def _scalar(node: DictConfig, name: str) -> Any:
    """A setting outside the sections; a text that says a number, as one of the environment, is that number."""
    if name in ADDED and name not in node:
        return ADDED[name]
    if name not in node or OmegaConf.is_missing(node, name):
        raise ConfigError(f"{name} has no value")
    value = node[name]
    if SCALARS[name] is int and isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if SCALARS[name] is str and type(value) in (int, float):
        return str(value)
    return value


def load(path: Path, version: str = "") -> Config:
    """The config that a run folder holds, typed and validated.

    Args:
        version: of the tpt that made the folder; "" if that is not known.

    Raises:
        RunError: an older version wrote it, with a setting that is gone.
        Damaged: it cannot be read, or is not one that this version writes.
    """
    then = "the same `tpt run` as before writes it again"
    with files.reading(path, then, yaml.YAMLError, OmegaConfBaseException):
        node = OmegaConf.load(path)
    if (path.parent / artefacts.CAPSULE).exists() and isinstance(node, DictConfig):
        node = OmegaConf.create(_located(OmegaConf.to_container(node), path.parent.resolve()))
    needed = [name for name in (*SECTIONS, *SCALARS, "task") if name not in ADDED]
    lacks = [name for name in needed if not isinstance(node, DictConfig) or name not in node]
    if lacks:
        raise files.damaged(path, f"does not hold what it should: {', '.join(lacks)}", then)
    _check_gone(path, node, version)
    try:
        config = from_node(node)  # type: ignore[arg-type]  # a mapping, as was seen
        validate(config)
    except ConfigError as error:
        raise Damaged(f"{path}: {error.message}", error.hint or f"remove it; {then}", path) from error
    return config


def _located(value: Any, folder: Path) -> Any:
    """Settings with paths on this machine in the place of those into a capsule's folder."""
    match value:
        case dict():
            return {key: _located(one, folder) for key, one in value.items()}
        case list():
            return [_located(one, folder) for one in value]
        case str():
            return value.replace(IN_CAPSULE, f"{folder}/")
        case _:
            return value


def _check_gone(path: Path, node: Any, version: str) -> None:
    """Check that a run folder's config has no setting that only older versions know."""
    writer = f"tpt {version}" if version else "an older tpt"
    for key, why in names.GONE.items():
        if OmegaConf.select(node, key) is not None:
            raise RunError(
                f"{path.parent} was written by {writer}, whose setting {key} is gone in tpt {__version__}: {why}",
                f"read it with {writer}; to go on with this one, give the same settings without {key} to `tpt run`: it "
                "starts a new folder beside it",
            )
