"""The process of a stage on this machine: starting and stopping it, its log, and why it failed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt import environment, explain, files, ranks
from tpt.caches import library_caches
from tpt.errors import Damaged, TptError
from tpt.launch.template import Forked, Template
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import interpreter

LOG_LINES = 15


class StageFailed(TptError):
    """A stage's process ended without finishing the stage.

    Attributes:
        kind: the name of the error that ended it; "" if it reported none.
        known: whether that is one of our own errors, worded for the user.
    """

    def __init__(self, message: str, hint: str = "", kind: str = "", known: bool = False) -> None:
        super().__init__(message, hint)
        self.kind, self.known = kind, known

    def __reduce__(self) -> tuple[type[TptError], tuple[Any, ...]]:
        return type(self), (self.message, self.hint, self.kind, self.known)


@dataclass
class Process:
    """A stage's process, its number among the stage's workers, and the file that receives its output."""

    popen: "subprocess.Popen[bytes] | Forked"
    log: Path
    worker: int


def start(
    run: Run,
    stage: Stage,
    worker: int = 0,
    arguments: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
    label: int | str | None = None,
    template: Template | None = None,
) -> Process:
    """Start `python -m tpt.launch.worker` for one worker of a stage, with a new log file of its own.

    Args:
        arguments: further ones, e.g. `["--worker", "0/4"]`.
        label: of the log file, if it is not the worker's number.
        extra: further environment variables.
        template: a process that has imported what the stage needs.
    """
    log = new_log(run, stage, worker if label is None else label)
    words = [str(run.root), str(stage), "--die-with-parent", *arguments]
    python = interpreter.of(run.config.sampler, samples=table.of(stage).draws is not None)
    variables = {**stage_environment(python), **(extra or {})}
    popen = (template and template.start(words, log, variables)) or _popen(python, words, log, variables)
    return Process(popen, log, worker)


def stage_environment(python: str = sys.executable) -> dict[str, str]:
    """The environment variables of every stage done by an interpreter, this one or that of another environment."""
    own = {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
    caches, ours = library_caches(), environment.variables()
    return {**ranks.alone(os.environ), **own, **caches, **ours, **interpreter.variables(python)}


def _popen(python: str, arguments: Sequence[str], log: Path, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [python, "-P", "-m", "tpt.launch.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            start_new_session=True,  # Ctrl-C reaches only us; we stop the stage and everything it started
        )


def new_log(run: Run, stage: Stage, label: int | str) -> Path:
    """An empty log file for one more attempt; the link `run.log_path(...)` shows the latest one."""
    link = run.log_path(stage, label)
    folder = link.with_suffix("")
    log = folder / f"attempt-{attempts(run, stage, label) + 1:03d}.log"
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    with explain.in_words(log):
        folder.mkdir(parents=True, exist_ok=True)
        log.touch()
        temporary.symlink_to(log.relative_to(link.parent))
        temporary.replace(link)
    return log


def attempts(run: Run, stage: Stage, label: int | str = 0) -> int:
    """How many times a worker of a stage has been started."""
    return len(list(run.log_path(stage, label).with_suffix("").glob("attempt-*.log")))


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to a stage's process and everything it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, number)


def wait(process: Process, seconds: float) -> bool:
    """Wait until a stage's process has ended.

    Returns:
        whether it has ended.
    """
    # Popen.wait() must not be interrupted by a handler that waits too; polling can be.
    deadline = time.monotonic() + seconds
    while process.popen.poll() is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def failure(run: Run, stage: Stage, process: Process) -> StageFailed:
    """Why a stage's process failed: the error that it recorded, or the end of its log."""
    path = run.error_path(stage, process.worker)
    with contextlib.suppress(Damaged):  # then the log has to do
        said = files.read_json(path, {"kind": str, "known": bool, "message": str, "hint": str})
        hint = said["hint"] if said["known"] else f"the whole log is {process.log}"
        return StageFailed(f"{stage}: {said['message']}", hint, said["kind"], said["known"])
    code = process.popen.returncode
    how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    tail = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    hint = "the machine may have run out of memory; " if code == -signal.SIGKILL else ""
    return StageFailed(
        f"{stage} {how}\n" + "\n".join(f"    {line}" for line in tail),
        f"{hint}the whole log is {process.log}; the same command again continues",
    )
