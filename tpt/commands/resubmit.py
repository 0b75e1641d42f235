"""`tpt resubmit`: submitting again what a run or a sweep still owes."""

import argparse
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_overrides, add_run_or_sweep

if TYPE_CHECKING:
    from tpt.terminal import Terminal


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_or_sweep(parser)
    add_overrides(parser, "settings that do not change results, e.g. cluster.train.minutes=90")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Submit what is still owed.

    Returns:
        0, or 1 if a run of the sweep cannot be read.
    """
    from tpt.cluster import commands as cluster
    from tpt.commands.shared.named_runs import print_left_out, runs_at

    found = runs_at(options.path)
    code = cluster.resubmit(found.runs, found.sweep, options.overrides, terminal)
    print_left_out(found.left_out, terminal)
    return 1 if found.left_out else code


COMMAND = Command(
    help="Submit what a run or a sweep still owes, with other resources if given: cluster.train.minutes=90",
    add=add,
    call=call,
)
