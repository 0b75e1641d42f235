"""`tpt report`: tables, figures and a page for some runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.errors import RunError

if TYPE_CHECKING:
    from tpt.commands.shared.named_runs import NamedRuns
    from tpt.terminal import Terminal

EPILOG = """\
With --json, an object with these keys:
  rows          for each evaluated round of each run: folder, and the columns of table.csv; null for a missing value
  sentences     the gains in words
  notes         why rounds=auto stopped, what could not be judged, what is not evaluated yet
  files         every file that was written"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN|SWEEP", help="folders of runs or sweeps")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write (default: the run's folder `report`, the sweep's folder, `report` next to several runs)",
    )
    parser.add_argument(
        "--html", type=Path, nargs="?", metavar="FILE", help="where to write the page (default: DIR/report.html)"
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Write and print the report.

    Returns:
        0, even if some of several runs cannot be read; these are named.
    Raises:
        Damaged: a run that was named cannot be read, or none of a sweep's can.
    """
    from tpt.commands.shared.named_runs import print_left_out, runs_at
    from tpt.commands.shared.report import print_report

    found = [runs_at(path) for path in options.runs]
    runs = [run for one in found for run in one.runs]
    if not runs:
        raise RunError(
            f"no run of {options.runs[0]} exists yet", "`tpt run -m` with the same settings continues the sweep"
        )
    print_report(runs, options.out or _folder(found), terminal, options.html)
    print_left_out([error for one in found for error in one.left_out], terminal)
    return 0


def _folder(found: list["NamedRuns"]) -> Path:
    """Where a report goes if nothing else is said."""
    runs = [run for one in found for run in one.runs]
    if len(found) == 1 and found[0].sweep:
        return found[0].sweep
    return runs[0].report_dir if len(runs) == 1 else runs[0].root.parent / "report"


COMMAND = Command(
    help="Write tables, figures and one HTML page for runs or sweeps.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
