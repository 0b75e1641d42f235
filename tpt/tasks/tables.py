"""Rows of a user's local file: JSONL, JSON, CSV, TSV, parquet or arrow, each with its place in the file.

JSON lines are read by `tpt.jsonl`, which names the line, and CSV by the standard library, because readers that guess
types (`datasets`, pandas) would make 7 of the answer `007` and nothing of the answer `None`.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tpt.errors import DataError, said
from tpt.jsonl import KINDS, numbered_rows

Row = dict[str, Any]
Bad = Callable[[str, DataError], None]  # takes the place and the error of a row that cannot be read

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PARQUET_ROWS = 64  # at a time: a problem with its tests can be large
LONGEST_CELL = 2**31 - 1  # characters; the csv module's own limit is 131,072
RENAME = "rename the file, or convert it"


def read(path: Path, bad: Bad | None = None) -> Iterator[tuple[str, Row]]:
    """The rows of a file, in order, each with its place: `line 7` or `row 7`.

    Args:
        bad: called for each row that cannot be read, which is then left out; None: the first one raises.

    Raises:
        DataError: the file is missing, empty, torn, of another kind than its name says, or a row cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is none of the files that can be read: {', '.join(SUFFIXES)}", "convert it to one of these"
        )
    empty = True
    for place, row in reader(path, bad):
        empty = False
        yield place, row
    if empty and bad is None:
        raise DataError(f"{path} has no rows", "give a file with at least one row")


def _jsonl(path: Path, bad: Bad | None) -> Iterator[tuple[str, Row]]:
    start = _start(path).lstrip()
    if start[:1] not in (b"{", b""):
        what = "holds a JSON array" if start[:1] == b"[" else "is not JSONL: its first line is no {...}"
        raise DataError(f"{path} {what}", "name it .json" if start[:1] == b"[" else RENAME)
    report = (lambda number, error: bad(f"line {number}", error)) if bad else None
    return ((f"line {number}", row) for number, row in numbered_rows(path, remedy="", bad=report))


def _json(path: Path, bad: Bad | None) -> Iterator[tuple[str, Row]]:
    """The objects of an array, which may be the one array in an object, as `{"data": [...]}`."""
    try:
        found = json.loads(_text(path))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise DataError(
                f"{path} holds more than one JSON value", "one value a line is JSONL: name it .jsonl"
            ) from error
        raise DataError(f"{path}, line {error.lineno}: not JSON ({error.msg})", RENAME) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({said(error).partition(';')[0]})", RENAME) from error
    arrays = [one for one in found.values() if isinstance(one, list)] if isinstance(found, dict) else [found]
    if len(arrays) != 1 or not isinstance(arrays[0], list):
        raise DataError(f"{path} does not hold one array of objects", 'write [{"question": ..., "answer": ...}, ...]')
    for number, row in enumerate(arrays[0], 1):
        place = f"row {number}"
        if isinstance(row, dict):
            yield place, row
        else:
            _refuse(path, place, f"is {row!r:.60} and not an object", bad)


def _csv(path: Path, bad: Bad | None) -> Iterator[tuple[str, Row]]:
    """The rows of a CSV file, all of whose cells are texts; an empty cell is an empty text."""
    csv.field_size_limit(LONGEST_CELL)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    start = _start(path).lstrip()
    if start[:1] == b"{":
        raise DataError(f"{path} is JSON, not CSV", "name it .jsonl if each line is an object, else .json")
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        _check_header(path, reader.fieldnames or [])
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():  # how DictReader marks cells too many and too few
                more = "more" if None in row else "fewer"
                _refuse(path, f"row {number}", f"has {more} cells than the header", bad)
            else:
                yield f"row {number}", row
    except csv.Error as error:
        raise DataError(
            f"{path}, row {number + 1}: not CSV ({said(error)})", "quote cells that contain quotes"
        ) from error


def _check_header(path: Path, names: Sequence[str]) -> None:
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise DataError(f"{path} has two columns {twice[0]!r}", "give each column a name of its own")


def _parquet(path: Path, bad: Bad | None) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read as parquet ({error})", "give a complete parquet file") from error


def _arrow(path: Path, bad: Bad | None) -> Iterator[tuple[str, Row]]:
    """The rows of a stream of record batches, as the datasets library stores them."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            number = 0
            for batch in pa.ipc.open_stream(file):
                for start in range(0, batch.num_rows, PARQUET_ROWS):
                    for row in batch.slice(start, PARQUET_ROWS).to_pylist():
                        number += 1
                        yield f"row {number}", row
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read as an arrow stream ({error})", "save the data set again") from error


def _refuse(path: Path, place: str, reason: str, bad: Bad | None) -> None:
    error = DataError(f"{path}: {place} {reason}", "fix or remove that row")
    if bad is None:
        raise error
    bad(place, error)


def _start(path: Path) -> bytes:
    """The first bytes of a file, without a byte order mark.

    Raises:
        DataError: the file cannot be read, or is of a kind that no text is.
    """
    try:
        with path.open("rb") as handle:
            start = handle.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or said(error)}", "give the path of a file") from error
    for first, kind in KINDS.items():
        if start.startswith(first):
            raise DataError(f"{path} is a {kind} file, not {path.suffix.lstrip('.').upper()}", RENAME)
    return start.removeprefix(b"\xef\xbb\xbf")


def _text(path: Path) -> str:
    _start(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line} is not UTF-8", "save the file as UTF-8") from error


_READERS: dict[str, Callable[[Path, Bad | None], Iterator[tuple[str, Row]]]] = {
    **{".jsonl": _jsonl, ".json": _json, ".csv": _csv},
    **{".tsv": _csv, ".parquet": _parquet, ".arrow": _arrow},
}
