"""One stage as a process: `python -m tpt.launch.worker RUN STAGE`, the same on a laptop and on a cluster.

A stage reads and writes only the run folder, so it can be killed at any moment and started again.
"""

import argparse
import pkgutil
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tpt import explain, files, interrupt, logs, ranks
from tpt.errors import RunError
from tpt.launch.failures import record_failure
from tpt.progress import Progress
from tpt.runs import identity, shared, table
from tpt.runs.folder import Run
from tpt.runs.stage import Results, Stage
from tpt.stages.sharding import Worker
from tpt.stages.think import check_sampled, engines_of, sample

SETTLE_SECONDS = 600  # how long the other ranks of a training wait until rank 0 has settled its inputs


def perform(run: Run, stage: Stage, before: float = 0.0) -> None:
    """Do one stage and write its manifest, unless it is already done.

    Args:
        before: seconds that other processes have already spent on the stage.
    """
    if run.done(stage):
        return
    started = time.monotonic()
    folder = run.folder(stage)
    run.begin(stage)
    spec = table.of(stage)
    identity.check(run.config, run.contents, spec.names)
    function: Callable[[Run, Stage, Progress], Results] = pkgutil.resolve_name(spec.function)
    if ranks.rank():
        function(run, stage, Progress())
        return
    for leftover in folder.glob(f".*{files.TEMPORARY_SUFFIX}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    results = function(run, stage, Progress(run.progress_path(stage)))
    run.finish(stage, results, before + time.monotonic() - started)


def share(run: Run, stage: Stage, index: int, count: int) -> None:
    """Write the sample shards assigned to one of several workers; `finish` then finishes the stage."""
    run.begin(stage)
    sample(run, stage, Progress(run.progress_path(stage, index)), Worker(index, count))


def finish(run: Run, stage: Stage) -> None:
    """Finish a stage whose shards other processes have sampled, without an engine.

    Raises:
        RunError: shards are missing.
    """
    run.begin(stage)
    check_sampled(run, stage)
    engines = engines_of(run.folder(stage))
    perform(run, stage, before=max((one["start_seconds"] + one["sample_seconds"] for one in engines), default=0.0))


def settle(run: Run, stage: Stage) -> None:
    """Finish or adopt a stage that others did: jobs of this run's array, or another run with the same settings.

    Of several processes that train together, only rank 0 does so; the others wait for it.

    Raises:
        RunError: the stage has not been done.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while ranks.rank() and not run.done(stage) and time.monotonic() < deadline:
        time.sleep(1)
    if run.done(stage):
        return
    owner = shared.owner(run, stage) or run
    spec = table.of(stage)
    if spec.draws and not spec.finishes and not owner.done(stage):
        with owner.hold(stage):
            finish(owner, stage)
    with run.hold(stage):
        if not run.done(stage) and shared.adopt(run, stage) is None:
            raise RunError(f"{stage} of {run.root} has not been done", "`tpt status` shows what happened to it")


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m tpt.launch.worker", description=__doc__)
    top.add_argument("run", type=Path)
    top.add_argument("stage", type=Stage.parse, metavar="STAGE", help="e.g. round-01/think")
    top.add_argument("--worker", help="I/K: sample only the shards of worker I of K")
    top.add_argument("--finish", action="store_true", help="finish a stage whose shards have all been sampled")
    top.add_argument(
        "--max-num-seqs", type=int, help="replaces sampler.max_num_seqs after an attempt that ran out of memory"
    )
    top.add_argument("--die-with-parent", action="store_true")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one stage.

    Returns:
        0; 75 if it was told to stop and can continue from its checkpoint; 1 if it failed, with the reason in
        `error-*.json` in its folder.
    """
    options = parser().parse_args(arguments)
    if options.die_with_parent:
        interrupt.die_with_parent()
    logs.log_to_stderr()
    stage = options.stage
    run = Run.open(options.run)
    index, count = map(int, options.worker.split("/")) if options.worker else (ranks.rank(), 1)
    run.error_path(stage, index).unlink(missing_ok=True)
    if table.of(stage).trains:
        interrupt.catch()
    if options.max_num_seqs:
        run.config.sampler.max_num_seqs = options.max_num_seqs
    try:
        with explain.named_when_full(run.folder(stage)):
            for one in run.inputs(stage):
                settle(run, one)
            if options.worker:
                share(run, stage, index, count)
            elif options.finish:
                finish(run, stage)
            else:
                perform(run, stage)
    except interrupt.Interrupted:
        return interrupt.EXIT_INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        record_failure(run, stage, index, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
