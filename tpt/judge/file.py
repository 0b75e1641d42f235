"""Judging a JSONL file of solutions: how a user checks the judge against labels they trust."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import Any

from tpt.errors import DataError
from tpt.files import atomic
from tpt.judge.answer import judge_texts
from tpt.records import Status


def judge_file(path: Path, out: Path, gold_column: str = "gold", text_column: str = "completion") -> dict[str, Counter[Status]]:
    """Judge every line of a JSONL file and write its columns with the verdict's beside them.

    The columns written are `status`, `strict`, `lenient`, `rule`, `strict_answer` and `lenient_answer`.

    Returns:
        how many lines have which verdict, for each of `strict` and `lenient`.
    Raises:
        DataError: the file is missing, empty or torn, a line is not a JSON object, or a column is missing. `out` is
            then not written.
    """
    if out.exists() and path.exists() and out.samefile(path):
        raise DataError(f"--out is the input file {path}", "name another file: the input is not written over")
    counts: dict[str, Counter[Status]] = {"strict": Counter(), "lenient": Counter()}
    rows, again = tee(read_rows(path, gold_column, text_column))
    judgements = judge_texts((str(row[gold_column]), str(row[text_column])) for row in rows)
    with atomic(out) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for row, judgement in zip(again, judgements, strict=True):
            columns = {
                "status": judgement.status,
                "strict": judgement.strict,
                "lenient": judgement.lenient,
                "rule": judgement.rule,
                "strict_answer": judgement.strict_answer,
                "lenient_answer": judgement.lenient_answer,
            }
            handle.write(json.dumps(row | columns, ensure_ascii=False) + "\n")
            counts["strict"][judgement.strict] += 1
            counts["lenient"][judgement.lenient] += 1
    return counts


def read_rows(path: Path, *columns: str) -> Iterator[dict[str, Any]]:
    """The rows of a user's JSONL file, each with these columns.

    Raises:
        DataError: naming the line and what is wrong with it.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}", "give the path of a JSONL file")
    number = 0
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                torn = not line.endswith("\n")
                what = "is torn: the file ends in the middle of it" if torn else f"is not JSON ({error.msg})"
                raise DataError(f"{path}: line {number} {what}", "mend or remove that line") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}: line {number} is not a JSON object", "each line must be one {...}")
            missing = [column for column in columns if column not in row]
            if missing:
                raise DataError(
                    f"{path}: line {number} has no column {', '.join(map(repr, missing))}; it has {', '.join(row)}",
                    "name the columns that hold the gold answer and the text, or mend the file",
                )
            yield row
    if not number:
        raise DataError(f"{path} is empty", "give a file with at least one line")
