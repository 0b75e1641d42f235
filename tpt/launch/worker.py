"""One stage as a process: `python -m tpt.stage RUN ROUND NAME`, the same on a laptop and on a cluster.

A stage reads and writes the run folder and nothing else, so it can be killed at any moment and started again.
"""

import argparse
import ctypes
import importlib
import logging
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tpt import explain, files, identity, interrupt, ranks
from tpt.cluster.process import record_failure
from tpt.errors import RunError
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.run import Run

SETTLE_SECONDS = 600  # how long the other ranks of a training wait for rank 0 to have its inputs

# module and function of each stage; a stage imports torch or vLLM only if it needs them
STAGES = {
    "prepare": ("tpt.prepare", "prepare"),
    "think": ("tpt.think.stage", "think"),
    "prune": ("tpt.prune.stage", "prune_round"),
    "train": ("tpt.train.stage", "train"),
    "evaluate": ("tpt.evaluate.stage", "evaluate"),
}
# what the config names that a stage reads
READS = {"prepare": ("task.files", "task.code", "model.path", "think.teacher.path"), "prune": ("prune.from_run",)}


def perform(run: Run, stage: Stage, before: float = 0.0) -> None:
    """Do one stage and leave its manifest; a stage that is done is left alone.

    Args:
        before: seconds that other processes have spent on the stage.
    """
    if run.done(stage):
        return
    started = time.monotonic()
    folder = run.folder(stage)
    run.begin(stage)
    identity.check(run.config, run.contents, READS.get(stage.name, ()))
    module, name = STAGES[stage.name]
    function: Callable[[Run, Stage, Progress], dict[str, Any]] = getattr(importlib.import_module(module), name)
    if ranks.rank():
        function(run, stage, Progress())
        return
    for leftover in folder.glob(f".*{files.TEMPORARY_SUFFIX}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    results = function(run, stage, Progress(run.progress_path(stage)))
    run.finish(stage, results, before + time.monotonic() - started)


def share(run: Run, stage: Stage, index: int, count: int) -> None:
    """Write the sample shards that fall to one of several workers; `finish` then finishes the stage."""
    from tpt.think.stage import Worker, sample

    run.begin(stage)
    sample(run, stage, Progress(run.progress_path(stage, index)), Worker(index, count))


def finish(run: Run, stage: Stage) -> None:
    """Finish a stage whose shards others have sampled, without an engine.

    Raises:
        RunError: shards are missing.
    """
    from tpt.think.stage import check_sampled, engines_of

    run.begin(stage)
    check_sampled(run, stage)
    engines = engines_of(run.folder(stage))
    perform(run, stage, before=max((one["start_seconds"] + one["sample_seconds"] for one in engines), default=0.0))


def settle(run: Run, stage: Stage) -> None:
    """Take over a stage that others did: jobs of this run's array, or another run with the same settings.

    Of the processes that train together only rank 0 does it; the others wait for it.

    Raises:
        RunError: the stage has not been done.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while ranks.rank() and not run.done(stage) and time.monotonic() < deadline:
        time.sleep(1)
    if run.done(stage):
        return
    owner = run.owner(stage) or run
    if stage.name == "think" and not owner.done(stage):
        with owner.hold(stage):
            finish(owner, stage)
    with run.hold(stage):
        if not run.done(stage) and run.adopt(stage) is None:
            raise RunError(f"{stage} of {run.root} has not been done", "`tpt status` shows what became of it")


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies: the run folder's lock is then free."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m tpt.stage", description=__doc__)
    top.add_argument("run", type=Path)
    top.add_argument("round", type=int)
    top.add_argument("name", choices=STAGES)
    top.add_argument("--worker", help="I/K: only the sample shards of worker I of K")
    top.add_argument("--finish", action="store_true", help="all shards are there: do what comes after sampling")
    top.add_argument("--max-num-seqs", type=int, help="instead of sampler.max_num_seqs, after one ran out of memory")
    top.add_argument("--die-with-parent", action="store_true")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one stage.

    Returns:
        0; 75 where it was asked to stop and can go on from its checkpoint; 1 where it failed, with `error-*.json` in
        its folder saying why.
    """
    options = parser().parse_args(arguments)
    if options.die_with_parent:
        die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stage = Stage(options.round, options.name)
    run = Run.open(options.run)
    index, count = map(int, options.worker.split("/")) if options.worker else (ranks.rank(), 1)
    run.error_path(stage, index).unlink(missing_ok=True)
    if stage.name == "train":
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
