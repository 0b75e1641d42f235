"""Checking once, before anything hostile runs, that the sandbox is secure on this machine."""

import json

from tpt.errors import SandboxError
from tpt.sandbox.worker import Limits, Program, Worker

PROGRAM = b"""
import json, os, socket

def works(action):
    try:
        action()
    except OSError:
        return False
    return True

def fork_many():
    for _ in range(100):
        if not os.fork():
            os.abort()

print(json.dumps({
    "runs as root": os.getuid() == 0 or os.geteuid() == 0,
    "sees other processes": len([name for name in os.listdir("/proc") if name.isdigit()]) > 2,
    "sees home folders": os.path.exists("/home") or os.path.exists("/root"),
    "can write to the system": works(lambda: open("/usr/tpt", "w")) or works(lambda: open("/tpt", "w")),
    "reaches a network": len(open("/proc/net/dev").readlines()) > 3,  # two of headings, and `lo`
    "opens sockets of any family": works(lambda: socket.socket(socket.AF_NETLINK)),
    "can start any number of processes": works(fork_many),
}))
"""


def probe(worker: Worker) -> None:
    """Check that a sandbox starts, and that what must be impossible inside is impossible.

    Raises:
        SandboxError: it does not start, or is not secure; names what a solution could do.
    """
    ran = worker.run(Program(PROGRAM), b"", Limits(cpu=10, wall=30, memory=2**30, output=2**20, processes=16))
    worker.renew()
    if ran.exit_code or not ran.stdout:
        raise SandboxError(f"the sandbox does not work on this machine: {ran.stderr[-500:]}", "see the message above")
    open_doors = [name for name, is_so in json.loads(ran.stdout).items() if is_so]
    if open_doors:
        raise SandboxError(
            f"the sandbox is not secure on this machine: a solution {', '.join(open_doors)}",
            "no solution was run; use another machine, or report this with `bwrap --version` and `uname -r`",
        )
