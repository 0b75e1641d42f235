"""Judging a JSONL file of solutions, with which users check the judge against labels they trust."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import Any, TextIO

from tpt.files import atomic
from tpt.jsonl import check_out, numbered_rows, text
from tpt.judges.answer import judge_texts
from tpt.records import Status

GOLD = 'give one text or one number; an answer of several parts is one text, e.g. "1, 2"'
COLUMNS = "fix that line, or name the columns with the gold answer and the completion: --gold-column, --text-column"


def judge_file(
    path: Path, out: Path, gold_column: str = "gold", text_column: str = "completion"
) -> dict[str, Counter[Status]]:
    """Judge every line of a JSONL file and write its columns together with the verdict's.

    The columns written are `status`, `strict`, `lenient`, `rule`, `strict_answer` and `lenient_answer`.

    Returns:
        how many lines have which verdict, for each of `strict` and `lenient`.
    Raises:
        DataError: the file is missing, empty or torn, a line is not a JSON object, or a column is missing or is
            neither a text nor a number. In that case nothing is judged.
        FileError: `out` cannot be written. In that case nothing is judged.
    """
    check_out(out, path)

    def rows() -> Iterator[tuple[dict[str, Any], str, str]]:
        for number, row in numbered_rows(path, gold_column, text_column, remedy=COLUMNS, surrogates=True):
            where = f"{path}: line {number}"
            yield row, text(row, gold_column, where, GOLD), text(row, text_column, where)

    for _ in rows():
        pass  # finds lines that cannot be read before thousands have been judged
    counts: dict[str, Counter[Status]] = {"strict": Counter(), "lenient": Counter()}
    found, again = tee(rows())
    judgements = judge_texts((gold, completion) for _, gold, completion in found)
    with atomic(out) as temporary, _open(temporary) as handle:
        for (row, _, _), judgement in zip(again, judgements, strict=True):
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


def _open(path: Path) -> TextIO:
    # Half of a surrogate pair, possible in JSON but not in UTF-8, is written with JSON's escape.
    return path.open("w", encoding="utf-8", errors="backslashreplace")
