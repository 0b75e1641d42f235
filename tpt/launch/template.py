"""Stages forked from a process that has imported what they need: torch, transformers, Lightning, vLLM.

These imports take seconds, and a run of two rounds has a dozen stages. Each stage is still a process of its own, which
can be killed and frees its memory when it ends. With a GPU, nothing is forked, because a process that has initialised
CUDA must not be. Instead, the process that has imported what a stage needs becomes that stage while the next process
imports, so that an engine can load as soon as the training before it has written its model.
"""

import atexit
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tpt.hardware import has_gpu
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import interpreter

_templates: dict[str, "Template"] = {}  # by interpreter


class Forked:
    """A forked stage, with the part of `subprocess.Popen`'s interface that is needed."""

    def __init__(self, template: "Template", pid: int) -> None:
        self.pid = pid
        self.returncode: Any = None  # an int once it has ended; typed like Popen's
        self._template = template

    def poll(self) -> int | None:
        """The exit code, or None while it is running; like Popen's, -9 if signal 9 ended it."""
        if self.returncode is None:
            self._template.listen(0)
            self.returncode = self._template.code(self.pid)
        code: int | None = self.returncode
        return code

    def wait(self) -> int:
        """Wait until it has ended; returns the exit code."""
        while self.poll() is None:
            self._template.listen(None)
        return int(self.returncode)


class Template:
    """The process that is forked, and the socket for requests to it and for its reports of stages that have ended.

    Args:
        engine: the sampling engine whose packages it imports.
        environment: its environment variables; each stage has its own.
        once: whether it becomes the first stage that is requested, instead of forking stages.
        python: the interpreter.
    """

    def __init__(
        self, engine: str, environment: Mapping[str, str], once: bool = False, python: str = sys.executable
    ) -> None:
        self.key = (engine, dict(environment))
        self._ours, theirs = socket.socketpair()
        self._once = once
        words = ["once"] if once else []
        self._popen = subprocess.Popen(
            [python, "-P", "-m", "tpt.launch.server", str(theirs.fileno()), engine, *words],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._heard = b""
        self._forked: int | None = None
        self._codes: dict[int, int] = {}
        self.ready = self.dead = False

    def start(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> "Forked | subprocess.Popen[bytes] | None":
        """Start a worker with these arguments once the imports are done; None if the template has ended."""
        order = {"arguments": list(arguments), "log": str(log), "environment": dict(environment), "cwd": os.getcwd()}
        while self._once and not (self.ready or self.dead):
            self.listen(None)  # a report left unread would discard the request when this end is closed
        if self.dead:
            return None
        self._forked = None
        with contextlib.suppress(OSError):  # it has ended; `listen` notices
            self._ours.sendall(json.dumps(order).encode() + b"\n")
        if self._once:
            return self._become_the_stage()
        while self._forked is None and not self.dead:
            self.listen(None)
        return None if self._forked is None else Forked(self, self._forked)

    def _become_the_stage(self) -> "subprocess.Popen[bytes] | None":
        self.dead = True  # as a template
        self._ours.close()
        return self._popen if self._popen.poll() is None else None

    def listen(self, seconds: float | None) -> None:
        """Receive what the template reports within some seconds; None waits for a report without limit."""
        if self.dead or not select.select([self._ours], [], [], seconds)[0]:
            return
        try:
            heard = self._ours.recv(65536)
        except OSError:
            heard = b""
        self.dead = not heard
        *lines, self._heard = (self._heard + heard).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "pid" in said and "code" in said:
                self._codes[said["pid"]] = said["code"]
            elif "pid" in said:
                self._forked = said["pid"]
            else:
                self.ready = True

    def code(self, pid: int) -> int | None:
        """A forked stage's exit code; None while it is running. If the template dies, its stages are killed."""
        return self._codes.get(pid, -9 if self.dead else None)

    def close(self) -> None:
        """End it and what it has forked; a stage that it has become is left running."""
        if self.dead and self._once:
            return
        self.dead = True
        self._popen.kill()
        self._popen.wait()
        self._ours.close()


def template_for(run: Run, stage: Stage, environment: Mapping[str, str]) -> Template | None:
    """The template for a stage that this process starts; None if the stage has to be started from scratch."""
    spec = table.of(stage)
    if spec.trains and run.config.train.ranks > 1:  # Lightning starts the other ranks the way this one was
        return None
    once = has_gpu()
    python = interpreter.of(run.config.sampler, samples=spec.draws is not None)
    samples_here = run.config.sampler.python in (None, sys.executable)
    engine = run.config.sampler.local if samples_here or python != sys.executable else "transformers"
    template = _templates.get(python)
    if template is None or template.dead or template.key != (engine, dict(environment)):
        if template:
            template.close()
        template = _templates[python] = Template(engine, environment, once, python)
    template.listen(0)
    plain = not (spec.draws or spec.trains)  # a new process is fast enough while the template is importing
    if plain and (once or not template.ready):
        return None
    if once and len(run.owed()) > 1:
        _templates[python] = Template(engine, environment, once, python)  # for the stage after this one
    return template


@atexit.register
def _close_all() -> None:
    for one in _templates.values():
        one.close()
    _templates.clear()
