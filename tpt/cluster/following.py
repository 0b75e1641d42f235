"""What the jobs of some runs are doing, for `tpt status` and `tpt attach`; does not import submitit."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from tpt.cluster import ledger, slurm, snapshot, status
from tpt.cluster.ledger import known_ids
from tpt.cluster.slurm import UNKNOWN, State
from tpt.errors import ClusterError, RunError
from tpt.runs.folder import Run
from tpt.terminal import Terminal

REFRESH_SECONDS = 3.0


def tables(runs: Sequence[Run], blind: bool = True) -> tuple[Group, bool]:
    """The tables of some runs' jobs as they are now. SLURM is not asked about runs that are complete.

    Args:
        blind: if SLURM does not answer, show what the run folders contain, and say so.

    Returns:
        what to print, and whether any job is still waiting or running.
    Raises:
        ClusterError: SLURM does not answer, and `blind` is false.
    """
    unfinished = [run for run in runs if not status.complete(run)]
    ids = [one for entry in ledger.everything(unfinished) for one in entry.task_ids()]
    ids += known_ids(unfinished)
    states, why = _states(ids, blind)
    note = [Text(f"the states of the jobs are not known: {why}")] if why else []
    drawn = [status.drawn(run, status.rows(run, states)) for run in runs]
    latest = [entry for run in unfinished for entry in ledger.latest(run).values()]
    live = any(state.live for entry in latest for state in status.task_states(entry, states))
    return Group(*drawn, *note), live


def _states(ids: Sequence[str], blind: bool) -> tuple[dict[str, State], str]:
    """The states of jobs; if SLURM does not answer and `blind` is true, all are unknown, with the reason."""
    try:
        return slurm.states(ids), ""
    except ClusterError as error:
        if not blind:
            raise
        return dict.fromkeys(ids, State(UNKNOWN)), f"{error.message}; {error.hint}"


def records(runs: Sequence[Run]) -> dict[Path, list[dict[str, Any]]]:
    """The jobs of the runs that were submitted, as JSON, by the folder of the run."""
    submitted = [run for run in runs if ledger.latest(run)]
    unfinished = [run for run in submitted if not status.complete(run)]
    ids = [one for entry in ledger.everything(unfinished) for one in entry.task_ids()]
    states, _ = _states([*ids, *known_ids(unfinished)], blind=True)
    return {run.root: [dataclasses.asdict(row) for row in status.rows(run, states)] for run in submitted}


def summaries(runs: Sequence[Run]) -> dict[str, str]:
    """A few words on the jobs of unfinished runs, by the name of the run; empty if SLURM does not answer."""
    on_slurm = [run for run in runs if ledger.latest(run) and not status.complete(run)]
    if not on_slurm or not slurm.installed():
        return {}
    try:
        states = slurm.states(known_ids(on_slurm))
    except ClusterError:
        return {}
    return {run.name: status.summary(run, states) for run in on_slurm}


def attach(runs: Sequence[Run], console: Terminal) -> bool:
    """Show some runs' jobs until none is waiting or running.

    Returns:
        whether everything was done.
    """
    if not any(ledger.latest(run) for run in runs):
        raise RunError(
            "there are no jobs to follow", "a run with cluster=local shows its progress in the shell it was started in"
        )
    shown, live = tables(runs, blind=False)
    with Live(shown, console=console.progress, refresh_per_second=1) as screen:
        while live:
            time.sleep(REFRESH_SECONDS)
            shown, live = tables(runs, blind=False)
            screen.update(shown)
    if not console.progress.is_terminal:
        console.progress.print()
    return not any(run.owed() for run in runs)


def code_changed(run: Run) -> bool:
    """Whether the code here differs from what the run's jobs execute."""
    return any(entry.code != snapshot.digest() for entry in ledger.latest(run).values())
