"""The record of an error that a stage leaves for `tpt status` and for the process that waits for it."""

import contextlib

from tpt import explain, files
from tpt.errors import FileError, TptError
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


def record_failure(run: Run, stage: Stage, worker: int, error: Exception) -> None:
    """Write an error to the file in which `tpt status` and the process that waits for this stage look for it."""
    error = (explain.named(error) if isinstance(error, OSError) else None) or error
    known = isinstance(error, TptError)
    message = error.message if isinstance(error, TptError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, TptError) else ""
    value = {"kind": type(error).__name__, "known": known, "message": message, "hint": hint}
    with contextlib.suppress(FileError):  # the disk itself may have failed; the log has the traceback
        files.write_json(run.error_path(stage, worker), value)
