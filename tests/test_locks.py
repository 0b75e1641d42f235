"""Locks: the kernel's where there are any, leases elsewhere; a dead holder's lock ends in both."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tpt import locks
from tpt.errors import StorageFailed

NO_FLOCK = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS]  # NFS without its lock service; Lustre without `flock`

HOLD = """
import fcntl, json, os, socket, sys, time
from pathlib import Path
from tpt import locks

path, number, host, seconds = json.loads(sys.argv[1])
def flock(*_):
    raise OSError(number, os.strerror(number))
if number:
    fcntl.flock = flock
if host:
    socket.gethostname = lambda: host
locks.LEASE_SECONDS = seconds
with locks.locked(Path(path)):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held(path: Path, number: int = 0, host: str = "", seconds: float = 300.0) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock where `flock` raises an error, on a host of another name if one is given."""
    words = json.dumps([str(path), number, host, seconds])
    process = subprocess.Popen([sys.executable, "-c", HOLD, words], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def refuse_flock(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have the system answer as a file system without locks does, which none is that this machine has."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locks, "_told", set())


@pytest.mark.parametrize("number", [0, *NO_FLOCK])
def test_a_lock_is_one_processs_until_it_ends_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / ".lock"
    if number:
        refuse_flock(monkeypatch, number)
    with held(path, number) as holder:
        with pytest.raises(locks.Held), locks.locked(path, wait=False):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with locks.locked(path, wait=False):
            pass


@pytest.mark.parametrize("number", NO_FLOCK)
def test_that_a_file_system_has_no_locks_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    refuse_flock(monkeypatch, number)
    for name in ("a", "b", "a"):
        with locks.locked(tmp_path / name):
            pass
    [said] = caplog.messages
    assert f"{tmp_path} has no file locks" in said
    assert "local_lock" in said
    assert not list(tmp_path.glob("*.lease")), "left behind"


@pytest.mark.slow
def test_the_lease_of_a_host_that_is_gone_ends_by_itself_and_that_of_one_that_is_there_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_flock(monkeypatch, errno.ENOLCK)
    monkeypatch.setattr(locks, "LEASE_SECONDS", 5.0)
    path, killed = tmp_path / ".lock", threading.Event()
    with held(path, errno.ENOLCK, "elsewhere", seconds=5.0) as holder:

        def kill() -> None:
            killed.set()
            holder.kill()

        threading.Timer(7.0, kill).start()
        with locks.locked(path):
            assert killed.is_set()


def test_another_error_of_a_lock_is_said_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_flock(monkeypatch, errno.ESTALE)
    with pytest.raises(StorageFailed, match=str(tmp_path / "a")), locks.locked(tmp_path / "a"):
        pass


def test_a_lock_may_be_taken_by_whomever_the_umask_lets_write(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        with locks.locked(tmp_path / "a"):
            assert (tmp_path / "a").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
