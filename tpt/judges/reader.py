"""The lenient reader: where in a completion its answer is, and by which rule.

The first of these that applies counts:
    hash_marks   what follows the last `####` that has an answer after it
    boxed        the last \\boxed{...}, or, if it comes later:
    answer_is    what follows the last "answer is", "answer:", ...
    whole_text   the whole text, if it is a number or a short formula (`answer_tag` if it is the contents of `<answer>`)
    last_number  the last number in the text, unless it is denied, a bound or part of a rate

A letter of a choice may also stand alone on a line (`last_line`, see `tpt.judges.choice`). Before all
this, `tpt.judges.thinking` removes thinking and `<answer>` tags; the rule is `unfinished_thinking` if nothing is left.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tpt.judges import arithmetic, numbers, words
from tpt.judges import segment as segments
from tpt.judges.arithmetic import Quantity
from tpt.judges.symbolic import is_formula

SHORT = 300  # most characters of a text that can be one expression
READ = 20_000  # characters that are looked at: the last ones, or those after the last mark

_MARK = re.compile(r"####+[^\S\n]*\n?([^\n]*)")
_HEADING = re.compile(
    r"\W*(?:step|part|case|option|method|section|question|problem|example|explanation|reasoning|check|verification"
    r"|note|calculation|solution)\b|\W*\d+[.):]\s+\S",
    re.I,
)
ANSWER_IS = re.compile(
    r"\b(?<!incorrect )(?<!wrong )"
    r"(?:answers?(?:\s{1,3}[\w']{1,20}){0,5}?\s{1,3}(?:is|are|was|would\s+be|must\s+be|should\s+be|will\s+be|comes\s+to)\b"
    r"|answers?[*_]{0,3}\s{0,3}(?:[:=：]|\s[-–—]\s)"
    r"|(?:réponse|respuesta|resposta|risposta|antwort|antwoord|odpowied[zź]|cevap|svar|ответ|відповідь)"
    r"(?:\s{1,3}(?!(?:no|non|não|не)\b)[^\W\d]{1,20}){0,3}?\s{0,3}(?:\b(?:est|es|é|è|ist|is|to|er|är)\b|[:=：—-])"
    r"|(?:答案|答え|正解|정답|答)\s{0,3}(?:是|为|為|は|은|는|[:：]))"
    r"[:=：\s*_]*(?=([^\n]{1,300}))",
    re.I,
)
BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,20}\{")
_MARKS = (_MARK, BOXED, ANSWER_IS)
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}([-+]?\d[\d.,]{0,300}|[A-J]\b)")
_NEW_TURN = re.compile(
    r"\n[ \t#*]{0,6}(?:question|problem|user|human|q)[ \t*]{0,4}\d{0,3}:|<\|im_start\|>user|<\|start_header_id\|>user",
    re.I,
)
_OPERATORS = re.compile(r"[\\^*/+=<>()\[\]{}|√π!°²³]|\d")
_SENTENCE_END = re.compile(r"(?<=[^\W\d])[.!?](?=\s)|(?<=[\d)%$*])[.!?](?=\s)|[\n。！]")
_MATHEMATICS = re.compile(r"[\\√π∞^]|\b(?:sqrt|log|ln|sin|cos|tan|exp|pi)\b")


@dataclass(slots=True)
class Candidate:
    """An answer that the lenient reader found: its text, and its quantity if it clearly is one."""

    rule: str
    text: str
    quantity: Quantity | None


def window(text: str) -> str:
    """The part of a long text that is looked at: its end, or from its last mark on if that comes earlier."""
    if len(text) <= READ:
        return text
    tail = text[-READ:]
    if any(mark.search(tail) for mark in _MARKS):
        return tail
    last = max((match.start() for mark in _MARKS for match in mark.finditer(text)), default=None)
    return tail if last is None else text[last : last + READ]


def first_turn(text: str) -> str:
    """The text up to where the model asks itself another question, if it has answered the first one by then."""
    turn = _NEW_TURN.search(text)
    if turn is None:
        return text
    first = min((found.start() for mark in _MARKS if (found := mark.search(text))), default=len(text))
    turn = _NEW_TURN.search(text, first)
    return text[: turn.start()] if turn else text


def find(text: str, *, numeric: bool) -> Candidate | None:
    """The lenient reader's answer in a text; `numeric`: the gold answer is a number."""
    for found in marked(text):
        if candidate := _candidate(*found, numeric):
            return candidate
    stripped = text.strip()
    if len(stripped) <= SHORT and "\n" not in stripped:
        bare = segments.bare(stripped.lstrip("#"))
        formula = _OPERATORS.search(stripped) is not None and is_formula(bare)
        quantity = segments.read(stripped.lstrip("#")) if formula else arithmetic.whole(bare)
        if quantity is not None or not numeric or formula:
            return Candidate("whole_text", stripped, quantity) if stripped else None
    if not numeric:
        return Candidate("whole_text", stripped, None) if stripped else None
    return _last_number(text)


def marked(text: str) -> Iterator[tuple[str, str]]:
    """The places where an answer is marked, as (rule, text), the most important first."""
    for match in reversed(list(_MARK.finditer(text))):
        if not _HEADING.match(match[1]):
            yield "hash_marks", match[1]
    # Of a box and a stated answer the later one counts; a box inside a stated answer is the later one.
    boxed, box_at = last_boxed(text)
    stated = list(ANSWER_IS.finditer(text))
    ends = [(box_at, "boxed", boxed)] if box_at >= 0 else []
    ends += [(stated[-1].start(), "answer_is", stated[-1][1])] if stated else []
    for _, rule, segment in sorted(ends, reverse=True):
        yield rule, segment


def last_boxed(text: str) -> tuple[str, int]:
    """The contents of the last \\boxed{...} with balanced braces, and where it begins; ("", -1) if there is none."""
    opened = list(BOXED.finditer(text))
    bare = list(_BARE_BOX.finditer(text))
    if bare and (not opened or bare[-1].start() > opened[-1].start()):
        return bare[-1][1], bare[-1].start()
    if not opened:
        return "", -1
    start, depth = opened[-1].end(), 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return text[start:position], start
    return "", -1


def _candidate(rule: str, segment: str, numeric: bool) -> Candidate | None:
    """A marked segment as an answer: a number if it clearly is one, else an expression; None if it is neither."""
    if rule == "hash_marks" and "####" in segment:
        return _repeated(segment, numeric)
    segment = (
        segment.strip() if rule == "boxed" else segment.rstrip("! ").strip()
    )  # "18!" is an exclamation, not 18 factorial
    if rule == "boxed" and not segment:
        return Candidate(rule, "", None)
    bare = segments.bare(segment)
    if not bare:
        return None
    if not numeric:
        return Candidate(rule, segment.strip(" *."), None)
    quantity = segments.read(segment)
    counts = rule == "boxed" or any(c.isdigit() for c in bare) or _MATHEMATICS.search(bare)
    return Candidate(rule, segment, quantity) if quantity is not None or counts else None


def _repeated(segment: str, numeric: bool) -> Candidate | None:
    """Several `####` on one line: an answer if all of them say the same."""
    found = [_candidate("hash_marks", part, numeric) for part in segment.split("####") if part.strip("# ")]
    if not found or not all(found):
        return None
    said = {one.quantity.value if one.quantity else one.text for one in found if one}
    return found[-1] if len(said) == 1 else Candidate("hash_marks", segment, None)


def _last_number(text: str) -> Candidate | None:
    """The quantity that the last sentence with a number names; the expression if it is one."""
    place = _last_digit(text)
    in_words = place is None
    if place is None:
        place = max((match.start() for match in words.IN_TEXT.finditer(text[-SHORT:])), default=None)
        if place is None:
            return None
        place += max(0, len(text) - SHORT)
    start = max(0, place - SHORT)
    breaks = [match.end() for match in _SENTENCE_END.finditer(text, start, place)]
    end = _SENTENCE_END.search(text, place + 1, place + SHORT)
    sentence = text[breaks[-1] if breaks else start : end.start() if end else place + SHORT]
    quantity = segments.read_sentence(sentence)
    if quantity is None and in_words:
        return None
    if quantity is None and "=" in sentence:
        return Candidate("last_number", sentence.rpartition("=")[2].strip(" $.,;:"), None)
    return Candidate("last_number", _shown(text, place) if quantity is None else _written(sentence, quantity), quantity)


def _last_digit(text: str) -> int | None:
    return next((place for place in range(len(text) - 1, -1, -1) if text[place].isdecimal()), None)


def _written(sentence: str, quantity: Quantity) -> str:
    """The number as it is last written in the sentence, or its value if it was computed or given in words."""
    found = list(numbers.IN_TEXT.finditer(sentence))
    last = found[-1][0].strip() if found else ""
    return last if numbers.parse(last) == quantity.value else str(quantity.value)


def _shown(text: str, place: int) -> str:
    """The expression around a digit, between spaces."""
    before = text[max(0, place - SHORT) : place].rpartition(" ")[2]
    after = text[place : place + SHORT].partition(" ")[0]
    shown = f"{before}{after}".strip("$.,;:")
    return shown if "(" in shown and ")" in shown else shown.strip("()")
