"""Showing what a command that takes a while is doing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tpt.terminal import Terminal


@contextmanager
def telling(terminal: Terminal) -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, as long as the block lasts; nothing if that is no terminal."""
    console = terminal.progress
    if not console.is_terminal or console.quiet:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update
