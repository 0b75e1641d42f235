"""The state of a run's jobs: the state of each in SLURM, how far its stage is, and the last error."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from tpt import records
from tpt.artefacts import SAMPLES, TABLE
from tpt.cluster import ends, ledger
from tpt.cluster.graph import Job, graph
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import ENDED_WELL, GONE, UNKNOWN, State
from tpt.launch import local, process
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.terminal import unfolded

COLOURS = {"done": "green", "running": "yellow", "waiting": "cyan", "owed": "dim", "unknown": "dim"}


@dataclass(frozen=True)
class Row:
    """One job, as it is shown.

    Attributes:
        job: its name.
        id: SLURM's id; "" if it has none.
        state: done, running, waiting, held, ended, failed, ..., owed; unknown if SLURM does not answer.
        progress: shards, or steps, and the rate.
        restarts: how often it was restarted.
        left: an estimate of the time left.
        word: the outcome, what it waits for, or the last error.
    """

    job: str
    id: str
    state: str
    progress: str
    restarts: str
    left: str
    word: str


def rows(run: Run, states: dict[str, State]) -> list[Row]:
    """A row for each job of a run, whether or not it was submitted."""
    latest = ledger.latest(run)
    return [_row(run, job, latest.get(job.name), states) for job, _ in graph(run, run.stages())]


def drawn(run: Run, found: list[Row]) -> Table:
    """The rows of one run as a table."""
    shown = Table(title=unfolded(run.name), title_justify="left")
    for column in ("job", "id", "state", "progress", "restarts", "left", ""):
        justify: JustifyMethod = "right" if column in ("restarts", "left") else "left"
        shown.add_column(column, overflow="fold", no_wrap=column in ("job", "id"), justify=justify)
    for row in found:
        colour = COLOURS.get(row.state.split(":")[0].split()[0], "red")
        state = Text(row.state, style=colour)
        shown.add_row(row.job, row.id, state, row.progress, row.restarts, row.left, Text(row.word))
    return shown


def complete(run: Run) -> bool:
    """Whether a run owes neither a stage nor its report."""
    return not run.owed() and (run.report_dir / TABLE).exists()


def summary(run: Run, states: dict[str, State]) -> str:
    """How many of a run's jobs are in which state, in a few words; if none is live, the one that stopped the chain.

    Returns:
        "" if no job is live and none has failed.
    """
    latest = ledger.latest(run)
    tasks = [task for entry in latest.values() for task in task_states(entry, states)]
    if any(task.live for task in tasks):
        words = Counter(_word(task) for task in tasks)
        return ", ".join(f"{count} {word}" for word, count in words.items() if word != "ended")
    stopped = [
        (task.state == "CANCELLED", f"{job.name} {_word(task)}")
        for job, _ in graph(run, run.stages())
        if job.name in latest and not (job.stage and run.done(job.stage))
        for task in task_states(latest[job.name], states)
        if task.ended_badly
    ]
    return min(stopped, key=lambda one: one[0])[1] if stopped else ""


def task_states(entry: Submitted, states: dict[str, State]) -> list[State]:
    """The state in SLURM of each task of a submission."""
    return [states.get(one, State(GONE)) for one in entry.task_ids()]


def _row(run: Run, job: Job, entry: Submitted | None, states: dict[str, State]) -> Row:
    tasks = task_states(entry, states) if entry else []
    state = _state(run, job, tasks)
    stage = job.stage
    manifest = run.results(stage, dict[str, Any]) if stage and run.done(stage) else None
    restarts = _restarts(run, job, tasks)
    word = ""
    if manifest and stage and not (job.sampling and table.of(stage).finishes):
        word = table.of(stage).outcome(manifest)
    elif state.startswith(("waiting", "held")):
        word = ", ".join(sorted({task.reason for task in tasks if task.reason}))
        if entry and any(task.held for task in tasks):
            word += f"; it goes on after: scontrol release {entry.id}"
    elif stage and state != "owed" and run.errors(stage):
        word = run.errors(stage)[0].splitlines()[0]
    elif entry and state != "done":
        word = ends.why(run, job, entry, states)
    running = state.startswith("running")
    return Row(
        job.name,
        entry.id if entry else "",
        state,
        _progress(run, stage, job.workers, running) if stage else "",
        str(restarts) if restarts else "",
        _left(run, stage, job.workers) if running and stage else "",
        word,
    )


def _state(run: Run, job: Job, tasks: list[State]) -> str:
    """The state of a job in one word; for an array whose tasks differ, in several."""
    if job.stage is not None and run.done(job.stage):
        return "done"
    if job.stage is None and complete(run):
        return "done"
    if not tasks:
        return "owed"
    words = Counter(_word(task) for task in tasks)
    if len(words) == 1:
        return next(iter(words))
    # What the user has to act on comes first.
    order = sorted(words, key=lambda word: (word in ("ended", "waiting", "running"), word))
    return ", ".join(f"{word} {words[word]}" for word in order)


def _word(task: State) -> str:
    if task.held:
        return "held"
    if task.live:
        return "waiting" if task.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD") else "running"
    return {ENDED_WELL: "ended", GONE: "gone", UNKNOWN: "unknown"}.get(task.state, task.state.lower().replace("_", " "))


def _restarts(run: Run, job: Job, tasks: list[State]) -> int:
    """The attempts after the first: requeued by SLURM, or made by the job itself."""
    if job.stage is None:
        return max((task.restarts for task in tasks), default=0)
    labels: list[int | str] = [job.label] if job.label else list(range(job.workers))
    return sum(max(0, process.attempts(run, job.stage, label) - 1) for label in labels)


def _progress(run: Run, stage: Stage, workers: int, running: bool) -> str:
    said = local.progress(run, stage, workers) if running else []
    rate = sum(one["rate"] for one in said)
    words = [f"{rate:,.0f} {said[0]['rate_unit']}"] if rate else []
    if table.of(stage).draws:
        total = shard_count(run, stage)
        there = len(records.shards(run.folder(stage), SAMPLES))
        return ", ".join([*([f"{there}/{total} shards"] if there and total else []), *words])
    if said:
        words.insert(0, f"{sum(one['done'] for one in said)}/{sum(one['total'] for one in said)} {said[0]['unit']}")
    return ", ".join(words)


def shard_count(run: Run, stage: Stage) -> int | None:
    """How many sample shards a stage has when it is done; None if its problems have not been counted yet."""
    draws = table.draws_of(run.config, stage)
    is_further = draws.split in run.config.benchmarks
    prepared = table.benchmark(draws.split) if is_further else table.PREPARED
    if not run.done(prepared):
        return None
    problems = int(run.results(prepared, dict[str, int])["problems" if is_further else draws.split])
    return math.ceil(min(problems, draws.settings.problems or problems) / run.config.sampler.shard_size)


def _left(run: Run, stage: Stage, workers: int) -> str:
    """Time until the slowest worker is done, at its speed so far."""
    estimates = [
        one["seconds"] * (one["total"] - one["done"]) / one["done"]
        for one in local.progress(run, stage, workers)
        if one["done"]
    ]
    if not estimates:
        return ""
    minutes, seconds = divmod(round(max(estimates)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
