"""Rows of a data set: from the hub, or from local files with the same columns."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt import explain
from tpt.errors import DataError, said
from tpt.jsonl import read_rows
from tpt.tasks import tables
from tpt.tasks.base import DEV, Split
from tpt.tasks.columns import JOIN

TRAIN = "train"
FORMS = "give a file, a folder with train.jsonl and test.jsonl, or a hub id"


def local(path: str, split: Split) -> list[Path]:
    """The local files of a split; none if `path` is a hub id.

    Args:
        path: a hub id, a file, or a folder with `train` and `test` as JSONL, JSON or CSV, or `train*.parquet` and
            `test*.parquet`, the latter also under `data/`, or what `save_to_disk` of the datasets library wrote.
    Raises:
        DataError: `path` is a folder without such files, or looks like a path and does not exist.
    """
    place = Path(path).expanduser()
    if place.is_file():
        return [place]
    if place.is_dir():
        found = of_split(place, split)
        if not found:
            raise DataError(
                f"{place} has none of {split}.jsonl, {split}.json, {split}.csv, {split}.tsv and {split}*.parquet",
                "put the split's problems there",
            )
        return found
    if path.startswith(("/", ".", "~")) or path.endswith(tables.SUFFIXES):
        raise DataError(f"there is no file {path}", FORMS)
    return []


def rows(path: str, split: Split, columns: Sequence[str], subset: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a split, in order, each with these columns (and whatever else there is).

    Raises:
        DataError: the data is not available, is torn, or lacks a column.
    """
    found = local(path, split)
    if not found:
        for row in from_hub(path, split, subset):
            _require(path, columns, list(row))
            yield row
    for file in found:
        if file.suffix == ".jsonl":
            yield from read_rows(file, *columns, remedy=_wanted(columns))
            continue
        for _, row in tables.read(file):
            _require(file, columns, list(row))
            yield row


def place(path: str, split: Split, row: str, subset: str | None = None) -> str:
    """Where a row is, in words.

    Args:
        path: a hub id, a file or a folder.
        row: which one, in words.
    """
    return f"{path} ({' '.join(filter(None, [subset, split]))}), {row}"


@dataclass(frozen=True)
class Source:
    """Where the rows of a set come from: a file, a folder or a hub id with subset, split and revision."""

    path: str
    split: Split
    subset: str = ""
    revision: str = ""

    def read(self, bad: tables.Bad | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows, each with its place.

        Args:
            bad: takes each row that cannot be read; None: the first one raises.

        Raises:
            DataError: the data is not available or no rows at all can be read from it.
        """
        found = local(self.path, self.split)
        for file in found:
            yield from ((f"{file}: {place}", row) for place, row in tables.read(file, bad))
        for subset in [] if found else self.subset.split(JOIN):
            read = from_hub(self.path, self.split, subset.strip() or None, self.revision or None)
            where = f"{self.path} ({' '.join(filter(None, [subset, self.split]))})"
            yield from ((f"{where}: row {number}", row) for number, row in enumerate(read, 1))

    def files(self) -> list[Path]:
        """The local files, those that exist."""
        place = Path(self.path).expanduser()
        return [place] if place.is_file() else of_split(place, self.split) if place.is_dir() else []


def drawn(
    read: Callable[[], Iterator[dict[str, Any]]], size: int | None, seed: int, where: str
) -> Iterator[dict[str, Any]]:
    """`size` rows drawn with `seed`, in their order; all if `size` is None. Reads them twice, keeps none in memory.

    Raises:
        DataError: there are fewer.
    """
    if size is None:
        yield from read()
        return
    count = sum(1 for _ in read())
    if size > count:
        raise DataError(
            f"{where} has only {count} of the {size} requested problems",
            "lower the task's train_size, dev_size or test_size",
        )
    chosen = set(random.Random(seed).sample(range(count), size))
    yield from (row for index, row in enumerate(read()) if index in chosen)


def sets(path: str) -> tuple[Split, ...]:
    """The sets of problems of some data: train and test, and dev if its folder has `dev.jsonl` or the like."""
    return ("train", "test", *([DEV] if of_split(Path(path).expanduser(), DEV) else []))


def files(path: str) -> list[Path]:
    """The existing local files of all sets; none if `path` is a hub id."""
    place = Path(path).expanduser()
    return [place] if place.is_file() else [file for split in sets(path) for file in of_split(place, split)]


def files_of(sources: Iterable[Source]) -> list[Path]:
    """The existing local files of some sources, each once."""
    return list(dict.fromkeys(file for source in sources for file in source.files()))


def of_split(folder: Path, split: Split) -> list[Path]:
    """The files of a split in a folder: one of text, or else parquet or arrow files; none if there are none."""
    names = (folder / f"{split}{suffix}" for suffix in tables.SUFFIXES if suffix not in (".parquet", ".arrow"))
    return [file for file in names if file.is_file()][:1] or _parquets(folder, split) or _arrows(folder, split)


def _parquets(folder: Path, prefix: str) -> list[Path]:
    return sorted([*folder.glob(f"{prefix}*.parquet"), *folder.glob(f"data/{prefix}*.parquet")])


def _arrows(folder: Path, split: Split) -> list[Path]:
    """What `save_to_disk` of the datasets library wrote: of several splits, or of training problems alone."""
    place = folder if split == TRAIN and (folder / "state.json").is_file() else folder / split
    return sorted(place.glob("data-*.arrow"))


def from_hub(
    path: str, split: Split, subset: str | None = None, revision: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a split of a data set of the hub.

    Args:
        path: its hub id.
        subset: its configuration, by the data set's own name.
        revision: a branch, a tag or a commit of it.

    Raises:
        DataError: it cannot be loaded.
    """
    import datasets

    try:
        found = datasets.load_dataset(path, subset, split=split, revision=revision)
    except Exception as error:  # the hub's client raises many kinds of errors for one reason: the data is not available
        refused = explain.named(error, explain.SET_HF_HOME) if isinstance(error, OSError) else None
        if refused:
            raise DataError(f"the data set {path} cannot be stored: {refused.message}", refused.hint) from error
        # A ValueError says which subsets or splits there are.
        why = f": {said(error)}" if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else ""
        raise DataError(
            f"the data set {path} cannot be loaded ({type(error).__name__}{why})",
            "connect to the hub, or give a folder with train.jsonl and test.jsonl: task.path=FOLDER",
        ) from error
    yield from found


def _require(where: object, columns: Sequence[str], there: Sequence[str]) -> None:
    missing = sorted(set(columns) - set(there))
    if missing:
        raise DataError(
            f"{where} has no column {', '.join(missing)}; it has {', '.join(there)}",
            _wanted(columns),
        )


def _wanted(columns: Sequence[str]) -> str:
    return f"the columns of this task's data cannot be renamed: every problem needs {', '.join(columns)}"
