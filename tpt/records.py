"""What passes between the stages, and how it is stored in parquet files.

A table is a folder of shards `<name>-00000.parquet`; each shard is written completely or not at all. Arrow is imported
in the functions that use it, so that whatever only names a record, as `tpt status` does, starts without it.
"""

import dataclasses
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, islice, repeat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tpt import artefacts, files

if TYPE_CHECKING:
    import pyarrow as pa

# How a completion ended: by an end token, before a stop string, or because it was cut off.
STOP, STOP_STRING, LENGTH = "stop", "stop_string", "length"
ENDED = (STOP, STOP_STRING)  # either way with an end token

ROWS_PER_BATCH = 1024  # of a row group, the unit that is held in memory


class Status(StrEnum):
    """What a judge can say about a sample. Only CORRECT ever counts as correct."""

    CORRECT = "correct"
    PARTIAL = "partial"  # some tests passed, or right by the lenient reader only
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    GOLD_UNREADABLE = "gold_unreadable"  # the data is at fault, not the sample
    JUDGE_ERROR = "judge_error"


def overall(strict: Status, lenient: Status) -> Status:
    """What both readers say together: PARTIAL if only the lenient one says CORRECT; else what the lenient one says."""
    if strict is Status.CORRECT:
        return Status.CORRECT
    return Status.PARTIAL if lenient is Status.CORRECT else lenient


@dataclass(slots=True)
class Problem:
    """A question, with everything needed to judge a solution.

    Attributes:
        id: unique in its split, e.g. `word_problems/train/17`.
        question: the text shown to the model.
        gold: the answer, as given in the data set.
        solution: the data set's own worked solution, usable as a completion as it is; "" if there is none.
        meta: what else the task needs, as JSON text.
    """

    id: str
    question: str
    gold: str
    solution: str = ""
    meta: str = "{}"


@dataclass(slots=True)
class Sample:
    """One solution that a model wrote to one problem.

    Attributes:
        problem_id: `Problem.id`.
        index: 0 .. n-1 within the problem.
        prompt_ids: token ids of the rendered prompt.
        completion_ids: token ids as sampled, with the end token if `finish_reason` is "stop". If it is "stop_string":
            those before the stop string, and then an end token, which was not sampled.
        text: the decoded completion without special tokens; it begins with the tag that opens thinking if the prompt
            ended with that tag.
        finish_reason: "stop", "stop_string", or "length" if the sample was cut off.
    """

    problem_id: str
    index: int
    prompt_ids: list[int]
    completion_ids: list[int]
    text: str
    finish_reason: str


@dataclass(slots=True)
class Verdict:
    """What the judge said about a sample.

    Attributes:
        status: the overall verdict, see `overall`.
        strict: the verdict of the strict reader (the paper's reading).
        lenient: the verdict of the lenient reader.
        rule: the lenient reader's rule that decided, e.g. `hash_marks`, `boxed`, `last_number`.
        strict_answer: what the strict reader read ("" if nothing).
        lenient_answer: what the lenient reader read ("" if nothing).
        passed: tests passed (1 or 0 for tasks without tests).
        total: tests run.
        reason: free text: why, if the status alone does not say.
        kind: what went wrong in the first failing test, see `judges.code.spec.Kind`; "" for tasks without tests.
        first_failed: number of the first failing test, from 1; 0 if none fails.
    """

    problem_id: str
    index: int
    status: Status
    strict: Status
    lenient: Status
    rule: str = ""
    strict_answer: str = ""
    lenient_answer: str = ""
    passed: int = 0
    total: int = 1
    reason: str = ""
    kind: str = ""
    first_failed: int = 0


@dataclass(slots=True)
class Example:
    """A prompt and the completion to train on.

    Attributes:
        problem_id: `Problem.id`.
        source: where the completion comes from: `self`, `human` or `run`.
        round: the round that produced it (1, 2, ...).
        prompt_ids: token ids that are not trained on.
        completion_ids: token ids that are trained on, including the end token.
        text: the completion as text.
    """

    problem_id: str
    source: str
    round: int
    prompt_ids: list[int]
    completion_ids: list[int]
    text: str


LIGHT = ("problem_id", "index", "text", "finish_reason")  # all columns of a sample except its tokens

Record = TypeVar("Record", Problem, Sample, Verdict, Example)

_EMPTY: dict[Any, Any] = {str: "", int: 0, list[int]: [], Status: Status.JUDGE_ERROR}
_STATUS = {str(status): status for status in Status}


def schema(kind: type[Any]) -> "pa.Schema":
    """The parquet schema of a record class: one column per field, none of them nullable."""
    import pyarrow as pa

    arrow: dict[Any, Any] = {str: pa.string(), int: pa.int64(), list[int]: pa.list_(pa.int32()), Status: pa.string()}
    return pa.schema([pa.field(f.name, arrow[f.type], nullable=False) for f in dataclasses.fields(kind)])


def write(path: Path, kind: type[Record], records: Iterable[Record]) -> int:
    """Write records to one parquet file, atomically and in bounded memory.

    Returns:
        the number of rows.
    Raises:
        DiskFull: the disk is full; `path` is untouched.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    table_schema = schema(kind)
    values = attrgetter(*table_schema.names)
    remaining = iter(records)
    with files.atomic(path) as temporary, pq.ParquetWriter(temporary, table_schema, compression="zstd") as writer:
        while batch := [values(record) for record in islice(remaining, ROWS_PER_BATCH)]:
            columns = zip(*batch, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, table_schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=table_schema))
            rows += len(batch)
    return rows


def read(
    paths: Path | Sequence[Path],
    kind: type[Record],
    columns: Sequence[str] | None = None,
    problem_ids: Collection[str] | None = None,
) -> Iterator[Record]:
    """The records of one or several parquet files, in order, in bounded memory.

    Args:
        columns: read only these; the other fields are empty (0, "", []).
        problem_ids: only the records of these problems, selected before objects are created.

    Raises:
        Damaged: a file is missing or torn, or has other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table_schema = schema(kind)
    wanted: Any = None if problem_ids is None else pa.array(problem_ids, pa.string())
    names: list[str] = list(columns or table_schema.names)
    needed = [table_schema.field(name) for name in {*names, *(() if wanted is None else ("problem_id",))}]
    for path in [paths] if isinstance(paths, Path) else paths:
        with readable(path), pq.ParquetFile(path) as file:
            _check(path, file.schema_arrow, needed)
            # Without threads: decoding this few rows takes less time than handing them to one.
            for batch in file.iter_batches(ROWS_PER_BATCH, columns=names, use_threads=False):
                asked = batch if wanted is None else batch.filter(_is_in(batch["problem_id"], wanted))
                yield from _objects(asked, kind)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what arrow raises about a parquet file in the block into an error that names the file.

    Raises:
        Damaged: instead of arrow's error.
    """
    import pyarrow as pa

    with files.reading(path, files.AGAIN, pa.ArrowException):
        yield


def read_columns(path: Path, columns: "Sequence[pa.Field]", optional: "Sequence[pa.Field]" = ()) -> "pa.Table":
    """Some columns of a parquet file, and those of the optional ones that it has.

    Raises:
        Damaged: the file is missing or torn, or lacks one of the columns.
    """
    import pyarrow.parquet as pq

    with readable(path), pq.ParquetFile(path) as file:
        wanted = [*columns, *(field for field in optional if field.name in file.schema_arrow.names)]
        _check(path, file.schema_arrow, wanted)
        return file.read([field.name for field in wanted])


def count(path: Path) -> int:
    """How many rows a parquet file has.

    Raises:
        Damaged: the file is missing or torn.
    """
    import pyarrow.parquet as pq

    with readable(path):
        return int(pq.read_metadata(path).num_rows)


def _is_in(column: "pa.Array", wanted: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc  # slow to import even with arrow there, and few commands pick rows

    return pc.is_in(column, wanted)


def _check(path: Path, found: "pa.Schema", needed: "Iterable[pa.Field]") -> None:
    lacks = [one.name for one in needed if one.name not in found.names or found.field(one.name).type != one.type]
    if lacks:
        raise files.damaged(path, f"has missing or invalid columns: {', '.join(sorted(lacks))}")


def _objects(batch: "pa.RecordBatch", kind: type[Record]) -> Iterator[Record]:
    """The rows of a batch as records; a field without a column is empty."""
    if not batch.num_rows:
        return iter(())
    values: list[Iterable[Any]] = []
    for field in dataclasses.fields(kind):
        if field.name not in batch.schema.names:
            values.append(repeat(_EMPTY[field.type]))
        elif field.type is Status:
            values.append(map(_STATUS.__getitem__, batch[field.name].to_pylist()))
        else:
            values.append(batch[field.name].to_pylist())
    return map(kind, *values)


class Rows:
    """Random access to the rows of one parquet file; reads only the row groups that are needed.

    Args:
        path: the file.
        columns: the columns that `rows[number]` gives, in this order.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, list(columns)
        self._ends: list[int] = []  # for each row group, the number of the first row after it
        self._group = -1
        self._table: pa.Table = None  # of row group `_group`

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        import pyarrow.parquet as pq

        if not self._ends:
            with readable(self._path):
                metadata = pq.read_metadata(self._path)
            groups = range(metadata.num_row_groups)
            self._ends = list(accumulate(metadata.row_group(group).num_rows for group in groups))
        group = bisect_right(self._ends, row)
        if group != self._group:
            with readable(self._path), pq.ParquetFile(self._path) as file:
                self._table, self._group = file.read_row_group(group, columns=self._columns), group
        place = row - (self._ends[group - 1] if group else 0)
        return tuple(self._table[name][place].as_py() for name in self._columns)


def shard_path(folder: Path, name: str, number: int) -> Path:
    """The path of shard `number` of the table `name`."""
    return folder / artefacts.shard(name, number)


def shards(folder: Path, name: str) -> list[Path]:
    """The existing shards of a table, in order."""
    return sorted(folder.glob(artefacts.shards(name)))


def is_whole(path: Path) -> bool:
    """Whether a parquet file exists and is complete: its footer, which is written last, can be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True
