"""What a setting such as `task.question=example.text` names in a row: a column, or a dotted path into a nested one."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from tpt.tasks.tables import Row

LONGEST = 1_000_000  # characters of a text: more than the context of any model holds
JOIN = "+"  # between the names of several columns


class BadRow(ValueError):
    """What is wrong with a row, in words that follow its place: `has no gold answer`."""


def has(row: Row, name: str) -> bool:
    """Whether a row has a column, each of several joined by `+`, or something at a dotted path."""
    try:
        at(row, name)
    except KeyError:
        return False
    return True


def at(row: Row, name: str) -> Any:
    """What a row has under a name: a column of that name, else what several columns hold, else a dotted path.

    Returns:
        the value; for several columns joined by `+` the list of theirs.
    Raises:
        KeyError: there is nothing under it.
    """
    if name in row:
        return row[name]
    if JOIN in name:
        return [at(row, one.strip()) for one in name.split(JOIN)]
    found: Any = row
    for part in name.split("."):
        if isinstance(found, list | tuple) and part.lstrip("-").isdigit() and -len(found) <= int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict) and part in found:
            found = found[part]
        else:
            raise KeyError(name)
    return found


def names(row: Row) -> list[str]:
    """What can be named in a row: its columns, and the paths into those that are objects."""
    found = []
    for name, value in row.items():
        found += [name, *(f"{name}.{one}" for one in names(value))] if isinstance(value, dict) else [name]
    return found


def nearest_first(name: str, known: Iterable[str]) -> str:
    """Known names, those most like `name` first, as a list in words; at most twenty."""
    ranked = sorted(known, key=lambda one: -difflib.SequenceMatcher(None, name.casefold(), one.casefold()).ratio())
    return ", ".join(ranked[:20]) + (f" and {len(ranked) - 20} more" if len(ranked) > 20 else "")


def text(value: Any, what: str) -> str:
    """A value as a text; a whole number without decimals.

    Args:
        what: what the value is, for messages: `question`.

    Raises:
        BadRow: it is empty, too long, or neither a text nor a number.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value == int(value) else str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return text(" ".join(value), what)  # several columns, or a text in pieces
    if not isinstance(value, str):
        raise BadRow(f"has no text as its {what}, but {value!r:.60}")
    if not value.strip():
        raise BadRow(f"has no {what}")
    if len(value) > LONGEST:
        raise BadRow(f"has a {what} of {len(value):,} characters; at most {LONGEST:,} are read")
    return value.strip()


def texts(value: Any, what: str) -> list[str]:
    """The texts in a list of choices, whose last ones may be missing where other rows have more.

    Raises:
        BadRow: it is no list, or a choice before the last one is missing.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise BadRow(f"has no list as its {what}, but {value!r:.60}")
    found = list(value)
    while found and (found[-1] is None or found[-1] == ""):
        found.pop()
    return [text(one, f"choice {number}") for number, one in enumerate(found, 1)]
