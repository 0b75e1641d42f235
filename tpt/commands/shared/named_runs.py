"""The runs that a path on the command line names, and what to say of those that cannot be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tpt import artefacts, sweep
from tpt.cluster import ledger
from tpt.errors import RunError, TptError
from tpt.runs.folder import Run
from tpt.terminal import Terminal


@dataclass(frozen=True)
class NamedRuns:
    """The runs that a path names.

    Attributes:
        runs: those that can be read.
        sweep: the sweep's folder, if the path is one; None for a run folder.
        left_out: why other runs of the sweep cannot be read.
    """

    runs: list[Run]
    sweep: Path | None = None
    left_out: list[TptError] = field(default_factory=list)


def runs_at(path: Path) -> NamedRuns:
    """The run in a run folder, or the runs of a sweep's folder.

    Raises:
        RunError: the path is neither.
        Damaged: the `sweep.json` there cannot be read.
        TptError: the run, or every run of the sweep, cannot be read.
    """
    if (path / artefacts.HEAD).exists():
        return NamedRuns([opened(path)])
    if (path / artefacts.SWEEP).exists():
        runs, left_out = readable(sweep.members(path))
        if left_out and not runs:
            raise left_out[0]
        return NamedRuns(runs, path, left_out)
    raise RunError(
        f"{path} is neither a run folder nor a sweep's folder", "`tpt status` lists the run folders under run_root"
    )


def opened(folder: Path) -> Run:
    """A run whose records can all be read: what is done, what is owed, and which jobs are working on it.

    Raises:
        RunError: the folder is not a run folder, or one of another version.
        Damaged: a file cannot be read.
    """
    run = Run.open(folder)
    run.owed()
    ledger.latest(run)
    return run


def readable(folders: Iterable[Path]) -> tuple[list[Run], list[TptError]]:
    """Open several run folders; one that cannot be read does not keep the others from being opened.

    Returns:
        the runs, and why the others cannot be read.
    """
    runs: list[Run] = []
    left_out: list[TptError] = []
    for folder in folders:
        try:
            runs.append(opened(folder))
        except TptError as error:
            left_out.append(error)
    return runs, left_out


def print_left_out(left_out: Sequence[TptError], terminal: Terminal) -> None:
    """Say which runs cannot be read and what to do about it; a hint that several share is printed once."""
    messages: dict[str, list[str]] = {}
    for error in left_out:
        messages.setdefault(error.hint, []).append(error.message)
    for hint, those in messages.items():
        for message in those:
            terminal.warn(message, "left out")
        terminal.progress.print(f"  -> {hint}")
