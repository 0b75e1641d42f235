"""Why a file or folder cannot be read, written or made: the system's errors in the user's words."""

import errno
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tpt.errors import DiskFull, FileError, StorageFailed

ELSEWHERE = "name another folder: run_root= of a run, --out of what a command writes, TPT_CACHE of models"
AGAIN = "give the same command again once the file system answers: what is finished is kept"
FULL = (errno.ENOSPC, errno.EDQUOT)
SET_HF_HOME = "set HF_HOME, where what comes from the hub is kept, to a folder of your own"
READ_ONLY = "{} is on a file system that is mounted read-only"
ROOM = (
    "free some space (or name a larger disk: run_root= of a run, TPT_CACHE of models), then give the same command "
    "again: it continues"
)


@contextmanager
def in_words(path: Path, elsewhere: str = ELSEWHERE) -> Iterator[None]:
    """Turn an `OSError` of the block into an error that a user can act on, see `explained`.

    Args:
        path: the file or folder that the block makes, reads or writes.
        elsewhere: the hint where another folder is the way out.
    """
    try:
        yield
    except OSError as error:
        known = explained(error, _meant(error, path), elsewhere)
        if known is None:
            raise
        raise known from error


def _meant(error: OSError, path: Path) -> Path:
    """The file that an error is about: another one that it names, or else `path`."""
    named = Path(error.filename) if isinstance(error.filename, str) else path
    on_the_way = named in path.parents or (named.parent == path.parent and named.name.startswith(f".{path.name}."))
    return path if on_the_way else named


def explained(error: OSError, path: Path, elsewhere: str = ELSEWHERE) -> FileError | None:
    """What an `OSError` says of a file or folder, in the user's words; None: it is no matter of the file system."""
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
            found = FileError(f"too many files are open to open {path}", "raise the limit: `ulimit -n 65536`")
        case errno.EFBIG:
            found = FileError(f"{path} would be larger than a file may be", "see `ulimit -f`")
        case errno.EIO | errno.ESTALE | errno.EREMOTEIO | errno.ENOTCONN:  # of disks, NFS and FUSE
            found = StorageFailed(f"the file system of {path} failed: {os.strerror(error.errno)}", AGAIN)
        case _:
            found = None
    return found


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Name `path` where what the block writes there does not fit on the disk, whatever a library makes of that.

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
    """The system's error that a disk or a quota is full, where it is behind an error.

    It may be the cause, as in what `torch.save` raises, or quoted in the message, as in what safetensors raises.
    """
    while error and not isinstance(error, DiskFull):
        for number in FULL:
            if (isinstance(error, OSError) and error.errno == number) or f"(os error {number})" in str(error):
                return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return None


def named(error: OSError, elsewhere: str = ELSEWHERE) -> FileError | None:
    """What an `OSError` says in the user's words, if it names a file, or if that matters little."""
    if isinstance(error, shutil.Error):  # of several files, each with what the system says
        copied = [f"{source} cannot be copied to {target}: {why}" for source, target, why in error.args[0]]
        return FileError(copied[0], elsewhere)
    if isinstance(error.filename, str):
        return explained(error, Path(error.filename), elsewhere)
    known = explained(error, Path("a file"), elsewhere)  # the system forgets its name once it is open
    return known if isinstance(known, (DiskFull, StorageFailed)) else None


@contextmanager
def last_resort() -> Iterator[None]:
    """Turn every `OSError` of the block that is about a file into an error that names it."""
    try:
        yield
    except OSError as error:
        known = named(error)
        if known is None and not isinstance(error.filename, str):
            raise
        raise known or FileError(f"{error.filename}: {error.strerror}") from error


def may_read(path: Path) -> bool:
    """Whether a file is there and this process may read it, or enter a folder and list it."""
    try:
        return os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))
    except OSError:  # a folder on the way may not be entered
        return False


def may_write(path: Path) -> bool:
    """Whether this process may write a file or into a folder, or make it where it is not there."""
    try:
        there = next(one for one in (path, *path.parents) if one.exists())
    except OSError:  # a folder on the way may not be entered
        return False
    return os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)) and (there == path or there.is_dir())


def refused(path: Path, elsewhere: str = ELSEWHERE) -> FileError:
    """That this user may not read or write a file or folder, whose it is, and how it can be shared."""
    there = path
    for one in reversed((path, *path.parents)):
        if not os.path.lexists(one):
            break
        there = one
        if one.is_dir() and not os.access(one, os.X_OK):
            break
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return FileError(READ_ONLY.format(path), elsewhere)
    may_read = there == path and os.access(path, os.R_OK)
    what = "write" if may_read or there != path else "read"
    stat = there.lstat()
    whose = f"{there} belongs to {user_name(stat.st_uid)} (mode {stat.st_mode & 0o7777:o})"
    return FileError(
        f"user {user_name(os.geteuid())} may not {what} {path}: {whose}",
        f"{elsewhere}. To share a folder, its owner gives it to a group, and everybody works with `umask 002`: "
        "chgrp -R GROUP FOLDER; chmod -R g+rwX FOLDER; find FOLDER -type d -exec chmod g+s {} +",
    )


def _too_long(path: Path) -> FileError:
    longest, whole = max(len(os.fsencode(name)) for name in path.parts), len(os.fsencode(path.absolute()))
    return FileError(
        f"this path is too long for the file system, at {whole} bytes and {longest} in one name: {path}",
        "use shorter names: most file systems take 255 bytes in a name and 4,096 in a path",
    )


def _blocked(path: Path, elsewhere: str) -> FileError | None:
    """What stands where a folder, or a file, is to be."""
    for one in reversed((path, *path.parents)):
        if one.is_symlink() and not one.exists():
            return FileError(f"{one} is a link to {one.readlink()}, which is not there", elsewhere)
        if one.exists() and not one.is_dir():
            return FileError(f"{one} is a file, and a folder is needed there for {path}", elsewhere)
    return FileError(f"{path} is a folder, and a file is to be written there", elsewhere) if path.is_dir() else None


def user_name(uid: int) -> str:
    """A user's name, or their number where this machine knows no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
