"""The steps of a solution: as texts, and as places between its tokens at which it can be cut."""

import re
from collections.abc import Callable, Sequence

UNITS = ("lines", "sentences", "tokens")

_ENDS = {"lines": re.compile(r"\n\s*"), "sentences": re.compile(r"(?<=[.!?])\s+|\n\s*")}


def steps(text: str, unit: str = "sentences") -> list[str]:
    """The steps of a text, without empty ones; spacing is reduced to single spaces.

    Args:
        unit: `lines`, or `sentences`, which are parts of lines. (Of a text, the finest steps are sentences.)
    """
    found = _ENDS["lines" if unit == "lines" else "sentences"].split(text)
    return [" ".join(step.split()) for step in found if step.strip()]


def step_ends(ids: Sequence[int], decode: Callable[[list[int]], str], unit: str) -> list[int]:
    """After how many tokens each step of a completion ends; the last number is that of all its tokens.

    A token belongs to the step in which it begins. A line break belongs to the step that it ends, other
    spacing to the step that follows, as in the vocabularies of most models.

    Args:
        ids: of the completion, with its end token if it has one, which belongs to the last step.
        decode: turns ids into text, without the end token.
        unit: one of `UNITS`.
    """
    if unit == "tokens":
        return list(range(1, len(ids) + 1))
    begins = _begins(ids, decode)
    text = decode(list(ids))
    found: list[int] = []
    for boundary in _boundaries(text, unit):
        end = next((place for place, begin in enumerate(begins) if begin >= boundary), len(ids))
        if end > (found[-1] if found else 0):
            found.append(end)
    return [*(end for end in found if end < len(ids)), len(ids)] if ids else []


def _begins(ids: Sequence[int], decode: Callable[[list[int]], str]) -> list[int]:
    """The place in the text at which each token begins; it never goes back, even within a character of many tokens."""
    found: list[int] = []
    for count in range(len(ids)):
        found.append(max(len(decode(list(ids[:count]))), found[-1] if found else 0))
    return found


def _boundaries(text: str, unit: str) -> list[int]:
    """The places in a text at which a step ends that has something in it, and another one follows."""
    found, start = [], 0
    for match in _ENDS[unit].finditer(text):
        if text[start : match.start()].strip() and text[match.end() :].strip():
            start = match.start() + match[0].rfind("\n") + 1  # of a space: where it begins
            found.append(start)
    return found
