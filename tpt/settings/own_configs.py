"""A folder of the user's own configs (`--config-dir`): what is wrong with its files, by file and line.

Hydra reads the files; it names neither file nor line for some faults, and takes others in silence.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from tpt.errors import ConfigError, nearest, said
from tpt.settings import names
from tpt.tasks.finding import FOLDER

HEADER = re.compile(r"#\s*@package\s+(\S+)")
# YAML 1.1 takes these for numbers: 010 is 8, and 1:30 is 90.
ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
INTEGER, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


def find(config_dir: Path | None) -> Path | None:
    """The folder that `--config-dir` names, from `/` on; None where it names none.

    Raises:
        ConfigError: it is not there, is no folder, or has no group of configs.
    """
    if config_dir is None:
        return None
    folder = Path(os.path.expanduser(config_dir)).resolve()
    shipped = names.groups()
    layout = "it holds folders as model/, with your configs as model/mine.yaml"
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {folder} {'is a file' if folder.exists() else 'does not exist'}", layout)
    try:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise ConfigError(f"--config-dir {folder} cannot be read: {error.strerror}") from error
    if any(name in (*shipped, FOLDER) for name in inside):
        return folder
    if folder.name in shipped and any(folder.glob("*.yaml")):
        raise ConfigError(f"--config-dir {folder} is a group itself", f"name the folder above it: {folder.parent}")
    hints = [hint for name in inside if (hint := nearest(name, shipped)).startswith("did")]
    message = f"--config-dir {folder} has none of the folders {', '.join(shipped)}"
    raise ConfigError(message, hints[0] if hints else layout)


def check_files(folder: Path, chosen: Iterable[tuple[str, str]]) -> None:
    """Check the files of a folder that a config is composed of.

    Args:
        chosen: group and name of what is chosen; what is no file of this folder is passed over.

    Raises:
        ConfigError: one has the name of a shipped config, is not YAML, or says something other than it seems to.
    """
    waiting, seen = list(chosen), set()
    groups = {group for group, _ in waiting}
    config = names.conf_dir() / "config.yaml"
    waiting += [one for one in _defaults("", _root(config, _text(config))) if one[0] not in groups]
    while waiting:
        group, name = waiting.pop()
        path = folder / group / f"{name.removesuffix('.yaml')}.yaml"
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        other = names.conf_dir() / group / path.name
        if other.exists() and other.read_bytes() != path.read_bytes():
            raise ConfigError(
                f"{path} has the name of a config that comes with tpt, which would be taken in its place", "rename it"
            )
        text = _text(path)
        root = _root(path, text)
        _check_values(path, root)
        _check_package(path, group, text, root)
        waiting += _defaults(group, root)


def unreadable(error: yaml.YAMLError, path: Path | None = None) -> ConfigError:
    """What a YAML parser says, with file and line where it knows them."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ConfigError(f"{path or 'a config'} is not YAML: {said(error)}")
    problem = " ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", None))))
    hint = "indent with spaces, not with tabs" if r"'\t'" in problem else ""
    return ConfigError(f"{path or mark.name}, line {mark.line + 1}, column {mark.column + 1}: {problem}", hint)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        wrong = error.object[error.start]
        raise ConfigError(f"{path}, line {line}: byte 0x{wrong:02x} is not UTF-8", "save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _root(path: Path, text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(f"{path}, line {line}: character U+{error.character:04X}: {error.reason}") from error
    except yaml.YAMLError as error:
        raise unreadable(error, path) from error
    if root is None:  # an empty file
        return yaml.MappingNode("tag:yaml.org,2002:map", [])
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path} holds no settings, but {_what(root)}", "write lines as KEY: VALUE")
    return root


def _what(node: yaml.Node) -> str:
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text '{node.value[:40]}'"


def _check_values(path: Path, node: yaml.Node, key: str = "") -> None:
    """Refuse keys that come twice or are no names, and numbers that YAML reads as others than they seem."""
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            _check_values(path, one, key)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                raise ConfigError(f"{path}, line {line}: the key of a setting must be a name")
            if name.value in seen:
                raise ConfigError(f"{path}, line {line}: {name.value} is there twice, first in line {seen[name.value]}")
            seen[name.value] = line
            _check_values(path, value, f"{key}.{name.value}" if key else name.value)
    elif node.tag in (INTEGER, FLOAT) and not node.style and ODD_NUMBER.fullmatch(node.value):
        raise ConfigError(
            f"{path}, line {node.start_mark.line + 1}: {key}: {node.value} is another number in YAML, "
            "octal or in sixties",
            "write a number without leading zeros or colons, or put a text in quotes",
        )


def _check_package(path: Path, group: str, text: str, root: yaml.MappingNode) -> None:
    """Refuse a file whose settings would lie under its group's name, where there are none of their names."""
    if HEADER.match(text.lstrip()) or group == names.COMMAND:
        return
    if HEADER.match(text.removeprefix("\ufeff")):  # an editor shows no difference, and Hydra sees no header
        raise ConfigError(f"{path} begins with a byte order mark", "save the file as UTF-8 without one")
    known = names.settings()
    for node, _ in root.value:
        top = group not in names.TOP or (node.value in names.TOP and f"{group}.{node.value}" not in known)
        if top and node.value != "defaults":
            raise ConfigError(
                f"{path} would set {group}.{node.value}, which there is not",
                f"for {node.value} of the whole config, let its first line be: # @package _global_",
            )


def _defaults(group: str, root: yaml.MappingNode) -> Iterator[tuple[str, str]]:
    """Group and name of what a file's defaults list includes."""
    lists = [value.value for name, value in root.value if name.value == "defaults"]
    for one in lists[0] if lists and isinstance(lists[0], list) else []:  # Hydra says what else is wrong with it
        if isinstance(one, yaml.ScalarNode):
            yield group, one.value
        elif isinstance(one, yaml.MappingNode):
            for name, value in one.value:
                named = str(name.value).split(" ")[-1].partition("@")[0]
                below = (named if named.startswith("/") else f"{group}/{named}").strip("/")
                if isinstance(value, yaml.ScalarNode):
                    yield below, value.value
