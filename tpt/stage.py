"""One stage as a process: `python -m tpt.stage RUN ROUND NAME`, the same on a laptop and on a cluster.

A stage reads and writes the run folder and nothing else, so it can be killed at any moment and started again.
"""

import argparse
import ctypes
import importlib
import json
import logging
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tpt import files
from tpt.errors import TptError
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.run import Run, now

# module and function of each stage; a stage imports torch or vLLM only if it needs them
STAGES = {
    "prepare": ("tpt.prepare", "prepare"),
    "think": ("tpt.think.stage", "think"),
    "prune": ("tpt.prune.stage", "prune_round"),
    "train": ("tpt.train.stage", "train"),
    "evaluate": ("tpt.evaluate.stage", "evaluate"),
}


def perform(run: Run, stage: Stage) -> None:
    """Do one stage and leave its manifest; a stage that is done is left alone."""
    if run.done(stage):
        return
    started = time.monotonic()
    folder = run.folder(stage)
    folder.mkdir(parents=True, exist_ok=True)
    module, name = STAGES[stage.name]
    function: Callable[[Run, Stage, Progress], dict[str, Any]] = getattr(importlib.import_module(module), name)
    if int(os.environ.get("LOCAL_RANK", "0")):
        # One of the further ranks that a training starts: it takes part, and rank 0 keeps the books.
        function(run, stage, Progress())
        return
    for leftover in folder.glob(f".*{files.TEMPORARY_SUFFIX}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    results = function(run, stage, Progress(run.progress_path(stage)))
    run.finish(stage, results, time.monotonic() - started)


def share(run: Run, stage: Stage, index: int, count: int) -> None:
    """Write the sample shards that fall to one of several workers; `perform` then finishes the stage."""
    from tpt.think.stage import Worker, sample

    run.folder(stage).mkdir(parents=True, exist_ok=True)
    sample(run, stage, Progress(run.progress_path(stage, index)), Worker(index, count))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies: the run folder's lock is then free."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(arguments: list[str] | None = None) -> int:
    """Run one stage.

    Returns:
        0; 1 where the stage failed, with `error.json` in its folder saying why.
    """
    parser = argparse.ArgumentParser(prog="python -m tpt.stage", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("round", type=int)
    parser.add_argument("name", choices=STAGES)
    parser.add_argument("--worker", help="I/K: only the sample shards of worker I of K")
    parser.add_argument("--die-with-parent", action="store_true")
    options = parser.parse_args(arguments)
    if options.die_with_parent:
        die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stage = Stage(options.round, options.name)
    run = Run.open(options.run)
    run.error_path(stage).unlink(missing_ok=True)
    try:
        if options.worker:
            index, count = options.worker.split("/")
            share(run, stage, int(index), int(count))
        else:
            perform(run, stage)
    except Exception as error:
        traceback.print_exc()
        _record(run.error_path(stage), error)
        return 1
    return 0


def _record(path: Path, error: Exception) -> None:
    known = isinstance(error, TptError)
    message = error.message if isinstance(error, TptError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, TptError) else ""
    value = {"kind": type(error).__name__, "known": known, "message": message, "hint": hint, "at": now()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2), encoding="utf-8")
    except OSError:  # the disk may be what failed; the log has the traceback
        return


if __name__ == "__main__":
    sys.exit(main())
