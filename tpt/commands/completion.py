"""`tpt completion`: the script with which a shell completes `tpt`."""

import argparse
from typing import TYPE_CHECKING

from tpt.commands import Command

if TYPE_CHECKING:
    from tpt.terminal import Terminal

SHELLS = ("bash", "zsh", "fish")

EPILOG = """\
bash: add to ~/.bashrc              eval "$(tpt completion bash)"
zsh:  add to ~/.zshrc, after compinit   eval "$(tpt completion zsh)"
fish: tpt completion fish > ~/.config/fish/completions/tpt.fish"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS), help="the shell that is to read the script")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    terminal.write(shellcode(["tpt"], shell=options.shell))
    return 0


COMMAND = Command(
    help="Print a script with which a shell completes tpt's commands and settings.",
    add=add,
    call=call,
    epilog=EPILOG,
)
