"""Running programs one after another, each sample's in its own sandbox, which is started ahead of time."""

import array
import fcntl
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from tpt.errors import SandboxError
from tpt.sandbox import group, inside
from tpt.sandbox.command import Sandbox
from tpt.sandbox.remedy import remedy

START_SECONDS = 30.0  # a sandbox that has not started by then never will
GRACE_SECONDS = 30.0  # after a run's wall limit until its sandbox is given up
STDERR_BYTES = 2_000  # of the end of stderr that are looked at

# If a sample's text mentions one of these, it is imported once per sample instead of once per test.
# fmt: off
PRELOADED = frozenset((
    "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "io", "itertools",
    "math", "numpy", "operator", "random", "re", "sortedcontainers", "statistics", "string", "threading", "time",
    "typing",
))
# fmt: on
_WORD = re.compile(rb"[a-z]+")


class Stop(Enum):
    """Why a run was stopped from outside."""

    ENDED = inside.ENDED
    WALL = inside.WALL
    MEMORY = inside.MEMORY
    CPU = inside.CPU


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use; all its processes together, unless noted.

    Attributes:
        cpu: seconds.
        wall: seconds in which it runs or waits for anything other than a core; the hard limit is ten times this.
        memory: bytes, resident or swapped out; what processes share counts once.
        output: bytes of stdout, and of each file it writes.
        processes: processes and threads.
    """

    cpu: float
    wall: float
    memory: int
    output: int
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: Python source, an executable file's bytes, or, with `command`, a command whose stdin is `text`."""

    text: bytes
    is_python: bool = True
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class Ran:
    """How a run ended.

    Attributes:
        exit_code: the program's; minus the signal's number if a signal ended it.
        stop: why it was stopped, if it was.
        cpu, wall: seconds it took.
        waited: the wall seconds in which it was ready but no core was free (measured every 50 ms).
        peak: bytes of memory of its largest process.
        stdout: what it wrote; None if it exceeded the limit.
        stderr: the end of stderr.
    """

    exit_code: int
    stop: Stop
    cpu: float
    wall: float
    waited: float
    peak: int
    stdout: bytes | None
    stderr: str


class Died(Exception):
    """The sandbox ended during a run."""


class Worker:
    """Runs programs, each sample's in a fresh sandbox; the next sandbox starts while the current one works.

    Use it from one thread that lives as long as it does: a sandbox dies with the thread that started it.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._group = group.make(sandbox.groups) if sandbox.groups else None
        self._stopped = False
        self._current: _Jail | None = None
        self._spare: _Jail | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stop(self) -> None:
        """End the current run, from another thread; whoever waits for it gets `Died`."""
        self._stopped = True
        if self._current:
            self._current.kill()

    def close(self) -> None:
        """Kill all sandboxes; the worker must not be used again."""
        for jail in (self._current, self._spare):
            if jail:
                jail.close()
        self._current = self._spare = None
        if self._group:
            self._group.remove()
            self._group = None

    def renew(self) -> None:
        """Discard the sandbox: the next sample must not find anything that the previous one left."""
        if self._current:
            self._current.close()
        self._current = None

    def run(self, program: Program, stdin: bytes, limits: Limits) -> Ran:
        """Run a program to its end or its limits.

        Raises:
            Died: the sandbox did not survive the program, twice.
            SandboxError: sandboxes do not start on this machine.
        """
        for attempt in (1, 2):
            if self._current is None:
                self._current = self._spare or _Jail(self.sandbox, self._group)
                self._spare = _Jail(self.sandbox, self._group)
            if self._group:
                self._group.limit(limits.memory + 2 * limits.output)
            try:
                ran, dirty = self._current.run(program, stdin, limits)
            except Died:
                self.renew()
                if attempt == 2 or self._stopped:
                    raise
                continue
            if self._group and self._group.ran_out():
                ran.stop, dirty = Stop.MEMORY, True
            if dirty:
                self.renew()  # the next test must not find anything that this one left
            return ran
        raise AssertionError("unreachable")


class _Jail:
    """One sandbox, from start to end."""

    def __init__(self, sandbox: Sandbox, place: group.Group | None) -> None:
        filter_fd = sandbox.filter()
        command = sandbox.command(filter_fd)
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.said = os.memfd_create("stderr")
        try:
            self.process = subprocess.Popen(
                place.joined(command) if place else command,
                stdin=theirs.fileno(),
                stdout=self.said,
                stderr=self.said,
                pass_fds=[filter_fd],
                env=sandbox.environment(),
                cwd=sandbox.folder,  # inside a sandbox, it is /tmp
                start_new_session=True,
            )
        except OSError as error:  # e.g. bwrap is where the user nobody has no access
            self.channel.close()
            os.close(self.said)
            raise SandboxError(f"the sandbox does not start on this machine: {error}", remedy(str(error))) from error
        finally:
            os.close(filter_fd)
            theirs.close()
        self.ready = False

    def run(self, program: Program, stdin: bytes, limits: Limits) -> tuple[Ran, bool]:
        """Run once; also returns whether a later run could tell what this one did."""
        self._wait_until_ready()
        fds = [_memory_file(program.text), _memory_file(stdin), os.memfd_create("stdout"), os.memfd_create("stderr")]
        try:
            self._send(program, limits, fds)
            reply = self._receive(inside.PATIENCE * limits.wall + GRACE_SECONDS)
            if len(reply) != inside.REPLY.size:
                raise Died(self._last_words())
            status, cpu, wall, waited, peak, stop, dirty = inside.REPLY.unpack(reply)
            ran = Ran(
                exit_code=os.waitstatus_to_exitcode(status),
                stop=Stop(stop),
                cpu=cpu / 1e6,
                wall=wall / 1e6,
                waited=waited / 1e6,
                peak=peak * 1024,
                stdout=_content(fds[2], limits.output),
                stderr=_tail(fds[3]),
            )
            return ran, bool(dirty)
        finally:
            for fd in fds:
                os.close(fd)

    def kill(self) -> None:
        """Kill everything in the sandbox: its first process dies with bwrap, and the others with that process."""
        self.process.kill()

    def close(self) -> None:
        """Kill everything in the sandbox and release its resources."""
        self.kill()
        self.process.wait()
        self.channel.close()
        os.close(self.said)

    def _wait_until_ready(self) -> None:
        if self.ready:
            return
        if self._receive(START_SECONDS) != b"ready":
            words = self._last_words()
            raise SandboxError(f"the sandbox does not start on this machine: {words}", remedy(words))
        self.ready = True

    def _send(self, program: Program, limits: Limits, fds: Sequence[int]) -> None:
        head = inside.REQUEST.pack(
            inside.PYTHON if program.is_python else inside.EXECUTE,
            int(limits.cpu * 1000),
            int(limits.wall * 1000),
            limits.memory,
            limits.output,
            limits.processes,
        )
        words = program.command or (_named_modules(program.text) if program.is_python else ())
        tail = b"".join(word.encode() + b"\0" for word in words)
        try:
            self.channel.sendmsg([head + tail], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        except OSError as error:
            raise Died(self._last_words()) from error

    def _receive(self, seconds: float) -> bytes:
        """A packet; empty if the other end has closed or does not answer in time."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
            return b""
        try:
            return self.channel.recv(4096)
        except OSError:
            return b""

    def _last_words(self) -> str:
        return _tail(self.said).strip() or "it gave no reason"


def _named_modules(source: bytes) -> tuple[str, ...]:
    return tuple(sorted(PRELOADED.intersection(word.decode() for word in set(_WORD.findall(source)))))


def _memory_file(content: bytes) -> int:
    """A regular file in memory that nobody can change; solutions expect stdin to be a regular file."""
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as handle:
        handle.write(content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _content(fd: int, most: int) -> bytes | None:
    size = os.fstat(fd).st_size
    return None if size >= most else os.pread(fd, size, 0)


def _tail(fd: int) -> str:
    size = os.fstat(fd).st_size
    return os.pread(fd, STDERR_BYTES, max(0, size - STDERR_BYTES)).decode("utf-8", "replace")
