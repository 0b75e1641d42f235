"""`tpt status`: what is done and what is owed, of one run or of many."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import artefacts
from tpt.commands import Command
from tpt.errors import RunError, TptError

if TYPE_CHECKING:
    from tpt.runs.folder import Run
    from tpt.terminal import Terminal

EPILOG = """\
With --json: an object for one run, a list of objects for a sweep or a folder of runs. Their keys:
  run, folder   the run's name and its folder
  rounds        the number of rounds; with rounds=auto, the maximum
  auto          with rounds=auto, a sentence that says whether and why the run stopped; otherwise null
  complete      whether nothing is owed
  owed          the stages still to be done, e.g. "round-01/think"
  stages        for each stage: stage, round, name; which (the set of problems of a further evaluation); state (done,
                to adopt, damaged, failed, begun, owed); seconds and outcome if it is done, otherwise null; error, the
                latest one, or null; progress (done, total, unit, rate, rate_unit, seconds, note) while it is running,
                otherwise null
  jobs          on SLURM, for each job: job, id, state, progress, restarts, left, word, as in the table (unknown
                if SLURM does not answer); otherwise an empty list
For a run that cannot be read, the object has the keys error and hint instead."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path",
        type=Path,
        nargs="?",
        default=Path("runs"),
        metavar="RUN|SWEEP|RUN_ROOT",
        help="the folder of a run, of a sweep, or of many runs (default: runs)",
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Show the stages of a run or of a sweep's runs, or one line for each run under a folder.

    Runs that cannot be read are named at the end.

    Returns:
        0, even if some of several runs cannot be read.
    Raises:
        RunError: there is no run at the path or under it.
        Damaged: the only run at the path cannot be read.
    """
    path: Path = options.path
    is_one = (path / artefacts.HEAD).exists() or (path / artefacts.SWEEP).exists()
    return _of_one(path, terminal) if is_one else _of_all_under(path, terminal)


def _of_one(path: Path, terminal: "Terminal") -> int:
    from tpt.commands.shared.named_runs import print_left_out, runs_at

    found = runs_at(path)
    if terminal.as_json:
        shown = _records(found.runs, found.left_out)
        terminal.write_json(shown if found.sweep else shown[0])
    else:
        _print_stages(found.runs, terminal)
        print_left_out(found.left_out, terminal)
    return 0


def _of_all_under(root: Path, terminal: "Terminal") -> int:
    from tpt import plan
    from tpt.cluster import following
    from tpt.commands.shared.named_runs import print_left_out, readable
    from tpt.runs.folder import find

    folders = find(root)
    if not folders:
        raise RunError(f"there is no run folder at {root} or under it", "name a run folder, or the run_root= of runs")
    runs, left_out = readable(folders)
    if terminal.as_json:
        terminal.write_json(_records(runs, left_out))
    else:
        plan.show_runs(runs, following.summaries(runs), terminal)
        print_left_out(left_out, terminal)
    return 0


def _records(runs: Sequence["Run"], left_out: Sequence[TptError]) -> list[dict[str, Any]]:
    """The runs as JSON, and why others cannot be read."""
    from tpt import plan
    from tpt.cluster import following

    jobs = following.records(runs)
    shown = [plan.record(run) | {"jobs": jobs.get(run.root, [])} for run in runs]
    return [*shown, *({"error": error.message, "hint": error.hint} for error in left_out)]


def _print_stages(runs: Sequence["Run"], terminal: "Terminal") -> None:
    """Print a table for each run: of its jobs if it was submitted to SLURM, otherwise of its stages."""
    from tpt import plan
    from tpt.cluster import following, ledger

    submitted = [run for run in runs if ledger.latest(run)]
    for run in runs:
        if run not in submitted:
            plan.show_stages(run, terminal)
    if not submitted:
        return
    terminal.print(following.tables(submitted)[0])
    if any(following.code_changed(run) for run in submitted):
        terminal.print("the code here has changed since the jobs were submitted; they run the copy made then")
    plan.show_owed(submitted, terminal)


COMMAND = Command(
    help="Show what is done and what is owed, for one run or for all.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
