"""From Hydra's YAML files and a user's overrides to typed, validated dataclasses."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tpt import artefacts, plugins, tasks
from tpt.errors import ConfigError, nearest, said
from tpt.settings import interpreter, own_configs
from tpt.settings.config import Config, expand_paths, validate
from tpt.settings.engine import settle_engines
from tpt.settings.loaded import from_node
from tpt.settings.names import all_keys, choices, conf_dir
from tpt.settings.overrides import Names, quoted, single


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
    chosen = [(one.group, name) for one in given if one.group for name in one.chosen]
    folders = [own] if own else []
    if own:
        own_configs.check_files(own, chosen)
    if any(name not in choices(group, own) for group, name in chosen):
        folders += plugins.config_folders()
    search = [f"hydra.searchpath=[{','.join(quoted(f'file://{one}') for one in folders)}]"] if folders else []
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            node = hydra_compose("config", overrides=[*search, *(one.hydras() for one in given)])
    except Exception as error:  # of Hydra's: what it answers wrong files and overrides with has no type in common
        raise _explain(error, own) from error
    try:
        OmegaConf.resolve(node)
    except OmegaConfBaseException as error:
        raise _unresolved(_first_unresolved(node), str(error).splitlines()[0]) from error
    _find_task(node, own)
    config = from_node(node)
    expand_paths(config)
    validate(config)
    from_run = config.prune.from_run
    if from_run and not pending and not (Path(from_run) / artefacts.HEAD).exists():
        raise ConfigError(f"prune.from_run={from_run} is not a run folder", "`tpt status` lists the run folders")
    # Engines draw different samples, so the fingerprint must hold the engine itself and not `auto`.
    if plugins.names_function(config.prune.mode):
        plugins.function("prune.mode", config.prune.mode)  # whose errors are better known before anything is sampled
        path, function = plugins.split(config.prune.mode)
        config.prune.mode = f"{plugins.PYTHON}{path.absolute()}:{function}"
    if config.sampler.python:
        config.sampler.python = interpreter.absolute(config.sampler.python)
    settle_engines(config)
    return config


def _find_task(node: DictConfig, own: Path | None) -> None:
    """Let `task.code` name the user's own file that defines the task, from `/` on: jobs have other working folders."""
    task = node.get("task")
    if not isinstance(task, DictConfig):
        return  # `from_node` says so
    code = task.get("code")
    found = Path(code).expanduser() if code else tasks.defining(own, str(task.get("name", ""))) if own else None
    if found:
        OmegaConf.update(node, "task.code", str(found.absolute()), force_add=True)


def _explain(error: Exception, own: Path | None) -> ConfigError:
    """Hydra's error in the user's words, with the nearest name there is."""
    text = said(error, 1000)
    missing = re.search(r"Could not find '([\w-]+)/(.+?)'(?= Available|$)", text)
    if missing:
        group, name = missing.groups()
        if own and (own / group / f"{name}.yml").exists():
            return ConfigError(f"unknown {group} '{name}'", f"rename {name}.yml to {name}.yaml")
        if group == "task" and own and tasks.defining(own, name):
            return ConfigError(
                f"there is no {own / 'task' / f'{name}.yaml'}, and a task is chosen by such a file",
                f"write it, with the lines `# @package _global_`, `task:` and `  name: {name}`",
            )
        known = {one for folder in (own, *plugins.config_folders()) for one in choices(group, folder)}
        return ConfigError(f"unknown {group} '{name}'", nearest(name, known))
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
