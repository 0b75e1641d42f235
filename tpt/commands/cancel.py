"""`tpt cancel`: ending the jobs of a run or a sweep."""

import argparse
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_run_or_sweep

if TYPE_CHECKING:
    from tpt.terminal import Terminal


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Cancel the jobs that are waiting or running.

    Returns:
        0, or 1 if a run of the sweep cannot be read.
    """
    from tpt.cluster import commands as cluster
    from tpt.commands.shared.named_runs import print_left_out, runs_at

    found = runs_at(options.path)
    code = cluster.cancel(found.runs, terminal)
    print_left_out(found.left_out, terminal)
    return 1 if found.left_out else code


COMMAND = Command(
    help="Cancel the jobs of a run or a sweep; finished work is kept.",
    add=add_run_or_sweep,
    call=call,
)
