"""The report on some runs, as several commands write and print it."""

from pathlib import Path
from typing import TYPE_CHECKING

from tpt.runs.folder import Run
from tpt.terminal import Terminal

if TYPE_CHECKING:
    from tpt.report import Report


def print_report(runs: list[Run], out: Path, terminal: Terminal, html: Path | None = None) -> "Report":
    """Write the report on some runs to the folder `out`, and print it.

    Args:
        html: where the page goes, if not into `out`.

    Returns:
        what was written.
    """
    from tpt.report import report  # here: matplotlib is slow to import, and `tpt run` needs it only at its end

    written = report(runs, out, html)
    if terminal.as_json:
        terminal.write_json(written.record())
    else:
        for renderable in written.renderables:
            terminal.print(renderable)
    return written
