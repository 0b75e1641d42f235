"""What a run will do, what it has done and what it owes, as tables for a person."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tpt import progress
from tpt.config import Config, PruneConfig, SampleConfig
from tpt.display import outcome
from tpt.evaluate import stop
from tpt.loop import Stage
from tpt.run import Run
from tpt.terminal import unfolded

COLOURS = {"done": "green", "to adopt": "cyan", "failed": "red", "damaged": "red", "begun": "yellow"}


def show(settings: Config, console: Console) -> None:
    """Print the plan of a config: its stages, their sizes, what is done and what is owed. Writes nothing."""
    run = Run.of(settings)
    table = Table(title=unfolded(run.name), title_justify="left")
    for column in ("stage", "state", "work"):
        table.add_column(column)
    for stage in run.stages():
        table.add_row(str(stage), _coloured(state(run, stage)), Text(size(settings, stage)))
    console.print(table)
    console.print(f"run folder: {run.root}")
    show_owed([run], console)


def show_stages(run: Run, console: Console) -> None:
    """Print a run's stages with their outcomes."""
    table = Table(title=unfolded(run.name), title_justify="left")
    for column in ("stage", "state", "seconds", "outcome"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for stage in run.stages():
        done = run.done(stage)
        manifest = run.manifest(stage) if done else {}
        seconds = f"{manifest['seconds']:.1f}" if done else ""
        words = outcome(stage, manifest) if done else said(run, stage)
        table.add_row(str(stage), _coloured(state(run, stage)), seconds, Text(words))
    console.print(table)
    show_owed([run], console)


def show_owed(runs: Sequence[Run], console: Console) -> None:
    """Print how many stages some runs owe together, and of each with `rounds=auto` whether and why it stopped."""
    owed = sum(len(run.owed()) for run in runs)
    console.print(f"owed: {owed} of {sum(len(run.stages()) for run in runs)} stages")
    for run in runs:
        words = stop.in_words(run)
        if words:
            console.print(f"{run.name}: {words}" if len(runs) > 1 else words)


def show_runs(runs: list[Run], jobs: dict[str, str], console: Console) -> None:
    """Print a line for each run.

    Args:
        jobs: what to say of a run's jobs on a cluster, by the run's name.
    """
    table = Table()
    for column in ("run", "rounds", "done", "next", "state"):
        table.add_column(column, overflow="fold")  # a name that is cut short cannot be copied
    for run in runs:
        owed = run.owed()
        done = f"{len(run.stages()) - len(owed)}/{len(run.stages())}"
        following = str(owed[0]) if owed else "-"
        at = jobs.get(run.name) or state(run, owed[0]) if owed else "complete"
        table.add_row(Text(run.name), _rounds(run), done, following, _coloured(at))
    console.print(table)


def record(run: Run) -> dict[str, Any]:
    """A run's status as JSON; `tpt status --help` says what the keys mean."""
    owed = run.owed()
    return {
        "run": run.name,
        "folder": str(run.root),
        "rounds": run.rounds,
        "auto": stop.in_words(run) or None,
        "complete": not owed,
        "owed": [str(stage) for stage in owed],
        "stages": [_stage_record(run, stage) for stage in run.stages()],
    }


def _stage_record(run: Run, stage: Stage) -> dict[str, Any]:
    done = run.done(stage)
    manifest = run.manifest(stage) if done else {}
    damage = run.damage(stage)
    errors = [*run.errors(stage), *([damage.message] if damage else [])]
    return {
        "stage": str(stage),
        "round": stage.round,
        "name": stage.name,
        "state": state(run, stage),
        "seconds": manifest.get("seconds"),
        "outcome": outcome(stage, manifest) if done else None,
        "error": errors[0] if errors else None,
        "progress": None if done else progress.read(run.progress_path(stage)),
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
    if run.available(stage):
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


def size(settings: Config, stage: Stage) -> str:
    """How much work a stage is, as far as the config says."""
    match stage.name:
        case "prepare":
            return f"{settings.model.name} ({settings.model.source}), {settings.task.name}"
        case "think":
            return _samples(settings.think, settings.task.train_size)
        case "prune":
            return pruning(settings.prune)
        case "train":
            kind = f"LoRA rank {settings.train.lora.rank}" if settings.train.lora.rank else "all weights"
            train = settings.train
            return f"{train.epochs} epoch, batch {train.batch_size}, lr {train.learning_rate:g}, {kind}"
        case _:
            return _samples(settings.evaluate, settings.task.test_size)


def pruning(settings: PruneConfig) -> str:
    """What is kept, and how many are drawn, in words."""
    work = f"{settings.mode}, {settings.reader} reader; draw {settings.examples or 'all'} from {settings.source}"
    if settings.flip.rate:
        which = "the verdicts" if settings.flip.which == "both" else "the wrong ones"
        work += f"; flip {100 * settings.flip.rate:g} % of {which}"
    if settings.decontaminate != "none":
        work += f"; drop problems that overlap the test split ({settings.decontaminate})"
    return work


def _samples(settings: SampleConfig, split_size: int | None) -> str:
    sizes = [one for one in (settings.problems, split_size) if one]
    n = settings.samples_per_problem
    total = f"{min(sizes)} problems x {n} = {min(sizes) * n:,}" if sizes else f"all problems x {n}"
    return f"{total} samples at T={settings.temperature:g}, up to {settings.max_tokens} tokens"
