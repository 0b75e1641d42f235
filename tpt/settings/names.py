"""The names that overrides and config files may use: groups of configs, their choices, and settings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from tpt import tasks
from tpt.errors import nearest
from tpt.setting import Setting, walk
from tpt.settings.benchmarks import CommandConfig
from tpt.settings.config import DECLARED, SCALARS, SECTIONS, Config

# Settings of older versions, and why they are gone: run folders and configs of users may still have them.
GONE = {"evaluate.bootstrap": "intervals are no longer made by resampling"}
TOP = (*SECTIONS, *SCALARS, *DECLARED, "task")  # what a whole config consists of
OF_COMMANDS = "commands.NAME"
# What the settings of entries are called in general: those of a benchmark are as those of a run.
ENTRY = {r"^commands\.[^.]+": OF_COMMANDS, r"^benchmarks\.[^.]+\.(?=(task|evaluate)\.)": ""}
COMMAND = "command"  # the group whose files are entries of a section: +command@commands.NAME=FILE
PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The folder of the shipped configs: beside the package in a checkout, inside it in a wheel."""
    checkout = PACKAGE.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else PACKAGE / "conf"


def groups(config_dir: Path | None = None) -> list[str]:
    """The config groups, those in a folder of the user's own included."""
    folders = [conf_dir(), *([config_dir] if config_dir else [])]
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/*.yaml")})


def choices(group: str, config_dir: Path | None = None) -> list[str]:
    """The names in a config group, e.g. `choices("model")`; those in a folder of the user's own included."""
    folders = [conf_dir(), *([config_dir] if config_dir else [])]
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def settings() -> dict[str, Setting]:
    """Every setting that an override may name, by its dotted name, those of every task included.

    One that holds settings of any name comes again with a dot at its end.
    """
    found: dict[str, Setting] = {}
    of_tasks = (one for kind in tasks.REGISTRY.values() for one in walk(kind, "task."))
    for one in [*walk(Config), *walk(CommandConfig, f"{OF_COMMANDS}."), *of_tasks]:
        found[one.key] = one
        if one.base is dict:
            held = get_args(one.inner)[1:]
            found[f"{one.key}."] = Setting(held[0] if held and str in get_args(held[0]) else Any)
    return found


def all_keys() -> list[str]:
    """Every setting that an override may name, dotted."""
    return sorted(settings())


def find(key: str, known: Mapping[str, Setting]) -> Setting | None:
    """What is known of a setting, also of one under a setting that holds others of any name."""
    general = key
    for place, name in ENTRY.items():
        general = re.sub(place, name, general)
    for one in (general, key):
        if one in known:
            return known[one]
        around = [name for name in known if name.endswith(".") and one.startswith(name)]
        if around:
            return known[max(around, key=len)]
    return None


def nearest_setting(key: str, known: Mapping[str, Setting]) -> str:
    """A hint for the name of a setting that does not exist."""
    if key in GONE:
        return f"older versions had it: {GONE[key]}; leave it out"
    hint = nearest(key, known)
    return hint if hint.startswith("did") else "`tpt config` prints every setting"
