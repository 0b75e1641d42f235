"""Stages that runs under one root share: whoever needs one that another run has finished takes it over."""

import os
import shutil
from pathlib import Path

from tpt import artefacts, records
from tpt.errors import TptError
from tpt.explain import in_words, may_read, may_write
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


def owner(run: Run, stage: Stage) -> Run | None:
    """The other run under the same root that does, or has done, this very stage, if there is one."""
    pointer = run.pointer(stage)
    if not table.of(stage).shared or not may_read(pointer):
        return None
    try:
        root = Path(pointer.read_text(encoding="utf-8")).parent.parent
        found = None if root == run.root.resolve() else Run.open(root)
    except (OSError, ValueError, TptError):  # it is gone, of another version, damaged, or may not be read
        return None
    # What another user has begun may have to be finished from here, see `launch.worker.settle`.
    return found if found and (found.done(stage) or may_write(found.root)) else None


def available(run: Run, stage: Stage) -> Path | None:
    """The folder of another run under the same root that has finished this very stage, if there is one.

    From the same outcomes of its inputs, too: results are not the same on all hardware, so two runs may differ.
    """
    other = None if run.done(stage) else owner(run, stage)
    record = other.record(stage) if other and other.done(stage) else None
    if other is None or record is None or record.fingerprint != run.fingerprint(stage):
        return None
    same = all(run.is_from(record.inputs, one) for one in run.inputs(stage))
    folder = other.folder(stage)
    readable = same and all(map(may_read, folder.rglob("*")))
    return folder if readable and all(map(records.is_whole, folder.glob("*.parquet"))) else None


def adopt(run: Run, stage: Stage) -> Path | None:
    """Take over a stage that another run has finished, by hard links if the file system has them.

    Returns:
        the folder it came from, or None if no run has it.
    Raises:
        FileError: it cannot be written here.
    """
    origin = available(run, stage)
    if origin is None:
        return None
    target = run.folder(stage)
    partial = target.with_name(f".{target.name}.adopted")
    with in_words(target):
        shutil.rmtree(partial, ignore_errors=True)
        _link_or_copy(origin, partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return origin


def _link_or_copy(source: Path, target: Path) -> None:
    """Link the files of a stage; copies, and folders, get the rights that whatever is made here gets."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.name == artefacts.CHECKPOINTS or path.name.startswith("."):
            continue
        if path.is_dir():
            _link_or_copy(path, target / path.name)
        else:
            try:
                os.link(path, target / path.name)
            except OSError:  # another file system, one without hard links, or another user's file
                shutil.copyfile(path, target / path.name)
