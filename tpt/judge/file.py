"""Judging a JSONL file of solutions: how a user checks the judge against labels they trust."""

import json
from collections import Counter
from itertools import tee
from pathlib import Path
from typing import Any, TextIO

from tpt.errors import DataError
from tpt.files import atomic
from tpt.jsonl import read_rows
from tpt.judge.answer import judge_texts
from tpt.records import Status

COLUMNS = "fix that line, or name the columns of the gold answer and of the completion: --gold-column, --text-column"


def judge_file(
    path: Path, out: Path, gold_column: str = "gold", text_column: str = "completion"
) -> dict[str, Counter[Status]]:
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
    rows, again = tee(read_rows(path, gold_column, text_column, remedy=COLUMNS))
    judgements = judge_texts((_text(row[gold_column]), _text(row[text_column])) for row in rows)
    with atomic(out) as temporary, _open(temporary) as handle:
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


def _text(value: Any) -> str:
    """A column's value as text; a null is no answer, not the word None."""
    return "" if value is None else str(value)


def _open(path: Path) -> TextIO:
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, is written as JSON escapes it.
    return path.open("w", encoding="utf-8", errors="backslashreplace")
