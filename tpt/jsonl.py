"""Reading a user's JSONL file, line by line, with errors that name the line."""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tpt.errors import DataError, said
from tpt.files import check_writable

GIVE = "give the path of a JSONL file"
FIX = "fix or remove that line"
# The first bytes of other kinds of files that people sometimes name .jsonl.
KINDS = {
    **{b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"},
    **{b"PK\x03\x04": "zip", b"PAR1": "parquet"},
}
# How JSON escapes half of a surrogate pair; complete pairs match too.
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_rows(path: Path, *columns: str, remedy: str, surrogates: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file without their line numbers: see `numbered_rows`."""
    return (row for _, row in numbered_rows(path, *columns, remedy=remedy, surrogates=surrogates))


def numbered_rows(
    path: Path,
    *columns: str,
    remedy: str,
    surrogates: bool = False,
    bad: Callable[[int, DataError], None] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a JSONL file, each with these columns, and their line numbers.

    Blank lines, a byte order mark and Windows line endings are ignored.

    Args:
        remedy: the hint if a column is missing.
        surrogates: whether a text may contain half of a surrogate pair, which cannot be encoded as UTF-8.
        bad: called with the number and the error of each line that is no JSON object, which is then left out; None:
            the first one raises.

    Raises:
        DataError: the file is missing, empty, torn or cannot be read, a line is not a JSON object, or a column is
            missing.
    """
    empty = True
    for number, raw in _lines(path):
        line = raw.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        empty = False
        try:
            row = _row(line, f"{path}: line {number}", surrogates)
        except DataError as error:
            if bad is None:
                raise
            bad(number, error)
            continue
        missing = [column for column in columns if column not in row]
        if missing:
            raise DataError(
                f"{path}: line {number} has no column {', '.join(map(repr, missing))}; it has {', '.join(row)}", remedy
            )
        yield number, row
    if empty:
        raise DataError(f"{path} is empty", "give a file with at least one line")


def check_out(out: Path, *sources: Path) -> None:
    """Check that the verdicts can be written, and would not overwrite an input file.

    Raises:
        DataError: `out` is one of the input files.
        FileError: it cannot be written.
    """
    check_writable(out)
    for source in sources:
        with suppress(OSError):  # whoever reads the source reports it
            if out.exists() and out.samefile(source):
                raise DataError(
                    f"--out is the input file {source}", "choose another file: the input is never overwritten"
                )


def text(row: dict[str, Any], column: str, where: str, hint: str = "give one text") -> str:
    """A column's value as text; null means no answer and gives "".

    Raises:
        DataError: it is a list, an object, true, false or NaN, whose meaning is unclear.
    """
    value = row[column]
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"{where} has {_kind(value)} as its {column!r}", hint)
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{where} has {value} as its {column!r}", hint)
    return str(value)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a list" if isinstance(value, list) else "an object"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, numbered.

    Raises:
        DataError: it is not a file, cannot be read, or is a file of another kind.
    """
    try:
        if not path.is_file():
            what = f"{path} is a folder" if path.is_dir() else f"{path} is not a regular file"
            raise DataError(what if path.exists() else f"there is no file {path}", GIVE)
        with path.open("rb") as handle:
            start = handle.read(max(map(len, KINDS)))
            for first, kind in KINDS.items():
                if start.startswith(first):
                    raise DataError(
                        f"{path} is a {kind} file, not JSONL", "unpack or convert it, and give the JSONL file"
                    )
            handle.seek(0)
            yield from enumerate(handle, 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or said(error)}", GIVE) from error


def _row(raw: bytes, where: str, surrogates: bool) -> dict[str, Any]:
    """The object in a line.

    Raises:
        DataError: there is none.
    """
    try:
        line = raw.decode("utf-8")
        row = json.loads(line, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8", "save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        torn = not line.endswith("\n")
        what = "is torn: the file ends in the middle of it" if torn else f"is not JSON ({error.msg})"
        raise DataError(f"{where} {what}", f"{FIX}; each line must be one complete {{...}}") from error
    except RecursionError as error:
        raise DataError(f"{where} is nested too deeply", FIX) from error
    except ValueError as error:  # a number with thousands of digits, or a duplicate name
        raise DataError(f"{where} cannot be read ({said(error).partition(';')[0]})", FIX) from error
    if not isinstance(row, dict):
        raise DataError(f"{where} is not a JSON object", "each line must be one {...}")
    if not surrogates and SURROGATE.search(line):
        _check_utf8(row, where)
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a duplicate name is an error, because there is no telling which value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is in it twice")
    return found


def _check_utf8(row: dict[str, Any], where: str) -> None:
    """Check that a row can be written to a file again.

    Raises:
        DataError: it contains half of a surrogate pair.
    """
    for name, value in row.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(str(error.object)[error.start]):04x}"
            raise DataError(
                f"{where} contains {half} in {name!a}: half of a character, which cannot be stored in a text file",
                "replace it, e.g. by \\ufffd; it is what is left of an emoji when a text is cut in the middle of it",
            ) from error
