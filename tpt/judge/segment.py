"""The number that a marked piece of text names: `$18 per day`, `9 * 2 = 18`, `After 3 weeks: **18** eggs`.

None where it names no number plainly: an expression (`4\\pi`, `2x`), several answers (`5 or 6`), a time (`10:30`).
"""

import re
from fractions import Fraction

from tpt.judge import numbers

EDGES = " *_$:[](){}<>,\"'•~≈"
_LABEL = re.compile(
    r"^\W*(?:final\s+)?(?:answer|total|result)\b\s*(?:is\b|:|=|[-\u2013\u2014]{1,2}(?=\s|\d))?\s*", re.I
)
_ARROW = re.compile(r"^\s*(?:[-=]>|→|⇒)\s*|^\s*(?=minus|negative)", re.I)
_MINUS = re.compile(r"^(?:minus|negative)\s+(?=[$€£]?\d)", re.I)
_REMARK = re.compile(r"\s\((?!-?\d+\))[^()]{0,200}\)\W{0,9}$")  # `50 (= 40 + 10)`
_OPTION = re.compile(r"^\(?[A-J]\)\s*(?=\S)")  # `(D) 5`
_BOLD = re.compile(r"\*\*([^*\n]{0,80}\d[^*\n]{0,80})\*\*")
_EQUALS = re.compile(r"[=≈](?!>)")
_AFTER_COLON = re.compile(r"^.*[A-Za-z)]\s?:(?=\s*[-$€£]?\s?\d)")
_WORD = re.compile(r"[A-Za-z]{2}")
_FUNCTION = re.compile(r"\b(?:sin|cos|tan|log|ln|sqrt|exp|pi)\b")
_OPERATORS = re.compile(r"[\\^_*/+=<>()\[\]{}|√π!]|\d")
_VARIABLE = re.compile(r"[a-zπ](?![a-zA-Z])")
_UNITS = frozenset("mghsl")
_PER = ("(", "[", "/ ", "/d", "/h", "/m", "/w", "/y", "/p", "/e", "=>", "<", "** ")
_ANOTHER = re.compile(r"\s*(?:,|;|\bor\b|\band\b)\s*[-$€£]?\s?\d[\d.,/]*\W*$")


def bare(segment: str) -> str:
    """A marked piece of text without its label ("Answer:"), its dress and its brackets; "" if nothing is left."""
    if segment.isdecimal():
        return segment
    text = _LABEL.sub("", _ARROW.sub("", numbers.clean(segment)))
    return _MINUS.sub("-", _trim(_REMARK.sub("", text)))


def plain_number(segment: str) -> Fraction | None:
    """The number that a piece of text names, behind its last equals sign, or before its first."""
    if segment.isdecimal():
        return numbers.parse(segment)
    bold = _BOLD.findall(segment)
    if len(bold) == 1 and _WORD.match(segment.lstrip(" #")):  # "She makes **$18** in 9 days"
        segment = bold[0]
    text = _OPTION.sub("", bare(segment))
    if not _EQUALS.search(text):
        return _one_side(text)
    sides = [_trim(side) for side in _EQUALS.split(text)]
    number = _one_side(sides[-1])
    begins = numbers.NUMBER.match(sides[0])
    return _one_side(sides[0]) if number is None and begins else number  # "50 apples = 40 + 10"


def _one_side(text: str) -> Fraction | None:
    whole = numbers.parse(text)
    if whole is not None:
        return whole
    match = numbers.NUMBER.search(text)
    if match is None or "\\" in text[: match.start()]:
        return None
    if not _WORD.search(text[: match.start()]):
        return _followed_by_words(text, match)
    return _behind_words(text)


def _behind_words(text: str) -> Fraction | None:
    """The number behind a colon ("Total after 3 weeks: 20"), else the last one ("After 3 weeks he has $20")."""
    if colon := _AFTER_COLON.match(text):
        text = text[colon.end() :]
        match = numbers.NUMBER.search(text)
        return _followed_by_words(text, match) if match else None
    found = list(numbers.IN_TEXT.finditer(text))
    if not found or _FUNCTION.search(text) or is_part_of_expression(text, found[-1]):
        return None
    return numbers.parse_in_text(found[-1][0])


def _followed_by_words(text: str, match: "re.Match[str]") -> Fraction | None:
    """The number at the head of a text, if what follows is words or units and no more of an expression."""
    if _OPERATORS.search(text[: match.start()]) or _ANOTHER.match(text, match.end()):
        return None
    rest = text[match.end() :].strip(" $")
    glued = text[match.end() : match.end() + 1] != " "
    if glued and _VARIABLE.match(rest) and rest[0] not in _UNITS:
        return None
    if _OPERATORS.match(rest) and not rest.startswith(_PER):
        return None
    if rest.startswith(("-", ":", ",")) and rest[1:2].isdigit():
        return None
    return numbers.value(match)


def is_part_of_expression(text: str, match: "re.Match[str]") -> bool:
    """Whether a number found in running text is an exponent, an index or a factor: `x^2`, `x_2`, `2x`, `4\\pi`."""
    before, after = text[max(0, match.start() - 2) : match.start()], text[match.end() : match.end() + 8].lstrip(" ")
    if before.endswith(("^", "_", "^{", "_{", "^-", "√")):
        return True
    if after.startswith(("\\pi", "\\sqrt", "\\cdot", "\\times", "π", "√", "^")):
        return True
    return text[match.end() : match.end() + 1] == after[:1] and bool(_VARIABLE.match(after)) and after[0] not in _UNITS


def _trim(text: str) -> str:
    return text.strip().rstrip("." + EDGES + "。").lstrip(EDGES)
