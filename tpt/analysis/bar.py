"""A bar of progress, for what an analysis samples or computes itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from tpt.terminal import PlainConsole

Advance = Callable[[int], None]


@contextmanager
def bar(console: PlainConsole, what: str, total: int) -> Iterator[Advance]:
    """A bar on a terminal that is not quiet; elsewhere nothing is shown.

    Args:
        what: is being done.
        total: of steps; what is yielded takes how many more are done.
    """
    with Progress(console=console, transient=True, disable=console.quiet or not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
