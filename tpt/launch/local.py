"""Stages as processes on this machine: with `sampler.data_parallel`, several engine processes sample together."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from tpt.launch import process
from tpt.launch.process import Process, StageFailed
from tpt.launch.template import template_for
from tpt.progress import State
from tpt.progress import read as read_progress
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import interpreter

POLL_SECONDS = 0.2
GRACE_SECONDS = 15  # from the request to stop until the process is killed

Watch = Callable[[list[State]], None]


def execute(run: Run, stage: Stage, watch: Watch) -> None:
    """Do one stage in processes of its own: several samplers first if `sampler.data_parallel` requests them.

    Args:
        watch: called several times a second with the progress of each process that has reported any.

    Raises:
        StageFailed: with the stage's own message, or the end of its log.
        KeyboardInterrupt: passed on when the stage's processes have ended.
    """
    workers = run.config.sampler.data_parallel if table.of(stage).draws else 1
    if workers > 1:
        _together(run, stage, [["--worker", f"{index}/{workers}"] for index in range(workers)], watch)
    _together(run, stage, [[]], watch)
    if not run.done(stage):
        raise StageFailed(f"{stage} ended without its manifest", f"see {run.log_path(stage)}")


def progress(run: Run, stage: Stage, count: int) -> list[State]:
    """The progress that the first `count` workers of a stage last reported."""
    states = (read_progress(run.progress_path(stage, index)) for index in range(count))
    return [state for state in states if state]


def _together(run: Run, stage: Stage, variants: list[list[str]], watch: Watch) -> None:
    """Run one process for each variant of the command until all have succeeded or one has failed."""
    count = len(variants)
    for index in range(count):
        run.progress_path(stage, index).unlink(missing_ok=True)
    python = interpreter.of(run.config.sampler, samples=table.of(stage).draws is not None)
    template = template_for(run, stage, process.stage_environment(python))
    processes = [
        process.start(run, stage, index, arguments, _gpus(run, index, count), template=template)
        for index, arguments in enumerate(variants)
    ]
    with _stopped_in_the_end(processes):
        while any(one.popen.poll() is None for one in processes):
            watch(progress(run, stage, count))
            failed = [one for one in processes if one.popen.poll()]
            if failed:
                break
            time.sleep(POLL_SECONDS)
    watch(progress(run, stage, count))
    failed = [one for one in processes if one.popen.returncode]
    if failed:
        raise process.failure(run, stage, failed[0])


def _gpus(run: Run, index: int, count: int) -> dict[str, str]:
    """The variable that gives worker `index` its own GPUs, if there are several workers."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if count == 1 or visible == "":
        return {}
    each = run.config.sampler.tensor_parallel
    gpus = visible.split(",") if visible else [str(gpu) for gpu in range(each * count)]
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index * each : (index + 1) * each])}


@contextlib.contextmanager
def _stopped_in_the_end(processes: list[Process]) -> Iterator[None]:
    """Whatever happens in the block, the processes and everything they started have ended after it."""
    try:
        yield
    finally:
        for one in processes:
            process.signal_group(one, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for one in processes:
            process.wait(one, deadline - time.monotonic())
            process.signal_group(one, signal.SIGKILL)
            one.popen.wait()
