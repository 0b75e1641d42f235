"""Stages as processes of this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt import files
from tpt.errors import TptError
from tpt.loop import Stage
from tpt.run import Run

POLL_SECONDS = 0.2
GRACE_SECONDS = 15  # from the request to stop until the kill
LOG_LINES = 15

Watch = Callable[[list[dict[str, Any]]], None]


class StageFailed(TptError):
    """A stage's process ended without finishing the stage."""


@dataclass
class Process:
    """A stage's process and the file that takes what it prints."""

    popen: subprocess.Popen[bytes]
    log: Path


def execute(run: Run, stage: Stage, watch: Watch) -> None:
    """Do one stage in processes of its own: several samplers first where `sampler.data_parallel` asks for them.

    Args:
        watch: called some times a second with the progress of each process that has said something.

    Raises:
        StageFailed: with the stage's own message, or the end of its log.
        KeyboardInterrupt: passed on once the stage's processes are gone.
    """
    workers = run.config.sampler.data_parallel if stage.name in ("think", "evaluate") else 1
    if workers > 1:
        _together(run, stage, [["--worker", f"{index}/{workers}"] for index in range(workers)], watch)
    _together(run, stage, [[]], watch)
    if not run.done(stage):
        raise StageFailed(f"{stage} ended without its manifest", f"see {run.log_path(stage)}")


def _together(run: Run, stage: Stage, variants: list[list[str]], watch: Watch) -> None:
    """Run one process for each variant of the command, until all have ended well or one has not."""
    for index in range(len(variants)):
        run.progress_path(stage, index).unlink(missing_ok=True)
    processes = [_start(run, stage, index, extra, len(variants)) for index, extra in enumerate(variants)]
    with _stopped_in_the_end(processes):
        while any(one.popen.poll() is None for one in processes):
            watch(list(_progress(run, stage, len(variants))))
            failed = [one for one in processes if one.popen.poll()]
            if failed:
                break
            time.sleep(POLL_SECONDS)
    watch(list(_progress(run, stage, len(variants))))
    failed = [one for one in processes if one.popen.returncode]
    if failed:
        raise _failure(run, stage, failed[0])


def _start(run: Run, stage: Stage, index: int, extra: list[str], count: int) -> Process:
    log = run.log_path(stage, index)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tpt.stage", str(run.root), str(stage.round), stage.name, "--die-with-parent"]
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [*command, *extra],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(run, index, count),
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the stage and everything that it started
        )
    return Process(popen, log)


def _environment(run: Run, index: int, count: int) -> dict[str, str]:
    """The environment of worker `index`: its own GPUs where there are several workers."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1", TOKENIZERS_PARALLELISM="false")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if count > 1 and visible != "":
        each = run.config.sampler.tensor_parallel
        gpus = visible.split(",") if visible else [str(gpu) for gpu in range(each * count)]
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[index * each : (index + 1) * each])
    return environment


@contextlib.contextmanager
def _stopped_in_the_end(processes: list[Process]) -> Iterator[None]:
    """Whatever happens in the block, the processes and all that they started are gone after it."""
    try:
        yield
    finally:
        for one in processes:
            _signal_group(one, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for one in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.popen.wait(max(0.0, deadline - time.monotonic()))
            _signal_group(one, signal.SIGKILL)
            one.popen.wait()


def _signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, number)


def _progress(run: Run, stage: Stage, count: int) -> Iterator[dict[str, Any]]:
    for index in range(count):
        path = run.progress_path(stage, index)
        if path.exists():
            yield files.read_json(path)


def _failure(run: Run, stage: Stage, process: Process) -> StageFailed:
    if run.error_path(stage).exists():
        said = files.read_json(run.error_path(stage))
        if said["known"]:
            return StageFailed(f"{stage}: {said['message']}", said["hint"])
        return StageFailed(f"{stage}: {said['message']}", f"the whole log is {process.log}")
    code = process.popen.returncode
    how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    tail = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    hint = "the machine may have run out of memory; " if code == -signal.SIGKILL else ""
    return StageFailed(
        f"{stage} {how}\n" + "\n".join(f"    {line}" for line in tail),
        f"{hint}the whole log is {process.log}; the same command again continues",
    )
