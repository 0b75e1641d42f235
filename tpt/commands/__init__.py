"""The `tpt` commands. Each is one file here, named after the command: its arguments, and what it does.

A file in this folder is a command: `load` walks the folder, so there is no list to which a new one could fail to be
added. What several commands share is in `shared`, which is a folder and therefore not a command.

`tpt --help` and completion import all of these files and have to answer within 0.1 s. At its top, a file therefore
imports only what its arguments need. What the command itself needs (Hydra, pyarrow, matplotlib, and our modules that
import them) is imported inside `call` and its helpers, by ordinary import statements: mypy, ruff and the layers
contract see those, which they could not if a helper imported modules by name.
"""

import argparse
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tpt.terminal import Terminal

# What `-v` does, and what it does in a command that performs stages
VERBOSE = "also print log messages, and the traceback of an error"
VERBOSE_STAGES = "also print what the stages log, and the traceback of an error"

# The order of `tpt --help`; commands that are not named here come after these, by name.
ORDER = (
    "run",
    "reproduce",
    "config",
    "show",
    "status",
    "attach",
    "cancel",
    "resubmit",
    "report",
    "analyse",
    "export",
    "trace",
    "verify",
    "rejudge",
    "judge",
    "new",
    "completion",
)


class Command(NamedTuple):
    """What a file of this folder declares as its `COMMAND`.

    Attributes:
        help: a line for `tpt --help`, which also begins the command's own help.
        add: adds the command's arguments to its parser.
        call: carries the command out, given its arguments and where to print; returns the exit code.
        epilog: the end of the command's own help.
        json: whether it has `--json`.
        verbose: what `-v` does.
    """

    help: str
    add: Callable[[argparse.ArgumentParser], None]
    call: "Callable[[argparse.Namespace, Terminal], int]"
    epilog: str = ""
    json: bool = False
    verbose: str = VERBOSE


def load() -> dict[str, Command]:
    """Every command by its name, in the order of `tpt --help`."""
    names = {module.name for module in iter_modules(__path__) if not module.ispkg}
    ordered = [name for name in ORDER if name in names] + sorted(names.difference(ORDER))
    found: dict[str, Command] = {}
    for name in ordered:
        found[name] = import_module(f"{__name__}.{name}").COMMAND
    return found
