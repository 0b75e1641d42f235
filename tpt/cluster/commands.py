"""What the `tpt` commands do with a cluster: submit, dry-run, cancel, resubmit."""

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from rich.table import Table

from tpt import files
from tpt.cluster import backend, check, ledger, resources, slurm, status
from tpt.cluster.ledger import Submitted
from tpt.cluster.planning import Plan, Planned
from tpt.cluster.submit import name_of, script, submit
from tpt.errors import ConfigError
from tpt.launch import local
from tpt.runs import identity, table
from tpt.runs.folder import Run
from tpt.settings import loaded
from tpt.settings.config import Config, to_dict, validate
from tpt.sweep import Sweep
from tpt.terminal import Terminal, unfolded


def submit_runs(settings: Sequence[Config], points: Sequence[list[str]] | None, console: Terminal) -> int:
    """Check, submit every job that is owed, and print the plan.

    Args:
        points: the overrides of each config, if they are a sweep.

    Raises:
        TptError: a check failed and nothing was submitted, or SLURM rejected a job.
    """
    looked = [Run.of(one) for one in settings]
    sweep = Sweep.of(points, looked) if points else None
    chosen = sweep.runs if sweep else looked
    for run in chosen:
        backend.of(run.config).check(run)
    plan = Plan(chosen, slurm.states(ledger.known_ids(chosen)))
    check.check_cluster(plan.jobs)
    if sweep:
        for run in chosen:
            run.config.tracker.group = run.config.tracker.group or f"sweep-{sweep.name}"
    made = [Run.create(run.config) for run in chosen]
    if sweep and points:
        sweep.write(points)
    for run in made:
        if run.config.cluster.prepare_here and not run.done(table.PREPARED):
            with run.lock(), console.progress.status(f"preparing {run.name}"):
                local.execute(run, table.PREPARED, lambda _: None)
    _submit(made, sweep.folder if sweep else None, console)
    return 0


def _submit(runs: list[Run], sweep: Path | None, console: Terminal) -> None:
    with contextlib.ExitStack() as held:
        for run in runs:
            held.enter_context(run.lock())
        drawn: dict[str, Table] = {}

        def said(planned: Planned, entry: Submitted) -> None:
            _add_job(drawn, planned, entry.id, ", ".join(entry.needs))

        try:
            with console.progress.status("submitting"):
                plan = submit(runs, said, sweep)
        finally:
            console.print(*drawn.values(), sep="\n")
    submitted = sum(one.row_count for one in drawn.values())
    place = shlex.quote(str(sweep or runs[0].root))
    counts = [f"submitted {submitted} jobs"]
    counts += [f"{len(plan.kept)} of earlier submissions are still waiting or running"] if plan.kept else []
    counts += [f"{plan.shared} stages are shared with other runs"] if plan.shared else []
    if not submitted and not plan.kept:
        console.print(f"nothing is owed; for the report: tpt report {shlex.join(str(run.root) for run in runs)}")
        return
    console.print(f"{'; '.join(counts)}. You can close this shell.")
    console.print(f"follow: tpt attach {place}\ncancel: tpt cancel {place}")


def dry_run(settings: Sequence[Config], console: Terminal) -> int:
    """Write and print the sbatch scripts and the graph of the jobs that would be submitted; submit nothing."""
    looked = [Run.of(one) for one in settings]
    runs = Sweep.of([], looked).runs
    ids = ledger.known_ids(runs)
    plan = Plan(runs, slurm.states(ids) if ids else {})
    drawn: dict[str, Table] = {}
    for planned in plan.jobs:
        path = planned.run.slurm_dir / "dry-run" / f"{planned.job.name}.sbatch"
        text = script(planned)
        files.write_text(path, text)
        console.heading(str(path))
        console.write(text)
        needs = [
            one if isinstance(one, str) else name_of(one.run, one.job) for one in (*planned.after, *planned.after_any)
        ]
        _add_job(drawn, planned, "", ", ".join(needs))
    console.print(*drawn.values(), sep="\n")
    console.print(f"{len(plan.jobs)} jobs, {plan.shared} stages shared between runs; nothing was submitted")
    return 0


def _add_job(drawn: dict[str, Table], planned: Planned, id: str, needs: str) -> None:
    """Add a job to the table of its run."""
    config, job, name = planned.run.config, planned.job, planned.run.name
    if name not in drawn:
        drawn[name] = Table(title=unfolded(name), title_justify="left")
        for column in ("job", "id", "tasks", "nodes", "GPUs", "time limit", "waits for"):
            drawn[name].add_column(column, overflow="fold", no_wrap=column in ("job", "id"))
    nodes, _ = resources.tasks(config, job)
    gpus = resources.gpus_per_node(config, job)
    minutes = resources.of_job(config, job).minutes
    limit = f"{minutes // 60}:{minutes % 60:02d}"
    drawn[name].add_row(job.name, id, str(job.workers), str(nodes), str(gpus) if gpus else "", limit, needs)


def cancel(runs: Sequence[Run], console: Terminal) -> int:
    """Cancel every job of some runs that is waiting or running."""
    entries = ledger.everything(runs)
    states = slurm.states(one for entry in entries for one in entry.task_ids())
    live = sorted({entry.id for entry in entries if any(state.live for state in status.task_states(entry, states))})
    slurm.cancel(live)
    done = f"cancelled {len(live)} jobs: {', '.join(live)}" if live else "no job is waiting or running"
    console.print(f"{done}. Finished work is kept; `tpt resubmit` continues from there.")
    return 0


def resubmit(runs: Sequence[Run], sweep: Path | None, overrides: Sequence[str], console: Terminal) -> int:
    """Submit what some runs still owe, with other resources if given.

    Raises:
        ConfigError: an override would change results.
    """
    changed = [Run(run.root, _with(run, overrides), run.contents) for run in runs]
    for run in changed:
        backend.of(run.config).check(run)
    plan = Plan(changed, slurm.states(ledger.known_ids(changed)))
    check.check_cluster(plan.jobs)
    _submit([Run.create(run.config) for run in changed], sweep, console)
    return 0


def _with(run: Run, overrides: Sequence[str]) -> Config:
    # A number of rounds given now replaces `rounds=auto`; if that is given, it sets this again.
    number = {"stop": {"auto": False}} if any(one.startswith("rounds=") for one in overrides) else {}
    node = OmegaConf.merge(OmegaConf.load(run.config_path), number, OmegaConf.from_dotlist(list(overrides)))
    config = loaded.from_node(node)  # type: ignore[arg-type]  # a run's config is always a mapping
    validate(config)
    # What counts about a path is the content of what it names; if a path is another one, that has to be read.
    same = to_dict(config, runtime=False) == to_dict(run.config, runtime=False)
    named = run.contents if same else identity.contents(config)
    if identity.fingerprint(config, named) != identity.fingerprint(run.config, run.contents):
        raise ConfigError(
            f"{' '.join(overrides)} would change this run's results",
            "give only settings that do not affect results (cluster.*, train.devices, ...), or start another run",
        )
    if not isinstance(backend.of(config), backend.Submits):
        raise ConfigError(f"{run.root} was created with cluster={config.cluster.name}", "continue it with `tpt run`")
    return config
