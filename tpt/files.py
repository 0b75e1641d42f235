"""Writing files so that a reader sees either the whole file or none, whatever happens to the writer."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tpt.errors import DiskFull

TEMPORARY_SUFFIX = ".partial"
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
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space left while writing {path}",
                "free some space (or set run_root= to a larger disk), then give the same command again: it continues",
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
