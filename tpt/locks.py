"""Locks between processes, on one machine or on several that share a file system.

The kernel's own locks (`flock`) if the file system supports them: they end with their holder, however it dies. If it
does not (NFS without its lock service, Lustre mounted without `flock`), a lease: a file that its holder touches
regularly. The lease of a dead process on this machine is taken over at once; that of another machine after nobody has
touched it for LEASE_SECONDS. A lease that is still touched is never taken over, so no work is lost; and after a node
dies nobody waits forever, as they would for a file that merely exists.
"""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.explain import ELSEWHERE, in_words

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

NO_FLOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
LEASE_SECONDS = 300.0  # longer than a busy file server delays a touch, or shows outdated times

_told: set[Path] = set()  # folders that have been reported to have no locks


class Held(Exception):
    """Another process holds the lock.

    Attributes:
        path: the lock's file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@contextmanager
def locked(path: Path, wait: bool = True, elsewhere: str = ELSEWHERE) -> Iterator[None]:
    """Hold the lock `path` in the block.

    Args:
        wait: whether to wait while another process holds it.
        elsewhere: the hint if another folder solves the problem.

    Raises:
        Held: another process holds it, and `wait` is false.
        FileError: the file cannot be created or opened.
    """
    lock = _acquire(path, wait, elsewhere)
    try:
        yield
    finally:
        lock.release()


def _acquire(path: Path, wait: bool, elsewhere: str) -> "BaseFileLock":
    from filelock import FileLock, SoftFileLease  # slow to import, and who only looks at runs locks nothing

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


def _taken(lock: "BaseFileLock", wait: bool) -> "BaseFileLock":
    from filelock import Timeout

    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise Held(Path(lock.lock_file)) from None
    return lock


def _say_once(path: Path, error: OSError) -> None:
    if path.parent not in _told:
        _told.add(path.parent)
        logger.warning(
            "the file system of %s has no file locks (%s): using a file that is renewed every %.0f s instead. "
            "Other programs may need locks: see the mount options `flock` (Lustre) and `local_lock` (NFS)",
            path.parent,
            error.strerror,
            LEASE_SECONDS / 3,
        )
