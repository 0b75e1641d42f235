"""Imports what stages need, then forks a process for each order that comes through a socket; see `warm`."""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

STAGES = ("tpt.launch.worker", "tpt.think.transformers", "tpt.stages.train", "tpt.train.fit", "tpt.stages.evaluate")


def import_what_stages_need() -> None:
    """Import all of a stage's modules except those of `tpt`, whose code a run may have a copy of."""
    for name in STAGES:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tpt"]:
        del sys.modules[name]
    atexit._clear()
    gc.freeze()


class Client:
    """One who has sent an order, and the process that carries it out."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.heard = b""
        self.files: list[int] = []
        self.pid = self.pidfd = 0

    def listen(self) -> bool:
        """Take in what the client says; returns whether it is still there."""
        if self.pid:
            said = self.channel.recv(64)
            for number in said:
                os.kill(self.pid, number)
            return bool(said)
        said, files, _, _ = socket.recv_fds(self.channel, 1 << 20, 8)
        self.heard += said
        self.files += files
        return bool(said)

    def fork(self) -> None:
        """Start the process that was asked for."""
        self.pid = os.fork()
        if not self.pid:
            be(self.files, **json.loads(self.heard))
        self.pidfd = os.pidfd_open(self.pid)
        for one in self.files:
            os.close(one)

    def close(self, code: int | None = None) -> None:
        """Say how its process ended; or end the process, since the client is gone."""
        if code is None and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        elif code is not None:
            with contextlib.suppress(OSError):
                self.channel.sendall(str(code).encode())
        if self.pid:
            os.close(self.pidfd)
        self.channel.close()


def serve(address: str) -> None:
    """Fork a process for each order, until this one is killed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    clients: list[Client] = []
    while True:
        waited = [listener.fileno(), *(one.channel.fileno() for one in clients)]
        readable: list[Any] = select.select([*waited, *(one.pidfd for one in clients if one.pid)], [], [])[0]
        for one in list(clients):
            if one.pid and one.pidfd in readable:
                one.close(os.waitstatus_to_exitcode(os.waitpid(one.pid, 0)[1]))
                clients.remove(one)
            elif one.channel.fileno() in readable and not one.listen():
                one.close()
                clients.remove(one)
            elif not one.pid and one.heard.endswith(b"\n"):
                one.fork()
        if listener.fileno() in readable:
            clients.append(Client(listener.accept()[0]))


def be(
    descriptors: list[int],
    module: str,
    arguments: list[str],
    environment: dict[str, str],
    cwd: str,
    umask: int,
    files: list[int],
    safe: bool,
) -> NoReturn:
    """Be the process that `python -m MODULE ARGUMENTS` would have been, in this place."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    high = [os.dup2(one, 500 + number) for number, one in enumerate(descriptors)]
    os.closerange(3, 500)
    for one, number in zip(high, files, strict=True):
        os.dup2(one, number)
        os.close(one)
    os.chdir(cwd)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    given = [one for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:] = [*([] if safe else [cwd]), *given, *sys.path]
    sys.argv = [module, *arguments]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # as PYTHONUNBUFFERED, which stages have
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # what Python does in the end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import_what_stages_need()
    serve(sys.argv[1])
