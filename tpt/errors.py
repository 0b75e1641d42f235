"""Errors that a user can act on."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def said(error: BaseException, most: int = 300) -> str:
    """A library error's message on one line, at most `most` characters; the name of its type if it has no message."""
    return (" ".join(str(error).split()) or type(error).__name__)[:most]


class TptError(Exception):
    """Something the user can correct.

    Args:
        message: what is wrong, in terms the user knows.
        hint: what to do about it; printed on a separate line.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  -> {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type["TptError"], tuple[Any, ...]]:
        return type(self), (self.message, self.hint)


class ConfigError(TptError):
    """A setting that is unknown, out of range, or contradicts another one."""


class DataError(TptError):
    """A problem file that cannot be used: a missing column, no problems, a gold answer that cannot be read."""


class ModelError(TptError):
    """A model that cannot be found, loaded or used with these settings."""


class EngineError(TptError):
    """A sampling engine that ran out of memory or died."""


class SandboxError(TptError):
    """Solutions cannot be run safely on this machine: bubblewrap is missing or not allowed to work."""


class CommandError(TptError):
    """A command of the user's that is not there, fails, or does not write the figures that are read."""


class EmptyPrune(TptError):
    """Pruning kept no sample, so there is nothing to train on. The samples stay on disk."""


class ClusterError(TptError):
    """SLURM is not installed, rejects a job, or does not answer."""


class RunError(TptError):
    """A run folder that cannot be used: locked, from another version, or from another config."""


class Damaged(RunError):
    """A file of a run folder that cannot be used: missing, empty, torn, or with the wrong contents.

    Attributes:
        path: the file.
    """

    def __init__(self, message: str, hint: str, path: Path) -> None:
        super().__init__(message, hint)
        self.path = path

    def __reduce__(self) -> tuple[type[TptError], tuple[Any, ...]]:
        return type(self), (self.message, self.hint, self.path)


class UploadFailed(TptError):
    """The model hub cannot be reached or refuses the upload; the files stay on this machine."""


class FileError(TptError):
    """A file or folder that cannot be read, written or created at the given place."""


class DiskFull(FileError):
    """The disk or the quota is full."""


class StorageFailed(FileError):
    """The file system itself failed; it may answer again later."""


def nearest(word: object, known: Iterable[str]) -> str:
    """A hint for an unknown name: the known name closest to it, or all known names."""
    names = sorted(known)
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
