"""From Hydra's YAML files and a user's overrides to typed, validated dataclasses."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tpt import artefacts, files, tasks
from tpt.errors import ConfigError, Damaged, nearest, said
from tpt.setting import Setting
from tpt.settings import interpreter, names, own_configs
from tpt.settings.config import SCALARS, SECTIONS, Config, expand_paths, validate
from tpt.settings.engine import resolve_engine
from tpt.settings.names import all_keys, choices, conf_dir
from tpt.settings.overrides import Names, quoted, single
from tpt.settings.typed import typed

AUTO = "auto"  # as a number of rounds: see `StopConfig`
WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)")


def compose(overrides: Sequence[str] = (), config_dir: Path | None = None, pending: bool = False) -> Config:
    """Compose, type and validate one config.

    Args:
        overrides: Hydra overrides, e.g. `model=gemma2-2b`, `train.epochs=2`.
        config_dir: a folder of the user's own with further groups (`model/mine.yaml`, ...).
        pending: whether the run that `prune.from_run` names may be still to come, as in a plan.

    Raises:
        ConfigError: an unknown group choice or key, a wrong type, a value out of range, a contradiction.
    """
    known = Names.of(config_dir)
    own = known.config_dir
    given = [single(override, known) for override in overrides]
    search = []
    if own:
        own_configs.check_files(own, [(one.group, name) for one in given if one.group for name in one.chosen])
        search = [f"hydra.searchpath=[{quoted(f'file://{own}')}]"]
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            node = hydra_compose("config", overrides=[*search, *(one.hydras() for one in given)])
    except Exception as error:  # of Hydra's: what it answers wrong files and overrides with has no type in common
        raise _explain(error, own) from error
    try:
        OmegaConf.resolve(node)
    except OmegaConfBaseException as error:
        raise _unresolved(_first_unresolved(node), str(error).splitlines()[0]) from error
    config = from_node(node)
    expand_paths(config)
    validate(config)
    from_run = config.prune.from_run
    if from_run and not pending and not (Path(from_run) / artefacts.HEAD).exists():
        raise ConfigError(f"prune.from_run={from_run} is not a run folder", "`tpt status` lists the run folders")
    # Engines draw different samples, so the fingerprint must hold the engine itself and not `auto`.
    if config.sampler.python:
        config.sampler.python = interpreter.absolute(config.sampler.python)
    config.sampler.engine = resolve_engine(config.sampler.engine, config.sampler.python)
    return config


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
    return Config(task=tasks.make(task), **sections, **scalars)


def _scalar(node: DictConfig, name: str) -> Any:
    """A setting outside the sections; a text that says a number, as one of the environment, is that number."""
    if name not in node or OmegaConf.is_missing(node, name):
        raise ConfigError(f"{name} has no value")
    value = node[name]
    if SCALARS[name] is int and isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if SCALARS[name] is str and type(value) in (int, float):
        return str(value)
    return value


def load(path: Path) -> Config:
    """The config that a run folder holds, typed and validated.

    Raises:
        Damaged: it cannot be read, or is not one that this version writes.
    """
    then = "the same `tpt run` as before writes it again"
    with files.reading(path, then, yaml.YAMLError, OmegaConfBaseException):
        node = OmegaConf.load(path)
    lacks = [name for name in (*SECTIONS, *SCALARS, "task") if not isinstance(node, DictConfig) or name not in node]
    if lacks:
        raise files.damaged(path, f"does not hold what it should: {', '.join(lacks)}", then)
    try:
        config = from_node(node)  # type: ignore[arg-type]  # a mapping, as was seen
        validate(config)
    except ConfigError as error:
        raise Damaged(f"{path}: {error.message}", error.hint or f"remove it; {then}", path) from error
    return config


def _explain(error: Exception, own: Path | None) -> ConfigError:
    """Hydra's error in the user's words, with the nearest name there is."""
    text = said(error, 1000)
    missing = re.search(r"Could not find '([\w-]+)/(.+?)'(?= Available|$)", text)
    if missing:
        group, name = missing.groups()
        if own and (own / group / f"{name}.yml").exists():
            return ConfigError(f"unknown {group} '{name}'", f"rename {name}.yml to {name}.yaml")
        return ConfigError(f"unknown {group} '{name}'", nearest(name, choices(group, own)))
    if isinstance(error, yaml.YAMLError):
        return own_configs.unreadable(error)
    package = re.search(r"Could not override '([\w-]+@[\w.]+)'", text)
    if package:
        return ConfigError(f"nothing has chosen {package[1]} yet", f"write +{package[1]}=NAME to add it")
    words = [str(one).splitlines()[0].rstrip(".") for one in (error, error.__cause__) if one and str(one)]
    return ConfigError(": ".join(words).replace("++", "") or type(error).__name__)


def _first_unresolved(node: DictConfig, prefix: str = "") -> str:
    """The first setting whose value stands for something that cannot be found."""
    for key in node:
        if OmegaConf.is_missing(node, key):
            continue
        name = f"{prefix}{key!s}"
        try:
            value = node[key]
            if isinstance(value, ListConfig):
                list(value)
        except OmegaConfBaseException:
            return name
        inside = _first_unresolved(value, f"{name}.") if isinstance(value, DictConfig) else ""
        if inside:
            return inside
    return ""


def _unresolved(key: str, reason: str) -> ConfigError:
    absent = re.search(r"Environment variable '([^']+)' not found", reason)
    if absent:
        return ConfigError(
            f"{key}: there is no environment variable {absent[1]}",
            f"export it, or say what to take in its place: ${{oc.env:{absent[1]},VALUE}}",
        )
    source = re.search(r"Interpolation key '([\w.]+)' not found", reason)
    if source and source[1] in all_keys():
        return ConfigError(f"{key} is {source[1]}, which has no value", f"give it one: {source[1]}=VALUE")
    return ConfigError(
        f"{key}: {reason}",
        "${KEY} stands for another setting; an environment variable is ${oc.env:NAME}, or $NAME in a path",
    )
