"""Run by every Python that finds this folder in PYTHONPATH: has a stage done by a process that is warm, see `server`.

This process stands for that one: it passes signals on, ends as it ends, and takes it along when it is killed.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

MODULES = ("tpt.launch.worker", "tpt.launch.server", "fit_process")
PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


def stand_for(module: str, arguments: list[str], address: str) -> int:
    """Have a module done elsewhere; returns its exit code, less than 0 where a signal ended it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: as what is started here asks for itself
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.connect(address)
    files = [0, 1, 2]
    if module == "tpt.launch.server":
        files.append(int(arguments[0]))  # its channel
    umask = os.umask(0o077)
    os.umask(umask)
    order: dict[str, Any] = {"module": module, "arguments": arguments, "environment": dict(os.environ)}
    order |= {"cwd": os.getcwd(), "umask": umask, "files": files, "safe": bool(sys.flags.safe_path)}
    for number in PASSED_ON:
        signal.signal(number, lambda number, frame: channel.sendall(bytes([number])))
    socket.send_fds(channel, [json.dumps(order).encode() + b"\n"], files)
    return int(channel.recv(16) or -signal.SIGKILL)


def end(code: int) -> NoReturn:
    """End as the other process has ended."""
    if -code in PASSED_ON:
        signal.signal(-code, signal.SIG_DFL)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


words = sys.orig_argv
at = words.index("-m") + 1 if "-m" in words[:-1] else 0
if words[at] in MODULES and "TPT_TEST_WARM" in os.environ:
    try:
        code = stand_for(words[at], words[at + 1 :], os.environ["TPT_TEST_WARM"])
    except BaseException:  # which Python would print, and then go on
        traceback.print_exc()
        code = os.EX_UNAVAILABLE
    end(code)
