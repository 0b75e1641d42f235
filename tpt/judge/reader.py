"""The lenient reader: where in a completion its answer stands, and which rule says so.

Of these, the first that is there counts:
    hash_marks   what follows the last `####` with an answer behind it
    boxed        the last \\boxed{...}, or, where it comes later:
    answer_is    what follows the last "answer is", "answer:", ...
    whole_text   all of the text, where it is a number or a short formula
    last_number  the last number in the text
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from tpt.judge import numbers
from tpt.judge import segment as segments
from tpt.judge.symbolic import is_formula

SHORT = 300  # characters of a text that can be an expression as a whole
TAIL = 400  # characters from the end in which the last number is looked for first
READ = 20_000  # characters from the end that the lenient reader looks at

_MARK = re.compile(r"####+[^\S\n]*\n?([^\n]*)")
_HEADING = re.compile(
    r"\W*(?:step|part|case|option|method|section|question|problem|solution|example)\b|\W*\d+[.):]\s+\S", re.I
)
ANSWER_IS = re.compile(r"\banswer(?:\s+is|\s*[:=])[:=\s]*(?=([^\n]{1,300}))", re.I)
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_OPERATORS = re.compile(r"[\\^*/+=<>()\[\]{}|√π!]|\d")


@dataclass(slots=True)
class Candidate:
    """An answer as the lenient reader found it: its text, and the number it is, if it is plainly one."""

    rule: str
    text: str
    number: Fraction | None


def find(text: str, *, numeric: bool) -> Candidate | None:
    """The lenient reader's answer in a text; `numeric`: the gold answer is a number."""
    text = text[-READ:]
    for match in reversed(list(_MARK.finditer(text))):
        if not _HEADING.match(match[1]) and (found := _candidate("hash_marks", match[1], numeric)):
            return found
    # Of a box and a stated answer the later one counts; a box in a stated answer is the later one.
    boxed, box_at = last_boxed(text)
    stated = list(ANSWER_IS.finditer(text))
    ends = [(box_at, "boxed", boxed)] if boxed else []
    ends += [(stated[-1].start(), "answer_is", stated[-1][1])] if stated else []
    for _, rule, segment in sorted(ends, reverse=True):
        if found := _candidate(rule, segment, numeric):
            return found
    stripped = text.strip()
    if len(stripped) <= SHORT and "\n" not in stripped:
        formula = _OPERATORS.search(stripped) is not None and is_formula(segments.bare(stripped))
        number = segments.plain_number(stripped.lstrip("#")) if formula else numbers.parse(stripped)
        if number is not None or not numeric or formula:
            return Candidate("whole_text", stripped, number) if stripped else None
    if not numeric:
        return Candidate("whole_text", stripped, None) if stripped else None
    tail = text[-TAIL:]  # nearly always enough, and a long text costs
    enough = len(tail) < len(text) and any(c.isdecimal() for c in tail[TAIL // 2 :])
    return _last_number(numbers.clean(tail if enough else text))


def _candidate(rule: str, segment: str, numeric: bool) -> Candidate | None:
    """A marked segment as an answer: a number where it plainly is one, else an expression; None if it is neither."""
    segment = segment.strip() if rule == "boxed" else segment.rstrip("! ").strip()  # "18!" is glad, not 18 factorial
    bare = segments.bare(segment)
    if not bare:
        return None
    if not numeric:
        return Candidate(rule, segment.strip(" *."), None)
    number = segments.plain_number(segment)
    if number is None and rule == "answer_is" and " is " in bare:  # "the answer is that the largest is 18"
        number = segments.plain_number(bare.rsplit(" is ", 1)[1])
    if number is not None:
        return Candidate(rule, segment, number)
    return Candidate(rule, segment, None) if any(c.isdigit() for c in bare) else None


def last_boxed(text: str) -> tuple[str, int]:
    """What stands in the last \\boxed{...}, its braces balanced ("" if there is none), and where it begins."""
    opened = list(BOXED.finditer(text))
    if not opened:
        return "", -1
    start, depth = opened[-1].end(), 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return text[start:position], start
    return "", -1


def _last_number(text: str) -> Candidate | None:
    """The last number of a text; where it is only a part of an expression, that expression."""
    found = list(numbers.IN_TEXT.finditer(text))
    if not found:
        return None
    last = found[-1]
    if not segments.is_part_of_expression(text, last):
        return Candidate("last_number", last[0], numbers.parse_in_text(last[0]))
    before = text[: last.start()][-SHORT:].rpartition(" ")[2]
    after = text[last.start() :][:SHORT].partition(" ")[0]
    return Candidate("last_number", f"{before}{after}".strip("$.,;:"), None)
