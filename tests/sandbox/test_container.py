"""In what containers take away, the sandbox says what is missing and what to give the container.

Docker and Apptainer are not needed: each case is made by the kernel's own means, in namespaces of its own.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tpt.sandbox import filter as seccomp

pytestmark = [
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide parts of /proc"),
]

PROBE = """
from tpt.errors import SandboxError
from tpt.sandbox.command import Sandbox
from tpt.sandbox.probe import probe
from tpt.sandbox.worker import Worker
sandbox = Sandbox()
try:
    with Worker(sandbox) as worker:
        probe(worker)
    print("works")
except SandboxError as error:
    print(error.message, error.hint, sep="\\n")
finally:
    sandbox.close()
"""
PROBE_IT = 'exec "$@"\' sh "$@"'  # the end of a shell line within quotes
SYSTEM = "/proc/sys/user/max_user_namespaces"
# By what is done to the process before; "$@" is the probe.
CASES = {
    "hidden parts of /proc": (
        f"unshare -mpf --mount-proc sh -c 'mount --bind /dev/null /proc/version; {PROBE_IT}",
        "systempaths=unconfined (Docker)",
    ),
    "a read-only /proc/sys": (
        "unshare -m sh -c 'mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys; " + PROBE_IT,
        "unmask=ALL (Podman)",
    ),
    "a root that is the only user": ('unshare -Ur "$@"', "--user $(id -u)"),
    "a root that cannot become another user": (
        'setpriv --bounding-set=-setuid,-setgid --inh-caps=-setuid,-setgid "$@"',
        "SETUID and SETGID",
    ),
    "no user namespaces": (
        "unshare -U sleep 60 & sleep 0.5; for map in uid_map gid_map; do echo 0 0 70000 >/proc/$!/$map; done; "
        f"nsenter -U -t $! sh -c 'echo 0 >{SYSTEM}; {PROBE_IT}; kill $!",
        "user.max_user_namespaces",
    ),
    "a filter of system calls": (
        'bwrap --dev-bind / / --seccomp 9 "$@" 9<$FILTER',
        "seccomp=unconfined --security-opt apparmor=unconfined",
    ),
}


@pytest.fixture(autouse=True)
def _as_docker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `seccomp.program` be a filter that allows all but new user namespaces: clone with that flag, and unshare."""
    flag = seccomp._Test(0, 0x10000000, 0x10000000)
    rules = [seccomp._Rule((56, 220), errno.EPERM, (flag,)), seccomp._Rule((272, 97), errno.EPERM)]
    monkeypatch.setattr(seccomp, "_RULES", rules)


def probed(line: str, folder: Path) -> str:
    """What the sandbox says of itself, in a process to which a shell line has done something."""
    (folder / "filter").write_bytes(seccomp.program())
    variables = {"FILTER": str(folder / "filter")}
    words = ["/bin/sh", "-c", line, "sh", sys.executable, "-c", PROBE]
    done = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_is_said_with_what_to_give_the_container(case: str, tmp_path: Path) -> None:
    line, remedy = CASES[case]
    said = probed(line, tmp_path)
    assert "the sandbox does not start on this machine" in said
    assert remedy in said
    assert "install bubblewrap" not in said


def test_a_container_with_namespaces_and_a_proc_of_its_own_is_enough(tmp_path: Path) -> None:
    assert probed('unshare -mpf --mount-proc "$@"', tmp_path) == "works\n"
