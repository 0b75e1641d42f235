"""What a run will do, what it has done and what it owes, as tables for a person."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tpt import progress
from tpt.runs import rounds, shared, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.terminal import unfolded

COLOURS = {"done": "green", "to adopt": "cyan", "failed": "red", "damaged": "red", "begun": "yellow"}


def show(settings: Config, console: Console) -> None:
    """Print the plan of a config: its stages, their sizes, what is done and what is owed. Writes nothing."""
    run = Run.of(settings)
    drawn = Table(title=unfolded(run.name), title_justify="left")
    for column in ("stage", "state", "work"):
        drawn.add_column(column)
    for stage in run.stages():
        drawn.add_row(str(stage), _coloured(state(run, stage)), Text(table.of(stage).plan(settings, stage)))
    console.print(drawn)
    console.print(f"run folder: {run.root}")
    show_owed([run], console)


def show_stages(run: Run, console: Console) -> None:
    """Print a run's stages with their outcomes."""
    drawn = Table(title=unfolded(run.name), title_justify="left")
    for column in ("stage", "state", "seconds", "outcome"):
        drawn.add_column(column, justify="right" if column == "seconds" else "left")
    for stage in run.stages():
        manifest = run.manifest(stage) if run.done(stage) else None
        seconds = f"{manifest['seconds']:.1f}" if manifest else ""
        words = table.of(stage).outcome(manifest) if manifest else said(run, stage)
        drawn.add_row(str(stage), _coloured(state(run, stage)), seconds, Text(words))
    console.print(drawn)
    show_owed([run], console)


def show_owed(runs: Sequence[Run], console: Console) -> None:
    """Print how many stages some runs owe together, and of each with `rounds=auto` whether and why it stopped."""
    owed = sum(len(run.owed()) for run in runs)
    console.print(f"owed: {owed} of {sum(len(run.stages()) for run in runs)} stages")
    for run in runs:
        words = rounds.in_words(run)
        if words:
            console.print(f"{run.name}: {words}" if len(runs) > 1 else words)


def show_runs(runs: list[Run], jobs: dict[str, str], console: Console) -> None:
    """Print a line for each run.

    Args:
        jobs: what to say of a run's jobs on a cluster, by the run's name.
    """
    drawn = Table()
    for column in ("run", "rounds", "done", "next", "state"):
        drawn.add_column(column, overflow="fold")  # a name that is cut short cannot be copied
    for run in runs:
        owed = run.owed()
        done = f"{len(run.stages()) - len(owed)}/{len(run.stages())}"
        following = str(owed[0]) if owed else "-"
        at = jobs.get(run.name) or state(run, owed[0]) if owed else "complete"
        drawn.add_row(Text(run.name), _rounds(run), done, following, _coloured(at))
    console.print(drawn)


def record(run: Run) -> dict[str, Any]:
    """A run's status as JSON; `tpt status --help` says what the keys mean."""
    owed = run.owed()
    return {
        "run": run.name,
        "folder": str(run.root),
        "rounds": run.rounds,
        "auto": rounds.in_words(run) or None,
        "complete": not owed,
        "owed": [str(stage) for stage in owed],
        "stages": [_stage_record(run, stage) for stage in run.stages()],
    }


def _stage_record(run: Run, stage: Stage) -> dict[str, Any]:
    manifest = run.manifest(stage) if run.done(stage) else None
    damage = run.damage(stage)
    errors = [*run.errors(stage), *([damage.message] if damage else [])]
    return {
        "stage": str(stage),
        "round": stage.round,
        "name": stage.name,
        "which": stage.which,
        "state": state(run, stage),
        "seconds": manifest["seconds"] if manifest else None,
        "outcome": table.of(stage).outcome(manifest) if manifest else None,
        "error": errors[0] if errors else None,
        "progress": None if manifest else progress.read(run.progress_path(stage)),
    }


def _rounds(run: Run) -> str:
    """A run's number of rounds; where it is open, the most it can be."""
    if not run.config.stop.auto:
        return str(run.rounds)
    return f"{run.rounds}, auto" if run.stopped() else f"up to {run.rounds}"


def state(run: Run, stage: Stage) -> str:
    """One word for where a stage stands."""
    if run.done(stage):
        return "done"
    if shared.available(run, stage):
        return "to adopt"  # another run of the same settings has it
    if run.damage(stage):
        return "damaged"  # its manifest: it is done again
    if run.errors(stage):
        return "failed"
    return "begun" if run.folder(stage).exists() else "owed"


def _coloured(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, ""))


def said(run: Run, stage: Stage) -> str:
    """The last thing a stage that is not done said of itself: its error, or how far it is."""
    errors = run.errors(stage)
    if errors:
        return errors[0].splitlines()[0]
    if damage := run.damage(stage):
        return damage.message
    if now := progress.read(run.progress_path(stage)):
        rate = f", {now['rate']:,.0f} {now['rate_unit']}" if now["rate"] else ""
        return f"{now['done']} of {now['total']} {now['unit']}{rate}"
    return ""
