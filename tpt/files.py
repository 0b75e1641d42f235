"""Writing files so that a reader sees either the whole file or none, whatever happens to the writer."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tpt.errors import FileError
from tpt.explain import ELSEWHERE, in_words

TEMPORARY_SUFFIX = ".partial"
LONGEST_LINE = 2**20  # bytes of a JSONL record of ours


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto `path` when the block ends well.

    The data reaches the disk before the rename, so a crash of the machine leaves the old file or the new one.

    Raises:
        DiskFull: the disk or the quota is full; the temporary file is removed.
        FileError: it may not, or cannot, be written there.
    """
    temporary = _temporary(path)
    with in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):  # where it could not be made, that is the error to tell
                temporary.unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")


def check_writable(path: Path) -> None:
    """Check that `atomic` can write `path`, before the work whose outcome it is to hold. Leaves nothing behind.

    Raises:
        FileError: it cannot, or `path` is there and is no file.
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
            made[-1].write_bytes(b"\0")  # a disk that is full takes the name of a file, and nothing in it
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}", ELSEWHERE) from error
    finally:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir() if one.is_dir() else one.unlink()


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
    """Append one record to a JSONL file; a line that a crash tore is cut off first.

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


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file of ours; a torn last line is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if not line.endswith("\n"):
                return
            yield json.loads(line)
