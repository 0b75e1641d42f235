"""Carrying out what a run still owes."""

from collections.abc import Callable
from pathlib import Path

from tpt.run import rounds, shared
from tpt.run.folder import Run
from tpt.run.stage import Stage


def carry_out(run: Run, execute: Callable[[Stage], None], adopted: Callable[[Stage, Path], None]) -> list[Stage]:
    """Do every stage that is owed, in order, holding the run folder's lock; `rounds=auto` may turn out to owe less.

    Args:
        execute: does one stage and leaves its manifest.
        adopted: told of a stage that was taken over from another run of the same settings, and from where.

    Returns:
        the stages that were owed when it began.
    Raises:
        RunError: another process holds the run folder.
    """
    with run.lock():
        owed = run.owed()
        for stage in owed:
            if stage not in run.stages():  # an evaluation has shown that `rounds=auto` needs no further round
                break
            if run.done(stage):  # what it was made from has come out as before
                continue
            origin = shared.adopt(run, stage)
            if origin:
                adopted(stage, origin)
            else:
                execute(stage)
        rounds.record(run)
    return owed
