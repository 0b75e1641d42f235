"""Code of others: what installed packages add under entry points, and Python files that a setting names.

Entry points are looked up only when a name is needed that this package does not have, because reading the metadata of
every installed package takes longer than `tpt --help` may. Names of this package come first, so no plug-in can replace
what is shipped.
"""

import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tpt.errors import ConfigError, nearest, said

TASKS, ENGINES, TRACKERS = "tpt.tasks", "tpt.engines", "tpt.trackers"
WORDS = {TASKS: "task", ENGINES: "engine", TRACKERS: "tracker"}  # what messages call a plug-in of each group
PYTHON = "python:"  # how a setting begins that names a function of the user's own: python:FILE:FUNCTION


@functools.cache
def _installed(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name, one for each package that has it."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for one in entry_points(group=group):
        found.setdefault(one.name, {}).setdefault(_package(one), one)  # a package may be on the path twice
    return {name: list(those.values()) for name, those in sorted(found.items())}


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module


def names(group: str) -> list[str]:
    """The names that installed packages add to a group, e.g. `names(TASKS)`."""
    return list(_installed(group))


def find(group: str, name: str) -> EntryPoint:
    """The entry point of a name in `names(group)`.

    Raises:
        ConfigError: several packages have it.
    """
    first, *others = _installed(group)[name]
    if others:
        packages = " and ".join(map(_package, [first, *others]))
        raise ConfigError(f"the {WORDS[group]} {name} is in several packages: {packages}", "uninstall all but one")
    return first


def load(group: str, name: str) -> Any:
    """What the entry point of a name in `names(group)` stands for.

    Raises:
        ConfigError: it cannot be imported; names the package and the error.
    """
    entry = find(group, name)
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # whatever the code of others raises
        raise ConfigError(
            f"the {WORDS[group]} {name} of the package {_package(entry)} cannot be imported ({entry.value}): "
            f"{type(error).__name__}: {said(error)}",
            "correct that package or install another version of it; everything else can still be used",
        ) from error


def source(group: str, name: str) -> Path | None:
    """The file of the module that an entry point names, without importing it; None if that is no Python file."""
    module = find(group, name).module
    try:
        found = importlib.util.find_spec(module)
    except (Exception, SystemExit):  # finding a module runs its parent packages
        found = None
    path = Path(found.origin) if found and found.origin else None
    return path if path and path.suffix == ".py" else None


def config_folders() -> list[Path]:
    """The folders `conf` of the packages that add tasks or engines, e.g. with `task/mine.yaml`; imports no package."""
    found = []
    for group in (TASKS, ENGINES):
        for entry in (one for those in _installed(group).values() for one in those):
            package = importlib.util.find_spec(entry.module.partition(".")[0])
            found += [Path(folder) / "conf" for folder in (package and package.submodule_search_locations) or []]
    return [path for path in dict.fromkeys(found) if path.is_dir()]


def import_file(path: Path, name: str) -> ModuleType:
    """Run a Python file as a module of this name, which dataclasses and `inspect` then find.

    Raises:
        Exception, SystemExit: whatever the file raises; then there is no such module.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def split(spec: str) -> tuple[Path, str]:
    """File and function of `python:FILE:FUNCTION`."""
    file, _, function = spec.removeprefix(PYTHON).rpartition(":")
    return Path(file).expanduser(), function


def names_function(text: str) -> bool:
    """Whether a text has the form `python:FILE:FUNCTION`."""
    path, function = split(text)
    return text.startswith(PYTHON) and path.suffix == ".py" and function.isidentifier()


def function(key: str, spec: str) -> Callable[..., Any]:
    """The function that a setting names as `python:FILE:FUNCTION`.

    Args:
        key: the setting, for messages.

    Raises:
        ConfigError: the file is missing or cannot be imported, or has no such function.
    """
    path, name = split(spec)
    if not path.is_file() or path.suffix != ".py":
        raise ConfigError(f"{key}: there is no Python file {path}", f"{key}=python:FILE:FUNCTION")
    try:
        module = import_file(path, f"_tpt_own_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}")
    except (Exception, SystemExit) as error:  # whatever a user's file raises
        raise ConfigError(
            f"{key}: {path} cannot be imported: {type(error).__name__}: {said(error)}", "correct that file"
        ) from error
    known = {name: one for name, one in vars(module).items() if callable(one) and not name.startswith("_")}
    if name not in known:
        raise ConfigError(f"{key}: {path} has no function {name}", nearest(name, known))
    found: Callable[..., Any] = known[name]
    return found
