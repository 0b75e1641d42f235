"""Figures that other programs have measured: read from their JSON, with the intervals that they allow."""

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tpt.artefacts import Measurement
from tpt.errors import CommandError, said
from tpt.evaluate.intervals import Interval, counted_interval, normal_interval

SHOWN = 8  # keys that a message names


def figures(
    key: str, path: Path, paths: Mapping[str, str], errors: Mapping[str, str], counts: Mapping[str, str]
) -> dict[str, Measurement]:
    """The figures in a JSON file.

    Args:
        key: of the command that wrote it, e.g. `commands.ifeval`.
        paths: where each figure is, as a dotted path.
        errors, counts: where the standard error of a figure is, and of how many outcomes it is a share.

    Returns:
        the measurement of each figure, by its name.

    Raises:
        CommandError: the file is no JSON, or a figure is not there, or no number.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(
            f"{key}: {path} is no JSON: {said(error)}", "the command must write JSON to {out}"
        ) from error
    return {name: _measurement(key, path, found, name, where, errors, counts) for name, where in paths.items()}


def _measurement(
    key: str,
    path: Path,
    found: Any,
    name: str,
    where: str,
    errors: Mapping[str, str],
    counts: Mapping[str, str],
) -> Measurement:
    there = list(at(found, where))
    if not there:
        numbers = [one for one, value in leaves(found) if _is_number(value)]
        near = difflib.get_close_matches(where, numbers, n=SHOWN, cutoff=0.0)
        raise CommandError(
            f"{key}.figures: {path.name} has no {where}",
            f"the numbers in it, nearest first: {', '.join(near)}" if near else f"there are no numbers in {path}",
        )
    if not _is_number(there[0]):
        raise CommandError(
            f"{key}.figures: {where} in {path.name} is {json.dumps(there[0])[:80]}, and not a number",
            f"give the path of a number: {key}.figures.NAME=PATH",
        )
    value = float(there[0])
    count = _optional(found, counts.get(name))
    if count is not None and not (0 <= value <= 1 and count >= 1):
        raise CommandError(
            f"{key}.counts: {where} is {value:g} of {count:g} outcomes, which is no share of them",
            f"a share is between 0 and 1; leave {key}.counts out for other figures",
        )
    return {"value": value, "error": _optional(found, errors.get(name)), "count": None if count is None else int(count)}


def _optional(found: Any, where: str | None) -> float | None:
    """A number that may be missing, as where a program says N/A for a standard error."""
    there = list(at(found, where)) if where else []
    return float(there[0]) if there and _is_number(there[0]) and there[0] >= 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def at(found: Any, where: str) -> Iterator[Any]:
    """What is at a dotted path, whose keys may contain dots themselves; numbers count the elements of a list."""
    keyed = {str(number): one for number, one in enumerate(found)} if isinstance(found, list) else found
    if not isinstance(keyed, dict):
        return
    for name, value in keyed.items():
        if name == where:
            yield value
        elif where.startswith(f"{name}."):
            yield from at(value, where.removeprefix(f"{name}."))


def leaves(found: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values in nested objects and lists, each with its dotted path."""
    if isinstance(found, dict | list):
        for name, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from leaves(value, f"{prefix}{name}.")
    else:
        yield prefix.removesuffix("."), found


def interval(one: Measurement, confidence: float) -> Interval | None:
    """The interval of a figure: from its standard error, or else its count.

    Args:
        confidence: e.g. 0.95.

    Returns:
        None if the program gave neither. A standard error of 0 is none: it comes of outcomes that are all alike, which
        other questions need not have.
    """
    if one["error"]:
        return normal_interval(one["value"], one["error"], confidence)
    if one["count"] is not None:
        return counted_interval(one["value"], one["count"], confidence)
    return None
