"""The process that imports what stages need and then forks one, or becomes one itself; see `launch.template`."""

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import sys
import traceback
from typing import Any, NoReturn

from tpt import interrupt
from tpt.launch import worker
from tpt.think.engines import preload


def serve(channel: socket.socket, engine: str, once: bool) -> None:
    """Import, then fork a stage for each request until the other end is closed; with `once`, become the first stage."""
    with contextlib.suppress(Exception):  # a stage that needs what cannot be imported reports it
        preload(engine)
    with contextlib.suppress(Exception):
        importlib.import_module("tpt.stages.train")
    gc.freeze()
    _say(channel, {"ready": True})
    heard = b""
    ends: dict[int, int] = {}  # file descriptors that become readable when a child ends
    while True:
        readable: list[Any] = select.select([channel.fileno(), *ends], [], [])[0]
        for descriptor in set(readable) & set(ends):
            pid = ends.pop(descriptor)
            os.close(descriptor)
            _say(channel, {"pid": pid, "code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})
        if channel.fileno() not in readable:
            continue
        received = channel.recv(65536)
        if not received:
            return
        *lines, heard = (heard + received).split(b"\n")
        for line in lines:
            pid = 0 if once else os.fork()
            if not pid:
                channel.close()
                _become(**json.loads(line))
            os.setpgid(pid, pid)  # before anybody can signal the group
            ends[os.pidfd_open(pid)] = pid
            _say(channel, {"pid": pid})


def _become(arguments: list[str], log: str, environment: dict[str, str], cwd: str) -> NoReturn:
    """Be the process that `python -m tpt.launch.worker` would have been.

    It exits as soon as the stage returns: all results are on disk, and shutting an engine down takes seconds.
    """
    interrupt.die_with_parent()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["tpt.launch.worker", *arguments]
    code = 1
    try:
        code = worker.main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(channel: socket.socket, words: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # nobody is listening; the next `recv` notices
        channel.sendall(json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    interrupt.die_with_parent()
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], once="once" in sys.argv[3:])
