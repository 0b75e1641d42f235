"""Stages forked from a process that has imported what they need: torch, transformers, Lightning, vLLM.

Those imports take seconds, and a run of two rounds has ten stages. Each stage still is a process of its own, which can
be killed and gives its memory back. Where there is a GPU nothing is forked, for a process that has looked at one must
not be: there the process that has imported what a stage needs becomes the stage, and the next one imports meanwhile, so
that an engine is ready to load as soon as the training before it has written its model.
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
from tpt.run import table
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.settings import interpreter

_templates: dict[str, "Template"] = {}  # of each interpreter


class Forked:
    """A forked stage, as much like a `subprocess.Popen` as is needed of one."""

    def __init__(self, template: "Template", pid: int) -> None:
        self.pid = pid
        self.returncode: Any = None  # an int once it has ended; typed as Popen's is
        self._template = template

    def poll(self) -> int | None:
        """The exit code, or None while it runs; like Popen's, -9 where a signal 9 ended it."""
        if self.returncode is None:
            self._template.listen(0)
            self.returncode = self._template.code(self.pid)
        code: int | None = self.returncode
        return code

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        while self.poll() is None:
            self._template.listen(None)
        return int(self.returncode)


class Template:
    """The process that is forked, and the socket that it is told of stages and tells of their ends by.

    Args:
        engine: the sampling engine whose packages it imports.
        environment: its variables; a stage gets its own.
        once: whether it becomes the one stage that it is told of, instead of forking it.
        python: the interpreter of its stages.
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
        """Start a worker with these arguments, once the imports are done; None if the template is gone."""
        order = {"arguments": list(arguments), "log": str(log), "environment": dict(environment), "cwd": os.getcwd()}
        while self._once and not (self.ready or self.dead):
            self.listen(None)  # what it says unheard would take the order with it when this end is closed
        if self.dead:
            return None
        self._forked = None
        with contextlib.suppress(OSError):  # it is gone: `listen` sees that
            self._ours.sendall(json.dumps(order).encode() + b"\n")
        if self._once:
            return self._become_the_stage()
        while self._forked is None and not self.dead:
            self.listen(None)
        return None if self._forked is None else Forked(self, self._forked)

    def _become_the_stage(self) -> "subprocess.Popen[bytes] | None":
        self.dead = True  # to others
        self._ours.close()
        return self._popen if self._popen.poll() is None else None

    def listen(self, seconds: float | None) -> None:
        """Take in what the template says within some seconds, of which None are endless."""
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
        """A forked stage's exit code; None while it runs. With the template its stages are killed."""
        return self._codes.get(pid, -9 if self.dead else None)

    def close(self) -> None:
        """End it, and what it has forked; a stage that it has become is no longer its own."""
        if self.dead and self._once:
            return
        self.dead = True
        self._popen.kill()
        self._popen.wait()
        self._ours.close()


def template_for(run: Run, stage: Stage, environment: Mapping[str, str]) -> Template | None:
    """The template of a stage of this process's; None where it has to be started anew."""
    spec = table.of(stage)
    if spec.trains and run.config.train.ranks > 1:  # Lightning starts the other ranks as it was started
        return None
    once = has_gpu()
    python = interpreter.of(run.config.sampler, samples=spec.draws is not None)
    samples_here = run.config.sampler.python in (None, sys.executable)
    engine = run.config.sampler.engine if samples_here or python != sys.executable else "transformers"
    template = _templates.get(python)
    if template is None or template.dead or template.key != (engine, dict(environment)):
        if template:
            template.close()
        template = _templates[python] = Template(engine, environment, once, python)
    template.listen(0)
    plain = not (spec.draws or spec.trains)  # a new process starts it fast enough while the template still imports
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
