"""Carrying out the stages that a run still owes."""

from collections.abc import Callable
from pathlib import Path

from tpt.runs import rounds, shared
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


def carry_out(run: Run, execute: Callable[[Stage], None], adopted: Callable[[Stage, Path], None]) -> list[Stage]:
    """Do every owed stage in order, holding the run folder's lock; with `rounds=auto`, fewer may turn out to be owed.

    Args:
        execute: does one stage and leaves its manifest.
        adopted: called with a stage that was adopted from another run with the same settings, and that run's folder.

    Returns:
        the stages that were owed when it began.
    Raises:
        RunError: another process is using the run folder.
    """
    with run.lock():
        owed = run.owed()
        for stage in owed:
            if stage not in run.stages():  # an evaluation has shown that `rounds=auto` ends here
                break
            if run.done(stage):  # its inputs were redone with the same outcome
                continue
            origin = shared.adopt(run, stage)
            if origin:
                adopted(stage, origin)
            else:
                execute(stage)
        rounds.record(run)
    return owed
