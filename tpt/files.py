"""Writing files so that a reader sees either the whole file or none, whatever happens to the writer."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tpt.errors import DiskFull

TEMPORARY_SUFFIX = ".partial"
FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST_LINE = 2**20  # bytes of a JSONL record of ours


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto `path` when the block ends well.

    The data reaches the disk before the rename, so a crash of the machine leaves the old file or the new one.

    Raises:
        DiskFull: the disk or the quota is full; the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        with named_when_full(path):
            yield temporary
            _sync(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Name `path` where what the block writes there does not fit on the disk, whatever a library makes of that.

    Raises:
        DiskFull: the disk or the quota is full.
    """
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        raise DiskFull(
            f"no space left while writing {path}",
            "free some space (or set run_root= to a larger disk), then give the same command again: it continues",
        ) from error


def _is_full(error: BaseException | None) -> bool:
    """Whether the system's error that a disk or a quota is full is behind an error.

    It may be the cause, as in what `torch.save` raises, or quoted in the message, as in what safetensors raises.
    """
    while error and not isinstance(error, DiskFull):
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(f"(os error {number})" in str(error) for number in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def complete(folder: Path) -> None:
    """Have a folder that libraries wrote reach the disk, with the permissions that new files and folders have here.

    safetensors makes its files private, and copies of files have the permissions of the originals.
    """
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            wanted = 0o777
        else:
            wanted = 0o666
            _sync(path)
        path.chmod(stat.S_IMODE(path.stat().st_mode) | wanted & ~_umask())


def _umask() -> int:
    """The permissions that this process withholds from new files; read, for to ask the system is to change them."""
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


def read_json(path: Path) -> Any:
    """The value in the JSON file `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def append_jsonl(path: Path, record: dict[str, Any]) -> None:
    """Append one record to a JSONL file; a line that a crash tore is cut off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        if size:
            tail_start = max(0, size - LONGEST_LINE)
            handle.seek(tail_start)
            handle.truncate(tail_start + handle.read().rfind(b"\n") + 1)
        handle.write((json.dumps(record, ensure_ascii=False) + "\n").encode())


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file of ours; a torn last line is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if not line.endswith("\n"):
                return
            yield json.loads(line)
