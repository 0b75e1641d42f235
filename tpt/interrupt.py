"""A request to stop soon: a signal that only sets a flag, and the exception by which a stage obeys it."""

import ctypes
import signal
from types import FrameType

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: stopped as requested; the same command continues from what was saved

_caught = _requested = False


class Interrupted(Exception):
    """The stage was asked to stop and has saved what it needs to continue."""


def catch() -> None:
    """From now on, SIGTERM and SIGUSR2 set the flag and do nothing else."""
    global _caught  # noqa: PLW0603  # signal handlers belong to the whole process, and so does this flag
    _caught = True
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, _note)


def requested() -> bool:
    """Whether a signal has arrived since `catch`."""
    return _requested


def caught() -> bool:
    """Whether `catch` has been called."""
    return _caught


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies: what that one held is then free."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _note(number: int, frame: FrameType | None) -> None:
    global _requested  # noqa: PLW0603  # a signal handler can return nothing
    _requested = True
