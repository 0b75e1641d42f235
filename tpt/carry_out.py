"""Carrying out a run on this machine: performing what it owes, showing progress, mirroring it to the tracker."""

from pathlib import Path

from rich.text import Text

from tpt import tracking
from tpt.cluster import backend
from tpt.display import Display
from tpt.errors import TptError
from tpt.launch.loop import carry_out
from tpt.runs import books, rounds
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.terminal import Terminal
from tpt.tracking import Tracker


def carry_out_run(settings: Config, terminal: Terminal) -> Run:
    """Perform every stage that a config still owes, and mirror the run and its report to the tracker.

    Raises:
        TptError: a stage failed, or another process holds the run folder.
    """
    run = Run.create(settings)
    with tracking.make(settings.tracker, run) as tracker:
        carry_out_owed(run, tracker, terminal)
        if tracker.on:
            _mirror_report(run, tracker, terminal)
    return run


def _mirror_report(run: Run, tracker: Tracker, terminal: Terminal) -> None:
    """Write a run's own report for its tracker: the one that is printed is of several runs."""
    from tpt.report import report  # here: matplotlib is slow to import, and a run needs it only at its end

    try:
        tracker.log_report(report([run], run.report_dir))
    except TptError as error:  # a tracker stops nothing
        terminal.warn(f"{error.message}: the report of {run.name} is not mirrored")


def carry_out_owed(run: Run, tracker: Tracker, terminal: Terminal) -> None:
    """Perform every stage that a run still owes, showing progress.

    Raises:
        TptError: a stage failed, or another process holds the run folder.
    """
    _announce(run, terminal)
    chosen = backend.here(run.config)
    chosen.check(run)
    with Display(terminal) as display:

        def execute(stage: Stage) -> None:
            display.begin(run, stage)
            chosen.execute(run, stage, display.watch)
            record(stage)
            display.end(run, stage)

        def adopted(stage: Stage, origin: Path) -> None:
            record(stage)
            display.adopted(stage, origin)

        def record(stage: Stage) -> None:
            tracker.log(stage, books.record(run, stage))

        for stage in run.stages():
            if run.done(stage):
                record(stage)  # a run that was killed may have finished a stage without recording it
        if not carry_out(run, execute, adopted):
            terminal.progress.print("nothing is owed: this run is complete")
    if run.config.stop.auto:
        terminal.progress.print(rounds.in_words(run))


def _announce(run: Run, terminal: Terminal) -> None:
    """Print what the run owes, and which finished stages have to be redone."""
    most = "up to " if run.config.stop.auto and not run.stopped() else ""
    owed = f"{most}{len(run.owed())} of {len(run.stages())} stages owed"
    terminal.progress.print(Text.assemble((run.name, "bold"), f"  {owed}  {run.root}"))
    for stage in run.stages():
        if damage := run.damage(stage):
            terminal.warn(f"{damage.message}: {stage} is redone", "damaged")
