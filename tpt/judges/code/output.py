"""Comparing what a program printed with what was expected, as contests do.

The comparison is by tokens, so trailing spaces and line breaks do not matter; letters may differ in case unless the
task says otherwise; numbers may differ by the problem's tolerance, absolute or relative.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest

DEFAULT_TOLERANCE = 1e-6
_NUMBER = re.compile(rb"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_PIECE = 2**16  # bytes of output to split into tokens at a time: a token takes as much memory as forty bytes
_REST = re.compile(rb"\S*")  # the rest of a token


def same(printed: bytes, expected: bytes, tolerance: float | None = None, case_sensitive: bool = False) -> bool:
    """Whether an output is the expected one.

    Args:
        tolerance: by how much numbers may differ; 0 for not at all. None if the problem does not say: then expected
            numbers with a decimal point may differ by `DEFAULT_TOLERANCE`, and whole numbers not at all.
        case_sensitive: whether `Yes` differs from `YES`.
    """
    if printed == expected:
        return True
    pairs = zip_longest(_tokens(printed, case_sensitive), _tokens(expected, case_sensitive))
    return all(mine == theirs or _near(mine, theirs, tolerance) for mine, theirs in pairs)


def _tokens(text: bytes, case_sensitive: bool) -> Iterator[bytes]:
    at = 0
    while at < len(text):
        end = min(at + _PIECE, len(text))
        end = _REST.match(text, end).end()  # type: ignore[union-attr]  # it also matches the empty string
        piece = text[at:end]
        yield from (piece if case_sensitive else piece.lower()).split()
        at = end


def _near(mine: bytes | None, theirs: bytes | None, tolerance: float | None) -> bool:
    """Whether two different tokens are numbers that are close enough; None stands for the end of an output."""
    if tolerance == 0 or not (mine and theirs and _NUMBER.fullmatch(theirs) and _NUMBER.fullmatch(mine)):
        return False
    if tolerance is None:
        if b"." not in theirs:
            return False
        tolerance = DEFAULT_TOLERANCE
    one, other = float(mine), float(theirs)
    return abs(one - other) <= tolerance * max(1.0, abs(other))
