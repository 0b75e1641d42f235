"""What each `tpt` command does."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.table import Table
from rich.text import Text

from tpt import compose, config, files, plan
from tpt.analysis import ANALYSES
from tpt.cluster import backend, ledger
from tpt.cluster import commands as cluster
from tpt.config import Config
from tpt.display import Display
from tpt.errors import ConfigError, RunError, TptError
from tpt.launch.loop import carry_out
from tpt.records import Status
from tpt.run import books, rounds, table
from tpt.run.folder import Run, find
from tpt.run.stage import Stage
from tpt.stages.prepare import check_disk
from tpt.sweep import Sweep, readable, runs_at
from tpt.terminal import Terminal, unfolded
from tpt.tracker import Tracker


def run(overrides: Sequence[str], config_dir: Path | None, multirun: bool, dry_run: bool, console: Terminal) -> int:
    """Run or continue one config, or every point of a sweep; ends with the table.

    Returns:
        0, or 1 where a point of a sweep failed.
    """
    points = list(compose.expand_sweep(overrides, config_dir)) if multirun else [list(overrides)]
    # Every point is composed before the first is run: a wrong setting costs no work.
    settings = [compose.compose(point, config_dir) for point in points]
    submits = backend.common(settings)
    if dry_run:
        for one in settings:
            plan.show(one, console)
        return submits.dry_run(settings, console) if submits else 0
    if submits:
        return submits.submit(settings, points if multirun else None, console)
    if not multirun:
        finished = carry_out_run(settings[0], console)
        _print_report([finished], finished.report_dir, console)
        return 0
    return _sweep(points, settings, console)


def carry_out_run(settings: Config, console: Terminal) -> Run:
    """Do what a config still owes, showing progress, and mirror it to the tracker.

    Raises:
        TptError: a stage failed, or another process holds the run folder.
    """
    run = Run.create(settings)
    most = "up to " if settings.stop.auto and not run.stopped() else ""
    owed = f"{most}{len(run.owed())} of {len(run.stages())} stages owed"
    console.progress.print(Text.assemble((run.name, "bold"), f"  {owed}  {run.root}"))
    for stage in run.stages():
        if damage := run.damage(stage):
            console.warn(f"{damage.message}: {stage} is done again", "damaged")
    if run.done(table.PREPARED) and run.owed():  # prepare checked the disk, for fewer rounds perhaps
        check_disk(run, run.base_model())
    execute_here = backend.here(settings).execute
    with Tracker(settings.tracker, run) as tracker, Display(console) as display:

        def execute(stage: Stage) -> None:
            display.begin(run, stage)
            execute_here(run, stage, display.watch)
            record(stage)
            display.end(run, stage)

        def adopted(stage: Stage, origin: Path) -> None:
            record(stage)
            display.adopted(stage, origin)

        def record(stage: Stage) -> None:
            tracker.log(stage, books.record(run, stage))

        for stage in run.stages():
            if run.done(stage):
                record(stage)  # a run that was killed may have finished a stage without saying so
        if not carry_out(run, execute, adopted):
            console.progress.print("nothing is owed: this run is complete")
        tracker.log_report()
    if settings.stop.auto:
        console.progress.print(rounds.in_words(run))
    return run


def _sweep(points: list[list[str]], settings: list[Config], console: Terminal) -> int:
    sweep = Sweep.of(points, [Run.of(one) for one in settings])
    sweep.write(points)
    finished: dict[Path, Run] = {}
    failed: list[tuple[list[str], TptError]] = []
    for number, (point, one) in enumerate(zip(points, settings, strict=True), 1):
        console.progress.heading(f"{number} of {len(points)}: {shlex.join(point)}")
        one.tracker.group = one.tracker.group or f"sweep-{sweep.name}"
        try:
            run = carry_out_run(one, console)
        except TptError as reason:
            console.failed(str(reason))
            failed.append((point, reason))
            continue
        finished[run.root] = run.joined(finished[run.root]) if run.root in finished else run
    if finished:
        _print_report(list(finished.values()), sweep.folder, console)
    for point, error in failed:
        console.failed(f"{shlex.join(point)}: {error.message.splitlines()[0]}")
    return 1 if failed else 0


def reproduce(words: Sequence[str], dry_run: bool, console: Terminal) -> int:
    """Run or continue an experiment, or list those there are.

    Returns:
        0, or 1 where an arm failed.
    """
    from tpt.reproduce import command  # it carries runs out with what is here

    name, rest = command.split_words(words)
    if name and console.as_json:
        raise ConfigError("--json is for the list of experiments", "an experiment's figures are in its table.csv")
    return command.reproduce(name, rest, dry_run, console) if name else command.show_all(console)


def show_config(overrides: Sequence[str], config_dir: Path | None, console: Terminal) -> int:
    """Print the resolved config."""
    settings = config.to_dict(compose.compose(overrides, config_dir))
    if console.as_json:
        console.write_json(settings)
    else:
        console.write(OmegaConf.to_yaml(OmegaConf.create(settings)))
    return 0


def status(path: Path, console: Terminal) -> int:
    """Show one run's stages, or a line for each run under a root; those that cannot be read are named in the end.

    Returns:
        0, also where some of several runs cannot be read.
    Raises:
        RunError: there is no run at `path`, nor under it.
        Damaged: the one run at `path` cannot be read.
    """
    if (path / "run.json").exists() or (path / "sweep.json").exists():
        found = runs_at(path)
        if console.as_json:
            shown = _records(found.runs, found.left_out)
            console.write_json(shown if found.sweep else shown[0])
        else:
            _show(found.runs, console)
            _name(found.left_out, console)
        return 0
    folders = find(path)
    if not folders:
        raise RunError(
            f"no run folder at {path}, nor under it", "name a run folder, or the run_root= that runs were given"
        )
    runs, left_out = readable(folders)
    if console.as_json:
        console.write_json(_records(runs, left_out))
        return 0
    plan.show_runs(runs, cluster.summaries(runs), console)
    _name(left_out, console)
    return 0


def _records(runs: Sequence[Run], left_out: Sequence[TptError]) -> list[dict[str, Any]]:
    jobs = cluster.records(runs)
    shown = [plan.record(run) | {"jobs": jobs.get(run.root, [])} for run in runs]
    return [*shown, *({"error": one.message, "hint": one.hint} for one in left_out)]


def _name(left_out: Sequence[TptError], console: Terminal) -> None:
    """Say which runs cannot be read, and what to do; what holds for several is said once."""
    hints: dict[str, list[str]] = {}
    for one in left_out:
        hints.setdefault(one.hint, []).append(one.message)
    for hint, messages in hints.items():
        for message in messages:
            console.warn(message, "left out")
        console.progress.print(f"  -> {hint}")


def _show(runs: Sequence[Run], console: Terminal) -> None:
    on_slurm = [run for run in runs if ledger.latest(run)]
    for run in runs:
        if run not in on_slurm:
            plan.show_stages(run, console)
    if not on_slurm:
        return
    console.print(cluster.tables(on_slurm)[0])
    if any(cluster.code_changed(run) for run in on_slurm):
        console.print("the code here was changed since; the jobs run the copy that was submitted")
    plan.show_owed(on_slurm, console)


def attach(path: Path, console: Terminal) -> int:
    """Follow the jobs of a run or a sweep to their end; ends with the table.

    Returns:
        0, or 1 where something is still owed then.
    """
    found = runs_at(path)
    runs, folder = found.runs, found.sweep
    complete = cluster.attach(runs, console) and not found.left_out
    reportable = [run for run in runs if run.done(table.evaluation(0))]
    if reportable:
        _print_report(reportable, folder or runs[0].report_dir, console)
    if not complete:
        for run in runs:
            for stage in run.owed():
                for error in run.errors(stage):
                    console.failed(f"{run.name} {stage}: {error.splitlines()[0]}")
        again = shlex.join(["tpt", "resubmit", str(path)])
        console.failed(f"something is still owed; to go on: {again}")
    _name(found.left_out, console)
    return 0 if complete else 1


def cancel(path: Path, console: Terminal) -> int:
    """Cancel the jobs of a run or a sweep.

    Returns:
        0, or 1 where a run of the sweep cannot be read.
    """
    found = runs_at(path)
    code = cluster.cancel(found.runs, console)
    _name(found.left_out, console)
    return 1 if found.left_out else code


def resubmit(path: Path, overrides: Sequence[str], console: Terminal) -> int:
    """Submit again what a run or a sweep still owes.

    Returns:
        0, or 1 where a run of the sweep cannot be read.
    """
    found = runs_at(path)
    code = cluster.resubmit(found.runs, found.sweep, overrides, console)
    _name(found.left_out, console)
    return 1 if found.left_out else code


def report(paths: Sequence[Path], out: Path | None, html: Path | None, console: Terminal) -> int:
    """Write and print the tables, figures and page of some runs or sweeps.

    Returns:
        0, also where some of several runs cannot be read: they are named.
    Raises:
        Damaged: a run that was named cannot be read, or none can.
    """
    found = [runs_at(path) for path in paths]
    runs = [run for one in found for run in one.runs]
    if not runs:
        raise RunError(f"{paths[0]} names no run that is there", "`tpt run -m` with the same settings goes on")
    if out is None:
        sweep = found[0].sweep if len(found) == 1 else None
        out = sweep or (runs[0].report_dir if len(runs) == 1 else runs[0].root.parent / "report")
    _print_report(runs, out, console, html)
    _name([error for one in found for error in one.left_out], console)
    return 0


def analyse(name: str, path: Path, out: Path | None, console: Terminal) -> int:
    """Analyse one run; prints tables and sentences, and writes them as a page beside the figures."""
    run = Run.open(path)
    folder = out or run.analysis_dir
    outcome = ANALYSES[name](run, folder, run.config.seed)
    page = folder / f"{name}.md"
    files.write_text(page, outcome.markdown(f"{name.replace('_', ' ').capitalize()} of {run.name}"))
    for sheet in outcome.sheets:
        console.print(sheet.rich())
    for line in (*outcome.sentences, f"page: {page}", *(f"figure: {figure}" for figure in outcome.figures)):
        console.print(line)
    return 0


def export(options: argparse.Namespace, console: Terminal) -> int:
    """Write a trained round's model and examples to a folder; upload them where that is asked for."""
    from tpt.export import push
    from tpt.export.export import export as write_export

    if options.private and not options.push:
        raise ConfigError("--private says how to upload, and nothing is uploaded", "add --push OWNER/NAME")
    if options.push:
        push.check(options.push)  # before gigabytes are written
    written = write_export(Run.open(options.run), options.round, options.out, options.force)
    for warning in written.warnings:
        console.warn(warning)
    kept = "" if written.new else "  (was there already; --force writes it anew)"
    console.print(f"model: {written.model}{kept}\nexamples: {written.examples}")
    if options.push:
        for address in push.push(written, options.push, options.private):
            console.print(f"uploaded: {address}")
    return 0


def judge(options: argparse.Namespace, console: Terminal) -> int:
    """Judge a JSONL file of solutions and print how many are what."""
    if options.task:
        return _judge_programs(options, console)
    if options.file is None or options.overrides or options.solutions or options.problems:
        raise ConfigError("tpt judge needs FILE.jsonl, or --task with --problems", "see `tpt judge --help`")
    from tpt.judge.file import judge_file

    counts = judge_file(options.file, options.out, options.gold_column, options.text_column or "completion")
    total = counts["strict"].total()
    if console.as_json:
        console.write_json({"solutions": total, "counts": counts, "verdicts": str(options.out)})
        return 0
    table = Table(title=unfolded(f"{total:,} solutions in {options.file.name}"), title_justify="left")
    table.add_column("verdict")
    for reader in counts:
        table.add_column(reader, justify="right")
    for status in Status:
        shares = [f"{of_reader[status]:,} ({of_reader[status] / total:.1%})" for of_reader in counts.values()]
        if any(of_reader[status] for of_reader in counts.values()):
            table.add_row(status.replace("_", " "), *shares)
    console.print(table)
    console.print(f"verdicts: {options.out}")
    return 0


def _judge_programs(options: argparse.Namespace, console: Terminal) -> int:
    from tpt.judge.code import file as programs

    overrides = [*([str(options.file)] if options.file else []), *options.overrides]  # it takes the first word
    task = programs.task(options.task, options.problems, overrides)
    columns = programs.Columns(options.id_column, options.text_column or "solution")
    counts = programs.judge_file(task, options.solutions, options.out, columns, options.partial, console.progress)
    if console.as_json:
        total = sum(of_label.total() for of_label in counts.values())
        by_label = {label or "unlabelled": of_label for label, of_label in counts.items()}
        console.write_json(
            {"solutions": total, "counts": by_label, "sandbox": task.sandbox, "verdicts": str(options.out)}
        )
        return 0
    console.print(programs.table(counts))
    if task.sandbox == "none":
        console.print(Text.assemble(("NOT SANDBOXED", "bold red"), " the solutions ran with your rights"))
    console.print(f"verdicts: {options.out}")
    return 0


def _print_report(runs: list[Run], out: Path, console: Terminal, html: Path | None = None) -> None:
    from tpt.report import report as write_report  # matplotlib is slow to import

    written = write_report(runs, out, html)
    if console.as_json:
        console.write_json(written.record())
        return
    for renderable in written.renderables:
        console.print(renderable)
