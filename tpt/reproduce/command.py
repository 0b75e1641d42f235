"""What `tpt reproduce` does: plan, run or resume the arms of an experiment, and report on those with results."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table
from rich.text import Text

from tpt import plan as planned_run
from tpt import tracking
from tpt.carry_out import carry_out_run
from tpt.cluster import backend
from tpt.cluster.backend import Submits
from tpt.errors import ConfigError, Damaged, TptError
from tpt.reproduce import experiment as experiments
from tpt.reproduce.arms import PlannedArm, compose_all, plan, repeated
from tpt.reproduce.asked import Asked
from tpt.reproduce.experiment import DEFAULT_SCALE, MOST_SEEDS, Scale
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.terminal import Terminal

SEEDS = "seeds="
ELSEWHERE = ("run_root=", "cluster", "tracker")  # overrides that do not change what is measured


@dataclass
class Outcome:
    """What became of the arms.

    Attributes:
        runs: those with a run folder, by arm.
        failed: why, by arm.
        waiting: why, of arms whose jobs are not done or not submitted yet.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)

    def complete(self, arm: str) -> bool:
        """Whether an arm has done all it was asked for."""
        return arm in self.runs and arm not in self.failed and not self.runs[arm].owed()


def show_all(console: Terminal) -> int:
    """List the experiments."""
    if console.as_json:
        found = {name: experiments.load(name) for name in experiments.names()}
        console.write_json(
            [{"experiment": name, "asks": one.question, "arms": list(one.arms)} for name, one in found.items()]
        )
        return 0
    table = Table()
    for column in ("experiment", "asks", "arms"):
        table.add_column(column, overflow="fold")
    for name in experiments.names():
        one = experiments.load(name)
        table.add_row(Text(name), Text(one.question), str(len(one.arms)))
    console.print(table)
    console.print(f"tpt reproduce NAME scale={'|'.join(experiments.SCALES)}; folders: {experiments.experiments_dir()}")
    return 0


def reproduce(name: str, words: Sequence[str], dry_run: bool, console: Terminal) -> int:
    """Carry out what an experiment still owes, then write and print its table; the same command continues it.

    Args:
        words: `scale=...`, `seeds=...` (trainings of each arm; by default as many as the scale says), and overrides for
            all arms.

    Returns:
        0, or 1 if an arm failed.
    Raises:
        ConfigError: a wrong name or setting; in that case nothing has been run.
    """
    scale_name = next((one.partition("=")[2] for one in reversed(words) if one.startswith("scale=")), DEFAULT_SCALE)
    seeds = next((one.partition("=")[2] for one in reversed(words) if one.startswith(SEEDS)), None)
    extra = [one for one in words if not one.startswith(("scale=", SEEDS))]
    experiment = experiments.load(name)
    scale = experiments.scale(experiment, scale_name)
    arms = _with_trainings(plan(experiment, scale_name, scale, extra), scale, seeds, extra)
    # Every arm is composed before the first is run: a wrong setting costs no work.
    configs = compose_all(arms, lambda run: run.root.exists() and not run.owed())
    for one in configs.values():
        tracking.check(one.tracker)
    submits = backend.common(list(configs.values()))
    if dry_run:
        return _dry_run(arms, configs, submits, console)
    outcome = _submit(arms, submits, console) if submits else _carry_out(arms, console)
    folder = (
        Path(next(iter(configs.values())).run_root).expanduser() / "experiments" / _folder_name(name, scale_name, extra)
    )
    repeats = [f"{SEEDS}{seeds}"] if seeds else []
    command = shlex.join(["tpt", "reproduce", name, f"scale={scale_name}", *repeats, *extra])
    asked = Asked(name, scale_name, experiment, scale, arms, configs, command)
    _report(asked, outcome, folder, console)
    _print_undone(outcome, command, console)
    return 1 if outcome.failed else 0


def _dry_run(arms: Sequence[PlannedArm], configs: dict[str, Config], submits: Submits | None, console: Terminal) -> int:
    for arm in arms:
        seed = "" if arm.of == arm.name else f", {arm.overrides[-1]}"
        console.heading(f"{arm.label}{seed}" if arm.label else f"{arm.name}, which other arms need")
        console.print(shlex.join(arm.overrides))
        planned_run.show(configs[arm.name], console)
        if arm.needs:
            console.print(f"its folder's name is known when {', '.join(arm.needs)} is done")
    from tpt import design  # numpy and scipy are slow to import

    design.show_power([configs[arm.name] for arm in arms if arm.label], console)
    ready = [configs[arm.name] for arm in arms if not arm.needs]
    return submits.dry_run(ready, console) if submits else 0


def _carry_out(arms: Sequence[PlannedArm], console: Terminal) -> Outcome:
    outcome = Outcome()
    for number, arm in enumerate(arms, 1):
        console.progress.heading(f"{number} of {len(arms)}: {arm.label or arm.name}")
        missing = [need for need in arm.needs if not outcome.complete(need)]
        if missing:
            outcome.failed[arm.name] = f"it needs {', '.join(missing)}, which failed"
            continue
        try:
            settings = compose(arm.resolved(outcome.runs))
            outcome.runs[arm.name] = Run.of(settings)  # what it did before it failed can be reported
            outcome.runs[arm.name] = carry_out_run(settings, console)
        except TptError as reason:
            console.failed(str(reason))
            outcome.failed[arm.name] = reason.message.splitlines()[0]
    return outcome


def _submit(arms: Sequence[PlannedArm], submits: Submits, console: Terminal) -> Outcome:
    """Submit every arm whose needs are done; the same command submits the others later."""
    outcome = Outcome()
    ready: list[tuple[PlannedArm, Config]] = []
    for arm in arms:
        missing = [need for need in arm.needs if not outcome.complete(need)]
        if missing:
            outcome.waiting[arm.name] = f"not submitted: it needs the finished run of {', '.join(missing)}"
            continue
        settings = compose(arm.resolved(outcome.runs))
        outcome.runs[arm.name] = Run.of(settings)
        if not outcome.complete(arm.name):
            outcome.waiting[arm.name] = "submitted"
            ready.append((arm, settings))
    if ready:
        submits.submit([one for _, one in ready], [arm.resolved(outcome.runs) for arm, _ in ready], console)
    return outcome


def _report(asked: Asked, outcome: Outcome, folder: Path, console: Terminal) -> None:
    evaluated = {arm: run for arm, run in _readable(outcome).items() if run.done(table.evaluation(0))}
    if not any(arm.name in evaluated for arm in asked.arms if arm.label):
        console.print("nothing is evaluated yet")
        return
    from tpt.reproduce.report import report  # matplotlib is slow to import

    for renderable in report(asked, evaluated, folder, console.progress):
        console.print(renderable)


def _readable(outcome: Outcome) -> dict[str, Run]:
    """The runs whose figures can be read, by arm; why the others cannot is noted."""
    found: dict[str, Run] = {}
    for arm, run in outcome.runs.items():
        try:
            for stage in run.stages():
                if table.of(stage).measures and run.done(stage):
                    run.evaluation(stage.round)
            found[arm] = run
        except Damaged as error:
            outcome.failed[arm] = f"{error.message} ({error.hint})"
    return found


def _print_undone(outcome: Outcome, command: str, console: Terminal) -> None:
    for arm, why in outcome.waiting.items():
        console.warn(f"{arm}: {why}", "waiting")
    for arm, why in outcome.failed.items():
        console.failed(f"{arm}: {why}")
    if outcome.waiting or outcome.failed:
        console.progress.print(f"to continue, run the same command again: {command}")


def _with_trainings(
    arms: Sequence[PlannedArm], scale: Scale, seeds: str | None, extra: Sequence[str]
) -> list[PlannedArm]:
    """All trainings of the arms: N of each with `seeds=N`, else what the scale says, with seeds from `seed=` on."""
    first = next((one.partition("=")[2] for one in reversed(extra) if one.startswith("seed=")), "0")
    if seeds and not (seeds.isdecimal() and 1 <= int(seeds) <= MOST_SEEDS):
        raise ConfigError(f"seeds={seeds} is not a number of trainings", f"from 1 to {MOST_SEEDS}: seeds=5")
    counts = {arm.name: int(seeds) for arm in arms} if seeds else scale.seeds
    if not first.isdecimal() and max(counts.values(), default=1) > 1:
        raise ConfigError(f"seed={first} with several trainings", "give seed= as a number: the seeds count from it")
    return repeated(arms, int(first) if first.isdecimal() else 0, counts)


def _folder_name(name: str, scale: str, extra: Sequence[str]) -> str:
    changed = [one.replace("/", "_") for one in extra if not one.startswith(ELSEWHERE)]
    return "-".join([name, scale, *changed])


def split_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The experiment's name, if one is given, and the rest of the words of a command line.

    Raises:
        ConfigError: two names.
    """
    given = [one for one in words if "=" not in one]
    if len(given) > 1:
        raise ConfigError(f"one experiment at a time, not {', '.join(given)}", "tpt reproduce NAME [KEY=VALUE ...]")
    return (given[0] if given else None), [one for one in words if "=" in one]
