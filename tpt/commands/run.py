"""`tpt run`: rounds of think, prune, train, evaluate; one config, or every point of a sweep."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import VERBOSE_STAGES, Command
from tpt.commands.shared.arguments import add_config_dir, add_overrides
from tpt.errors import TptError

if TYPE_CHECKING:
    from tpt.settings.config import Config
    from tpt.terminal import Terminal

EPILOG = """\
Overrides use Hydra's syntax: tpt run model=gemma2-2b task=gsm8k prune=ground_truth rounds=4
With -m, comma-separated values make a sweep: tpt run -m prune=none,ground_truth rounds=1,2
With rounds=auto, the run goes on until a round brings no further gain (settings: stop.*).
The same command continues an interrupted run; if nothing is owed, it prints the table.
`tpt config` prints all settings."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-m", "--multirun", action="store_true", help="run a sweep over comma-separated values")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan (on SLURM, the sbatch scripts as well) and exit"
    )
    add_config_dir(parser)
    add_overrides(parser, "settings, e.g. rounds=4")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Run or continue one config, or every point of a sweep; print the table at the end.

    Returns:
        0, or 1 if a point of a sweep failed.
    """
    from tpt import plan, tracking
    from tpt.carry_out import carry_out_owed
    from tpt.cluster import backend
    from tpt.commands.shared.report import print_report
    from tpt.runs.folder import Run
    from tpt.settings import compose, overrides

    words, config_dir = options.overrides, options.config_dir
    points = list(overrides.expand_sweep(words, config_dir)) if options.multirun else [list(words)]
    # Every point is composed before the first is run, so a wrong setting costs no work.
    configs = [compose.compose(point, config_dir) for point in points]
    for config in configs:
        tracking.check(config.tracker)
    submits = backend.common(configs)
    if options.dry_run:
        for config in configs:
            plan.show(config, terminal)
        from tpt import design  # numpy and scipy are slow to import

        design.show_power(configs, terminal)
        return submits.dry_run(configs, terminal) if submits else 0
    if submits:
        return submits.submit(configs, points if options.multirun else None, terminal)
    if options.multirun:
        return _sweep(points, configs, terminal)
    run = Run.create(configs[0])
    with tracking.make(run.config.tracker, run) as tracker:
        carry_out_owed(run, tracker, terminal)
        tracker.log_report(print_report([run], run.report_dir, terminal))
    return 0


def _sweep(points: list[list[str]], configs: list["Config"], terminal: "Terminal") -> int:
    """Carry out one point after the other; one that fails does not stop the rest."""
    from tpt.carry_out import carry_out_run
    from tpt.commands.shared.report import print_report
    from tpt.runs.folder import Run
    from tpt.sweep import Sweep

    sweep = Sweep.of(points, [Run.of(config) for config in configs])
    sweep.write(points)
    finished: dict[Path, Run] = {}
    failed: list[tuple[list[str], TptError]] = []
    for number, (point, config) in enumerate(zip(points, configs, strict=True), 1):
        terminal.progress.heading(f"{number} of {len(points)}: {shlex.join(point)}")
        config.tracker.group = config.tracker.group or f"sweep-{sweep.name}"
        try:
            run = carry_out_run(config, terminal)
        except TptError as error:
            terminal.failed(str(error))
            failed.append((point, error))
            continue
        finished[run.root] = run.joined(finished[run.root]) if run.root in finished else run
    if finished:
        print_report(list(finished.values()), sweep.folder, terminal)
    for point, why in failed:
        terminal.failed(f"{shlex.join(point)}: {why.message.splitlines()[0]}")
    return 1 if failed else 0


COMMAND = Command(
    help="Start or continue a run: rounds of think, prune, train, evaluate.",
    add=add,
    call=call,
    epilog=EPILOG,
    verbose=VERBOSE_STAGES,
)
