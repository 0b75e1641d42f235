"""From Hydra's YAML files and a user's overrides to typed, validated dataclasses."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_origin

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from tpt import tasks
from tpt.config import SCALARS, SECTIONS, Config, validate
from tpt.errors import ConfigError, nearest
from tpt.think import interpreter
from tpt.think.engines import resolve_engine

Section = TypeVar("Section")

AUTO = "auto"  # as a number of rounds: see `StopConfig`


def conf_dir() -> Path:
    """The folder of the shipped configs: beside the package in a checkout, inside it in a wheel."""
    checkout = Path(__file__).resolve().parent.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else Path(__file__).resolve().parent / "conf"


def choices(group: str) -> list[str]:
    """The names a config group ships, e.g. `choices("model")`."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def compose(overrides: Sequence[str] = (), config_dir: Path | None = None, pending: bool = False) -> Config:
    """Compose, type and validate one config.

    Args:
        overrides: Hydra overrides, e.g. `model=gemma2-2b`, `train.epochs=2`.
        config_dir: a folder of the user's own with further groups (`model/mine.yaml`, ...).
        pending: whether the run that `prune.from_run` names may be still to come, as in a plan.

    Raises:
        ConfigError: an unknown group choice or key, a wrong type, a value out of range, a contradiction.
    """
    search = [f"hydra.searchpath=[file://{config_dir.resolve()}]"] if config_dir else []
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            node = hydra_compose("config", overrides=[*search, *map(_settable, overrides)])
        OmegaConf.resolve(node)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explain(error, overrides) from error
    config = from_node(node)
    validate(config)
    from_run = config.prune.from_run
    if from_run and not pending and not (Path(from_run).expanduser() / "run.json").exists():
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
        if key not in (*SECTIONS, *SCALARS, "task"):
            raise ConfigError(f"unknown setting '{key}'", nearest(key, [*SECTIONS, *SCALARS, "task"]))
    sections = {name: _typed(name, kind, node.get(name) or {}) for name, kind in SECTIONS.items()}
    scalars = {name: node[name] for name in SCALARS}
    if scalars["rounds"] == AUTO:
        stop = sections["stop"]
        stop.auto, scalars["rounds"] = True, max(stop.most, stop.least)
    for name, kind in SCALARS.items():
        if type(scalars[name]) is not kind:  # isinstance would take true for 1
            what = "a whole number" if kind is int else "a text"
            hint = "give a number, or rounds=auto: until a round no longer gains" if name == "rounds" else ""
            raise ConfigError(f"{name}={scalars[name]} is not {what}", hint)
    return Config(task=tasks.make(node.task), **sections, **scalars)


def load(path: Path) -> Config:
    """The config that a run folder holds, typed and validated."""
    config = from_node(OmegaConf.load(path))  # type: ignore[arg-type]  # a run's config is always a mapping
    validate(config)
    return config


def expand_sweep(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The points of a multirun: the product of every `key=a,b` in the overrides, in Hydra's own syntax.

    Raises:
        ConfigError: an override that Hydra's grammar does not read.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise _explain(error, overrides) from error
    axes = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [str(one.input_line)]
        for one in parsed
    ]
    for point in itertools.product(*axes):
        yield list(point)


def _typed(name: str, kind: type[Section], node: Any) -> Section:
    try:
        merged = OmegaConf.merge(OmegaConf.structured(kind), node)
        return OmegaConf.to_object(merged)  # type: ignore[return-value]  # to_object of a structured node is its class
    except ConfigKeyError as error:
        key = str(error.full_key)
        raise ConfigError(f"unknown setting '{name}.{key}'", nearest(key, _keys(kind))) from error
    except MissingMandatoryValue as error:
        raise ConfigError(f"{name} lacks a value: {error}", f"see conf/{name}/ for complete examples") from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}.{error.full_key}: {str(error).splitlines()[0]}") from error


def _keys(kind: Any, prefix: str = "") -> list[str]:
    """Dotted names of a section's settings; one that holds settings of any name ends with a dot."""
    names: list[str] = []
    for item in dataclasses.fields(kind):
        names.append(prefix + item.name)
        if get_origin(item.type) is dict:
            names.append(f"{prefix}{item.name}.")
        if isinstance(item.type, type) and dataclasses.is_dataclass(item.type):
            names += _keys(item.type, f"{prefix}{item.name}.")
    return names


def all_keys() -> list[str]:
    """Every setting that an override may name, dotted."""
    keys = [*SECTIONS, *SCALARS, "task"]
    for name, kind in SECTIONS.items():
        keys += _keys(kind, f"{name}.")
    for task in tasks.REGISTRY.values():
        keys += _keys(task, "task.")
    return sorted(set(keys))


def _settable(override: str) -> str:
    """An override that Hydra takes also where the YAML files leave the setting to the dataclass's default."""
    key = override.split("=", 1)[0]
    known = all_keys()
    settable = "=" in override and (key in known or any(key.startswith(name) for name in known if name.endswith(".")))
    return f"++{override}" if settable and "." in key else override


def _explain(error: Exception, overrides: Sequence[str]) -> ConfigError:
    """Hydra's error in the user's words, with the nearest name there is."""
    text = str(error)
    missing = re.search(r"Could not find '?([\w-]+)/([^'\s]+)'", text)
    if missing:
        group, name = missing.groups()
        return ConfigError(f"unknown {group} '{name}'", nearest(name, choices(group)))
    for override in overrides:
        key = override.lstrip("+~").split("=", 1)[0].split("@")[0]
        groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
        if key and key in text and key not in (*all_keys(), *groups):
            return ConfigError(f"unknown setting '{key}'", nearest(key, [*all_keys(), *groups]))
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    return ConfigError(text.splitlines()[0])


def _unreadable(override: str) -> ConfigError:
    key, _, value = override.lstrip("+").partition("=")
    quoted = f"in quotes of its own: '{key}=\"{value}\"'" if value else "as KEY=VALUE"
    return ConfigError(f"{override.lstrip('+')} cannot be read as an override", f"write it {quoted}")
