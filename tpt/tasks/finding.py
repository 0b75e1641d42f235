"""Finding the task that a config names: in this package, in a file of the user's own, or in an installed package."""

import dataclasses
import functools
import hashlib
import importlib.util
import os
import re
import traceback
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from tpt import plugins
from tpt.errors import ConfigError, nearest, said
from tpt.setting import mistyped, walk
from tpt.tasks import base
from tpt.tasks.base import Task

FOLDER = "tasks"  # in a folder of the user's own configs: the files of their tasks
OTHERS = "correct that file; the other tasks can still be used"


def make(node: Any) -> Task:
    """The task that a config node describes.

    Raises:
        ConfigError: the task or a setting is unknown, a value has the wrong type, or the task's file is broken.
    """
    name, code = str(node.get("name", "")), node.get("code")
    kind = _in_file(Path(code).expanduser(), name) if code else find(name)
    try:
        task = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), node))
    except ConfigKeyError as error:
        names = [f"task.{item.name}" for item in dataclasses.fields(kind)]
        wrong = f"task.{error.full_key}"
        raise ConfigError(f"the task {name} has no setting '{wrong}'", nearest(wrong, names)) from error
    except OmegaConfBaseException as error:
        wrong = str(error.full_key)
        one = next((one for one in walk(kind) if one.key == wrong.partition("[")[0]), None)
        if one is None:
            raise ConfigError(f"task.{wrong}: {str(error).splitlines()[0]}") from error
        raise mistyped(f"task.{wrong}", OmegaConf.select(node, wrong), one) from error
    assert isinstance(task, Task)
    return task


def find(name: str) -> type[Task]:
    """The class of a task of this package or of an installed one.

    Raises:
        ConfigError: there is none of this name, or its file is broken.
    """
    if name in base.REGISTRY:
        return base.REGISTRY[name]
    check_loaded(name)
    added = plugins.names(plugins.TASKS)
    if name not in added:
        left_out = "".join(f"; {_file(one)} cannot be loaded: {said(error)}" for one, error in base.BROKEN.items())
        raise ConfigError(f"unknown task '{name}'", nearest(name, [*base.REGISTRY, *added]) + left_out)
    kind = plugins.load(plugins.TASKS, name)
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        value = plugins.find(plugins.TASKS, name).value
        raise ConfigError(
            f"the entry point {value} of the task {name} is no task", "derive the class from tpt.tasks.Task"
        )
    return kind


def check_loaded(name: str) -> None:
    """Check that no file that cannot be imported defines a task of this name.

    Raises:
        ConfigError: one does; names the file, the line and what is wrong there.
    """
    for module, error in base.BROKEN.items():
        path = _file(module)
        if name in (module.rpartition(".")[2], Path(path).stem) or _declares(path, name):
            raise _broken(name, path, error) from error


def defining(folder: Path, name: str) -> Path | None:
    """The file in `FOLDER/tasks` that registers a task; None if there is none.

    A file that says `register("NAME")` is found without running any. Else they are imported until one registers the
    name; one that cannot be imported is recorded in `BROKEN` and does not affect the others.

    Args:
        folder: of the user's own configs.

    Raises:
        ConfigError: several files register it, or one registers a name of this package.
    """
    files = [path for path in sorted((folder / FOLDER).glob("*.py")) if not path.name.startswith(("_", "test_"))]
    declared = [path for path in files if _declares(str(path), name)]
    if len(declared) > 1:
        raise ConfigError(f"the task {name} is in several files: {', '.join(map(str, declared))}", "rename all but one")
    if declared and name in base.REGISTRY:
        raise ConfigError(f"{declared[0]} has the name of a task that comes with tpt: {name}", "rename the task")
    if declared or name in base.REGISTRY:
        return declared[0] if declared else None
    for path in files:
        try:
            if name in of_file(path):
                return path
        except (Exception, SystemExit) as error:  # whatever a user's file raises
            base.BROKEN[str(path)] = error
    return None


def of_file(path: Path) -> dict[str, type[Task]]:
    """The tasks that a Python file registers, by name; they do not join those of this package.

    Raises:
        Exception, SystemExit: whatever the file raises.
    """
    stat = path.stat()
    return _of_file(path, stat.st_mtime_ns, stat.st_size)


@functools.cache
def _of_file(path: Path, *_: int) -> dict[str, type[Task]]:
    module = f"_tpt_tasks_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    before = dict(base.REGISTRY)
    try:
        plugins.import_file(path, module)
        return {name: kind for name, kind in base.REGISTRY.items() if kind.__module__ == module}
    finally:
        base.REGISTRY.clear()
        base.REGISTRY.update(before)


def _in_file(path: Path, name: str) -> type[Task]:
    if not path.is_file():
        raise ConfigError(
            f"task.code={path}: there is no such file", f"put the file of the task {name} back, or name where it is now"
        )
    try:
        found = of_file(path)
    except (Exception, SystemExit) as error:  # whatever a user's file raises
        raise _broken(name, str(path), error) from error
    if name not in found:
        raise ConfigError(f"task.code={path} registers no task {name}", nearest(name, found))
    return found[name]


def _broken(name: str, path: str, error: BaseException) -> ConfigError:
    where = f"{_where(error, path)}: {type(error).__name__}: {said(error)}"
    return ConfigError(f"the task {name} cannot be loaded: {where}", OTHERS)


def _declares(path: str, name: str) -> bool:
    """Whether the text of a file says `register("NAME")`."""
    return bool(re.search(rf"register\(\s*[\"']{re.escape(name)}[\"']", _source(path)))


def _file(module: str) -> str:
    """The file of a module; a file is its own."""
    try:
        found = importlib.util.find_spec(module)
    except Exception:  # finding a module does not run it, but does run its parent packages
        found = None
    return (found and found.origin) or module


def _source(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _where(error: BaseException, path: str) -> str:
    """The file and line at fault: where a syntax error is, or else the last line run in the tasks' folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}" if error.lineno else error.filename
    ran = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    beside = [f"{file}, line {line}" for file, line in ran if Path(file).parent == Path(path).parent]
    return beside[-1] if beside else path
