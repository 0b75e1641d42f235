"""Locks between processes, on one machine or on several that share a file system.

The kernel's own (`flock`) where the file system has them: they end with their holder, however it dies. Where it has
none (NFS without its lock service, Lustre mounted without `flock`), a lease: a file that its holder touches again and
again. The lease of a process of this machine that is dead is taken over at once; that of another machine once nobody
has touched it for LEASE_SECONDS, by those who wait for it. One that is touched is never taken over, so no work is
lost; and after a node's death nobody waits for it without end, as for a file that is merely there.
"""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLease, Timeout

from tpt.explain import ELSEWHERE, in_words

logger = logging.getLogger(__name__)

NO_FLOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
LEASE_SECONDS = 300.0  # above what a busy file server delays a touch by, or shows old times for

_told: set[Path] = set()  # folders of which it has been said that they have no locks


class Held(Exception):
    """Another process holds the lock.

    Attributes:
        path: the file by which it holds it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@contextmanager
def locked(path: Path, wait: bool = True, elsewhere: str = ELSEWHERE) -> Iterator[None]:
    """Hold the lock `path` in the block.

    Args:
        wait: for as long as another process holds it.
        elsewhere: the hint where another folder is the way out.

    Raises:
        Held: another process holds it, and this one does not wait.
        FileError: the file cannot be made or opened.
    """
    lock = _acquire(path, wait, elsewhere)
    try:
        yield
    finally:
        lock.release()


def _acquire(path: Path, wait: bool, elsewhere: str) -> BaseFileLock:
    try:
        with in_words(path, elsewhere):
            return _taken(FileLock(path, fallback_to_soft=False), wait)
    except OSError as error:
        if error.errno not in NO_FLOCK:
            raise
        _say_once(path, error)
    lease = path.with_name(f"{path.name}.lease")
    with in_words(lease, elsewhere):
        return _taken(SoftFileLease(lease, lease_duration=LEASE_SECONDS), wait)


def _taken(lock: BaseFileLock, wait: bool) -> BaseFileLock:
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise Held(Path(lock.lock_file)) from None
    return lock


def _say_once(path: Path, error: OSError) -> None:
    if path.parent not in _told:
        _told.add(path.parent)
        logger.warning(
            "the file system of %s has no file locks (%s): a file that is renewed every %.0f s takes their place. "
            "Other programs' locks may need the mount option `flock` (Lustre) or `local_lock` (NFS)",
            path.parent,
            error.strerror,
            LEASE_SECONDS / 3,
        )
