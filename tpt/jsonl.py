"""Reading a user's JSONL file, line by line, with errors that name the line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tpt.errors import DataError


def read_rows(path: Path, *columns: str, remedy: str) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file, each with these columns.

    Args:
        remedy: the hint where a column is missing: what whoever asked for it can do.

    Raises:
        DataError: the file is missing, empty or torn, a line is not a JSON object, or a column is missing.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}", "give the path of a JSONL file")
    number = 0
    with path.open("rb") as handle:
        for number, raw in enumerate(handle, 1):
            try:
                line = raw.decode("utf-8")
                row = json.loads(line)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: line {number} is not UTF-8", "save the file as UTF-8") from error
            except json.JSONDecodeError as error:
                torn = not line.endswith("\n")
                what = "is torn: the file ends in the middle of it" if torn else f"is not JSON ({error.msg})"
                raise DataError(f"{path}: line {number} {what}", "fix or remove that line") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}: line {number} is not a JSON object", "each line must be one {...}")
            missing = [column for column in columns if column not in row]
            if missing:
                raise DataError(
                    f"{path}: line {number} has no column {', '.join(map(repr, missing))}; it has {', '.join(row)}",
                    remedy,
                )
            yield row
    if not number:
        raise DataError(f"{path} is empty", "give a file with at least one line")
