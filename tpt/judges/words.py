"""Numbers in words: `twelve`, `forty-two`, `one hundred and five`, `two thousand three hundred`, `two thirds`."""

import re
from fractions import Fraction

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: number for number, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "twelfth": 12, "twentieth": 20, "hundredth": 100,
}  # fmt: skip
_WORD = re.compile(r"\s*-?\s*([A-Za-z]+)")
_BEGINS = re.compile(rf"(?:{'|'.join([*_SMALL, 'an?(?= +(?:hundred|thousand|million|dozen))'])})(?![a-z])", re.I)
IN_TEXT = re.compile(rf"\b(?:{'|'.join([*_SMALL, *_PARTS])})\b", re.I)


def parse_prefix(text: str, start: int = 0) -> tuple[Fraction, int] | None:
    """The number in words that begins at a position in a text, and where it ends; None if there is none.

    A word that cannot continue the number ends it: `twelve twelve` gives the first twelve.
    """
    if not _BEGINS.match(text, start):
        return _part(text, start, 1, counted=False)
    total = group = 0
    room = 10**12  # what follows must be smaller: "twenty one", not "one twenty"
    end = start
    while word := _WORD.match(text, end):
        name = word[1].lower()
        if name == "and" and total + group and _adds(text, word.end()):
            end = word.end()
            continue
        if name in ("a", "an") and end == start:
            group = 1
        elif name in _SMALL and _SMALL[name] < room:
            group += _SMALL[name]
            room = 10 if _SMALL[name] >= 20 else 1
        elif name == "hundred" and 0 < group < 100:
            group, room = group * 100, 100
        elif name in _LARGE and 0 < group < 1000:
            total, group, room = total + group * _LARGE[name], 0, 1000
        else:
            break
        end = word.end()
    number = total + group
    return _part(text, end, number) or (Fraction(number), end)


def _adds(text: str, place: int) -> bool:
    """Whether a number below a hundred follows, as after the "and" in `one hundred and five`."""
    word = _WORD.match(text, place)
    return word is not None and word[1].lower() in _SMALL


def _part(text: str, place: int, count: int, counted: bool = True) -> tuple[Fraction, int] | None:
    """A fraction: `half`, `a third`, and, after a count, `two thirds`; `third` alone is an ordinal."""
    word = _WORD.match(text, place)
    if word and word[1].lower() in ("a", "an", "one"):
        word, counted = _WORD.match(text, word.end()), True
    if word is None:
        return None
    name = word[1].lower()
    size = _PARTS.get(name) or _PARTS.get(name.removesuffix("s"))
    return (Fraction(count, size), word.end()) if size and (counted or name == "half") else None
