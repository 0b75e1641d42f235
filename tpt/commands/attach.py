"""`tpt attach`: following the jobs of a run or a sweep."""

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_run_or_sweep

if TYPE_CHECKING:
    from tpt.runs.folder import Run
    from tpt.terminal import Terminal


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Follow the jobs until none is left, then print the report on what is evaluated.

    Returns:
        0, or 1 if work is still owed.
    """
    from tpt.cluster import following
    from tpt.commands.shared.named_runs import print_left_out, runs_at
    from tpt.commands.shared.report import print_report
    from tpt.runs import table

    found = runs_at(options.path)
    complete = following.attach(found.runs, terminal) and not found.left_out
    evaluated = [run for run in found.runs if run.done(table.evaluation(0))]
    if evaluated:
        print_report(evaluated, found.sweep or found.runs[0].report_dir, terminal)
    if not complete:
        _print_errors(found.runs, terminal)
        again = shlex.join(["tpt", "resubmit", str(options.path)])
        terminal.failed(f"work is still owed; to continue: {again}")
    print_left_out(found.left_out, terminal)
    return 0 if complete else 1


def _print_errors(runs: Sequence["Run"], terminal: "Terminal") -> None:
    for run in runs:
        for stage in run.owed():
            for error in run.errors(stage):
                terminal.failed(f"{run.name} {stage}: {error.splitlines()[0]}")


COMMAND = Command(
    help="Follow the jobs of a run or a sweep until they end.",
    add=add_run_or_sweep,
    call=call,
    epilog="Ctrl-C only stops following; the jobs go on. The report is printed at the end.",
)
