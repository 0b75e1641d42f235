"""Why a file or folder cannot be read, written or created: the system's errors in words that say what to do."""

import errno
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tpt.errors import DiskFull, FileError, StorageFailed

ELSEWHERE = "choose another folder: run_root= for runs, --out for a command's output, TPT_CACHE for models"
AGAIN = "give the same command again when the file system is back: finished work is kept"
ASK_OWNER = "ask its owner for permission to read it"
FULL = (errno.ENOSPC, errno.EDQUOT)
SET_HF_HOME = "set HF_HOME (where downloads from the hub are kept) to a folder of your own"
READ_ONLY = "{} is on a file system that is mounted read-only"
ROOM = (
    "free some space (or choose a larger disk: run_root= for runs, TPT_CACHE for models), then give the same command "
    "again: it continues where it stopped"
)


@contextmanager
def in_words(path: Path, elsewhere: str = ELSEWHERE) -> Iterator[None]:
    """Turn an `OSError` of the block into an error that a user can act on, see `explained`.

    Args:
        path: the file or folder that the block creates, reads or writes.
        elsewhere: the hint if another folder solves the problem.
    """
    try:
        yield
    except OSError as error:
        known = explained(error, _meant(error, path), elsewhere)
        if known is None:
            raise
        raise known from error


def _meant(error: OSError, path: Path) -> Path:
    """The file that an error is about: `path`, unless the error names an unrelated file."""
    named = Path(error.filename) if isinstance(error.filename, str) else path
    on_the_way = named in path.parents or (named.parent == path.parent and named.name.startswith(f".{path.name}."))
    return path if on_the_way else named


def explained(error: OSError, path: Path, elsewhere: str = ELSEWHERE) -> FileError | None:
    """What an `OSError` says about a file or folder, in plain words; None if the file system is not the cause."""
    match error.errno:
        case errno.ENOSPC:
            found: FileError | None = DiskFull(f"no space left while writing {path}", ROOM)
        case errno.EDQUOT:
            found = DiskFull(f"the disk quota is used up: no space left while writing {path}", ROOM)
        case errno.EACCES | errno.EPERM:
            found = refused(path, elsewhere)
        case errno.ENAMETOOLONG:
            found = _too_long(path)
        case errno.ENOTDIR | errno.EEXIST | errno.EISDIR | errno.ELOOP:
            found = _blocked(path, elsewhere)
        case errno.EROFS:
            found = FileError(READ_ONLY.format(path), elsewhere)
        case errno.EMFILE | errno.ENFILE:
            found = FileError(f"too many open files: {path} cannot be opened", "raise the limit: `ulimit -n 65536`")
        case errno.EFBIG:
            found = FileError(f"{path} would exceed the largest file size allowed", "see `ulimit -f`")
        case errno.EIO | errno.ESTALE | errno.EREMOTEIO | errno.ENOTCONN:  # of disks, NFS and FUSE
            found = StorageFailed(f"the file system of {path} failed: {os.strerror(error.errno)}", AGAIN)
        case _:
            found = None
    return found


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Name `path` if what the block writes there does not fit on the disk, whatever a library raises then.

    Raises:
        DiskFull: the disk or the quota is full.
    """
    try:
        yield
    except Exception as error:
        full = _full(error)
        if full is None:
            raise
        raise explained(full, path) or full from error


def _full(error: BaseException | None) -> OSError | None:
    """The system's error that a disk or a quota is full, if that led to an error.

    It may be the error's cause, as for `torch.save`, or be quoted in the message, as for safetensors.
    """
    while error and not isinstance(error, DiskFull):
        for number in FULL:
            if (isinstance(error, OSError) and error.errno == number) or f"(os error {number})" in str(error):
                return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return None


def named(error: OSError, elsewhere: str = ELSEWHERE) -> FileError | None:
    """What an `OSError` says in plain words, if it names a file or does not need to."""
    if isinstance(error, shutil.Error):  # about several files, each with the system's message
        copied = [f"{source} cannot be copied to {target}: {why}" for source, target, why in error.args[0]]
        return FileError(copied[0], elsewhere)
    if isinstance(error.filename, str):
        return explained(error, Path(error.filename), elsewhere)
    known = explained(error, Path("a file"), elsewhere)  # errors on open files do not name them
    return known if isinstance(known, (DiskFull, StorageFailed)) else None


@contextmanager
def last_resort() -> Iterator[None]:
    """Turn every `OSError` of the block that is about a file into an error that names the file."""
    try:
        yield
    except OSError as error:
        known = named(error)
        if known is None and not isinstance(error.filename, str):
            raise
        raise known or FileError(f"{error.filename}: {error.strerror}") from error


def may_read(path: Path) -> bool:
    """Whether a path exists and this process may read it (a file), or list and enter it (a folder)."""
    try:
        return os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
    except OSError:  # a parent folder may not be entered
        return False


def may_write(path: Path) -> bool:
    """Whether this process may write a file, write into a folder, or create it if it does not exist."""
    try:
        there = next(one for one in (path, *path.parents) if one.exists())
    except OSError:  # a parent folder may not be entered
        return False
    return os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)) and (there == path or there.is_dir())


def refused(path: Path, elsewhere: str = ELSEWHERE, reading: bool = False) -> FileError:
    """The error that this user may not read or write a file or folder: who owns it, and how it can be shared.

    Args:
        elsewhere: what to do, unless the owner shares it.
        reading: whether it was being read; if not, the permissions tell whether reading or writing was refused.
    """
    there = path
    for one in reversed((path, *path.parents)):
        if not os.path.lexists(one):
            break
        there = one
        if one.is_dir() and not os.access(one, os.X_OK):
            break
    if not reading and os.statvfs(there).f_flag & os.ST_RDONLY:
        return FileError(READ_ONLY.format(path), elsewhere)
    reading = reading or (there == path and not os.access(path, os.R_OK))
    what = "read" if reading else "write"
    stat = there.lstat()
    whose = f"{there} belongs to {user_name(stat.st_uid)} (mode {stat.st_mode & 0o7777:o})"
    return FileError(
        f"user {user_name(os.geteuid())} may not {what} {path}: {whose}",
        f"{elsewhere}. To share a folder, its owner gives it to a group, and everyone works with `umask 002`: "
        "chgrp -R GROUP FOLDER; chmod -R g+rwX FOLDER; find FOLDER -type d -exec chmod g+s {} +",
    )


def _too_long(path: Path) -> FileError:
    longest, whole = max(len(os.fsencode(name)) for name in path.parts), len(os.fsencode(path.absolute()))
    return FileError(
        f"this path is too long for the file system, at {whole} bytes and {longest} in one name: {path}",
        "use shorter names: most file systems take 255 bytes in a name and 4,096 in a path",
    )


def _blocked(path: Path, elsewhere: str) -> FileError | None:
    """The error that something else is in the place of a folder or file."""
    for one in reversed((path, *path.parents)):
        if one.is_symlink() and not one.exists():
            return FileError(f"{one} is a link to {one.readlink()}, which does not exist", elsewhere)
        if one.exists() and not one.is_dir():
            return FileError(f"{one} is a file, and a folder is needed there for {path}", elsewhere)
    return FileError(f"{path} is a folder, and a file is to be written there", elsewhere) if path.is_dir() else None


def user_name(uid: int) -> str:
    """A user's name, or their number if this machine knows no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
