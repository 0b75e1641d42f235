"""Writing files so that a reader sees either the whole file or none, whatever happens to the writer.

And reading them: an error about a file that is damaged anyway names the file and says what to do.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any

from tpt import artefacts
from tpt.errors import Damaged, FileError, RunError, said
from tpt.explain import ASK_OWNER, ELSEWHERE, in_words, named_when_full, refused

TEMPORARY_SUFFIX = ".partial"
LONGEST_LINE = 2**20  # bytes, of a JSONL record written by tpt
AGAIN = "the same `tpt run` command makes it again"

Needs = Mapping[str, type | UnionType]  # the keys that a JSON object must have, and the types of their values


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without an error.

    The data reaches the disk before the rename, so a crash of the machine leaves either the old file or the new one.

    Raises:
        DiskFull: the disk or the quota is full; the temporary file is removed.
        FileError: the file cannot be written there.
    """
    temporary = _temporary(path)
    with in_words(path), named_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            with suppress(OSError):  # if it could not be made, that error is the one to report
                temporary.unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")


def check_writable(path: Path) -> None:
    """Check, before work whose result goes there, that `atomic` can write `path`. Leaves nothing behind.

    Raises:
        FileError: it cannot, or `path` exists and is not a file.
    """
    made: list[Path] = []
    try:
        with in_words(path):
            if path.exists() and not path.is_file():
                what = "a folder" if path.is_dir() else "not a regular file"
                raise FileError(f"{path} is {what}", "name a file to write")
            for folder in reversed(path.absolute().parents):
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
            made.append(_temporary(path.absolute()))
            made[-1].write_bytes(b"\0")  # a full disk accepts an empty file, but no data
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}", ELSEWHERE) from error
    finally:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir() if one.is_dir() else one.unlink()


def free_space(path: Path) -> int:
    """Bytes that are free on the disk of a path, which need not exist yet."""
    path = path.resolve()
    return shutil.disk_usage(next(one for one in (path, *path.parents) if one.exists())).free


def complete(folder: Path) -> None:
    """Sync a folder that libraries wrote to the disk, and give it the permissions that new files have under the umask.

    safetensors makes its files private, and copied files keep the permissions of the originals.
    """
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            wanted = 0o777
        else:
            wanted = 0o666
            _sync(path)
        path.chmod(stat.S_IMODE(path.stat().st_mode) | wanted & ~_umask())


def _umask() -> int:
    """The permissions that this process withholds from new files; `os.umask` cannot tell without changing them."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Umask:")), 8)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def damaged(path: Path, why: str, then: str = AGAIN) -> Damaged:
    """The error for a damaged file of a run folder.

    Args:
        why: what is wrong with it: `is empty`, `lacks 'seconds'`, ...
        then: how it is recreated after it has been removed.
    """
    manifest = path.parent / artefacts.MANIFEST
    finished = path != manifest and manifest.exists()  # a finished stage is not repeated
    remove = [*(["it"] if os.path.lexists(path) else []), *([str(manifest)] if finished else [])]
    return Damaged(f"{path} {why}", f"remove {' and '.join(remove)}; {then}" if remove else then, path)


@contextmanager
def reading(path: Path, then: str = AGAIN, *errors: type[Exception]) -> Iterator[None]:
    """Turn an error of the block into one that says that `path` cannot be read, and what to do.

    Args:
        then: see `damaged`.
        errors: what the block may raise about the contents, in addition to ValueError.

    Raises:
        Damaged: the file is missing, or its contents are not what they should be.
        RunError: this user may not read it, or the disk failed.
    """
    known: tuple[type[Exception], ...] = (OSError, ValueError, RecursionError, *errors)
    try:
        yield
    except known as error:
        raise _unreadable(path, error, then) from error


def _unreadable(path: Path, error: Exception, then: str) -> RunError:
    # If a permission is missing, or the disk or the network failed, the file itself may be intact: nothing is redone.
    if isinstance(error, PermissionError):
        why = refused(path, ASK_OWNER, reading=True)
        return RunError(why.message, why.hint)
    if isinstance(error, OSError) and error.errno is not None and path.is_file():
        again = "check the disk, then give the same command again"
        return RunError(f"{path} cannot be read: {error.strerror}", again)
    return damaged(path, _why(path, error), then)


def _why(path: Path, error: Exception) -> str:
    """What is wrong with a file that could not be read."""
    if not path.exists():
        return "is gone"
    if path.is_dir():
        return "is a folder, not a file"
    if not path.stat().st_size:
        return "is empty"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text: {said(error)}"
    if path.suffix in (".json", ".jsonl"):
        return f"is not valid JSON: {said(error)}"
    return f"is torn or damaged: {said(error)}"


def read_json(path: Path, needs: Needs = MappingProxyType({}), then: str = AGAIN) -> dict[str, Any]:
    """The object in the JSON file `path`.

    Args:
        needs: the keys it must have, and the types of their values.
        then: see `damaged`.

    Raises:
        Damaged: the file is missing, empty or torn, or its contents are not what they should be.
        RunError: this user may not read it, or the disk failed.
    """
    with reading(path, then):
        value = json.loads(path.read_text(encoding="utf-8"))
    lack = lacking(value, needs)
    if lack:
        raise damaged(path, lack, then)
    return value  # type: ignore[no-any-return]  # an object: `lacking` has checked that


def lacking(value: Any, needs: Needs) -> str:
    """What is wrong with a value read from JSON if it is not the expected object, in words; "" if it is."""
    if not isinstance(value, dict):
        return "does not contain a JSON object"
    wrong = [name for name, kind in needs.items() if not isinstance(value.get(name), kind)]
    return f"has missing or invalid entries: {', '.join(wrong)}" if wrong else ""


def append_jsonl(path: Path, record: dict[str, Any]) -> None:
    """Append one record to a JSONL file, after removing a last line that a crash left incomplete.

    Raises:
        FileError: as for `atomic`.
    """
    with in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, (json.dumps(record, ensure_ascii=False) + "\n").encode())


def _append(path: Path, line: bytes) -> None:
    with path.open("a+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        if size:
            tail_start = max(0, size - LONGEST_LINE)
            handle.seek(tail_start)
            handle.truncate(tail_start + handle.read().rfind(b"\n") + 1)
        handle.write(line)


def read_jsonl(path: Path, needs: Needs = MappingProxyType({}), then: str = AGAIN) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file written by tpt. A torn last line is skipped; a missing file has no records.

    Args:
        needs: what each record must have, see `read_json`.
        then: see `damaged`.

    Raises:
        Damaged: a line is not a record; names its number.
    """
    if not path.exists():
        return
    with reading(path, then):
        lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            return
        try:
            record = json.loads(line.decode())
        except ValueError as error:
            raise damaged(path, f"is not valid JSON in line {number}: {said(error)}", then) from error
        lack = lacking(record, needs)
        if lack:
            raise damaged(path, f"{lack} (line {number})", then)
        yield record
