"""The names that overrides and config files may use: groups of configs, their choices, and settings."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from tpt import tasks
from tpt.config import SCALARS, SECTIONS
from tpt.errors import nearest

TOP = (*SECTIONS, *SCALARS, "task")  # what a whole config consists of
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", list: "a list", dict: "a map"}


@dataclass(frozen=True)
class Setting:
    """What is known of one setting: its type, and whether it is a path on this machine."""

    kind: Any
    path: bool = False

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types it may have; several where it may be null."""
        return get_args(self.kind) if get_origin(self.kind) in (Union, types.UnionType) else (self.kind,)

    @property
    def base(self) -> Any:
        """Its type, without null and without what a list holds: `list` of `list[int]`."""
        kind = next((one for one in self.kinds if one is not types.NoneType), Any)
        return get_origin(kind) or kind

    @property
    def text(self) -> bool:
        """Whether its value is a text."""
        return self.base is str

    @property
    def section(self) -> bool:
        """Whether it is a group of settings."""
        return dataclasses.is_dataclass(self.base)

    def __str__(self) -> str:
        return "a group of settings" if self.section else WORDS.get(self.base, "a value")


def conf_dir() -> Path:
    """The folder of the shipped configs: beside the package in a checkout, inside it in a wheel."""
    checkout = Path(__file__).resolve().parent.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else Path(__file__).resolve().parent / "conf"


def groups(config_dir: Path | None = None) -> list[str]:
    """The config groups, those in a folder of the user's own included."""
    folders = [conf_dir(), *([config_dir] if config_dir else [])]
    return sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()})


def choices(group: str, config_dir: Path | None = None) -> list[str]:
    """The names in a config group, e.g. `choices("model")`; those in a folder of the user's own included."""
    folders = [conf_dir(), *([config_dir] if config_dir else [])]
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def settings_of(kind: Any, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """The settings of a section by their dotted names; one that holds settings of any name comes again with a dot."""
    try:
        hints = get_type_hints(kind)
    except Exception:  # of a user's task, whose types cannot be looked up: it is no reason that others cannot be set
        hints = {item.name: item.type for item in dataclasses.fields(kind)}
    for item in dataclasses.fields(kind):
        setting = Setting(hints[item.name], bool(item.metadata.get("path")))
        name = prefix + item.name
        yield name, setting
        if setting.base is dict:
            yield f"{name}.", Setting(Any)
        if setting.section:
            yield from settings_of(setting.base, f"{name}.")


def settings() -> dict[str, Setting]:
    """Every setting that an override may name, by its dotted name; those of every task are among them."""
    found: dict[str, Setting] = {name: Setting(kind, name == "run_root") for name, kind in SCALARS.items()}
    found["task"] = Setting(tasks.Task)
    for name, kind in SECTIONS.items():
        found |= {name: Setting(kind), **dict(settings_of(kind, f"{name}."))}
    for kind in tasks.REGISTRY.values():
        found |= dict(settings_of(kind, "task."))
    return found


def all_keys() -> list[str]:
    """Every setting that an override may name, dotted."""
    return sorted(settings())


def find(key: str, known: Mapping[str, Setting]) -> Setting | None:
    """What is known of a setting, also of one under a setting that holds others of any name."""
    if key in known:
        return known[key]
    return next((one for name, one in known.items() if name.endswith(".") and key.startswith(name)), None)


def nearest_setting(key: str, known: Mapping[str, Setting]) -> str:
    """A hint for a setting that there is not."""
    hint = nearest(key, known)
    return hint if hint.startswith("did") else "`tpt config` prints every setting"
