"""The report on some runs, as several commands write and print it."""

from pathlib import Path

from tpt.run import Run
from tpt.terminal import Terminal


def print_report(runs: list[Run], out: Path, terminal: Terminal, html: Path | None = None) -> None:
    """Write the report on some runs to the folder `out`, and print it.

    Args:
        html: where the page goes, if not into `out`.
    """
    from tpt.report import report  # here, because matplotlib is slow to import and `tpt run` gets here last

    written = report.report(runs, out, html)
    if terminal.as_json:
        terminal.write_json(written.record())
        return
    for renderable in written.renderables:
        terminal.print(renderable)
