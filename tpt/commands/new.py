"""`tpt new`: the beginning of a task of the user's own."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
tpt new task my_task
tpt run --config-dir . task=my_task
With --json, an object with the key files: those that were written."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("kind", choices=["task"], help="what to write: a task")
    parser.add_argument("name", metavar="NAME", help="its name, e.g. my_task")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="where to write it (default: here)"
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Write the files, and print how to go on."""
    from tpt.scaffold import write_task

    written = write_task(options.name, options.folder)
    if terminal.as_json:
        terminal.write_json({"files": [str(path) for path in written]})
        return 0
    for path in written:
        terminal.print(str(path))
    folder = shlex.quote(str(options.folder))
    terminal.print(f"test it:  python -m pytest {shlex.quote(str(written[-1]))}")
    terminal.print(f"look:     tpt show --config-dir {folder} task={options.name}")
    terminal.print(f"run it:   tpt run --config-dir {folder} task={options.name}")
    return 0


COMMAND = Command(
    help="Write a task of your own to begin with: its Python file, its config and its test.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
