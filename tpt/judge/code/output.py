"""Comparing what a program printed with what was expected, as contests do.

By tokens, so that neither trailing space nor the breaks between lines count; letters may differ in case unless the
task says otherwise; numbers may differ by the problem's tolerance, absolutely or relatively.
"""

import re

DEFAULT_TOLERANCE = 1e-6
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def same(printed: bytes, expected: bytes, tolerance: float | None = None, case_sensitive: bool = False) -> bool:
    """Whether an output is the expected one.

    Args:
        tolerance: by how much any number may differ. None: the problem says nothing; then numbers that are expected
            with a decimal point may differ by `DEFAULT_TOLERANCE`, and whole numbers not at all. 0: not at all.
        case_sensitive: whether `Yes` differs from `YES`.
    """
    if printed == expected:
        return True
    mine, theirs = printed.split(), expected.split()
    if len(mine) != len(theirs):
        return False
    if not case_sensitive:
        mine, theirs = [one.lower() for one in mine], [one.lower() for one in theirs]
    if mine == theirs:
        return True
    pairs = (pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1])
    return tolerance != 0 and all(_near(one, other, tolerance) for one, other in pairs)


def _near(mine: bytes, theirs: bytes, tolerance: float | None) -> bool:
    if not (_NUMBER.fullmatch(mine) and _NUMBER.fullmatch(theirs)):
        return False
    if tolerance is None:
        if b"." not in theirs:
            return False
        tolerance = DEFAULT_TOLERANCE
    one, other = float(mine), float(theirs)
    return abs(one - other) <= tolerance * max(1.0, abs(other))
