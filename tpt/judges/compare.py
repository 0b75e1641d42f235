"""Comparing what the lenient reader finds in a text with the gold answer, according to what that is."""

import re
from dataclasses import replace

from tpt.judges import arithmetic, choice, clock, latex, numbers, reader
from tpt.judges import segment as segments
from tpt.judges.arithmetic import Quantity
from tpt.judges.clock import Moment
from tpt.judges.dress import clean
from tpt.judges.gold import MODULUS, YES_NO, Gold, read_ratio, wording
from tpt.judges.reader import BOXED, SHORT, Candidate, find
from tpt.judges.symbolic import FORMULA, is_formula
from tpt.records import Status

_ARITHMETIC = re.compile(r"[\d\s!+\-*/^(){}.,$]+")
_SYMBOLIC = re.compile(r"[\\√π∞]|\b(?:sqrt|log|ln|sin|cos|tan|exp|pi)\b|(?<=\d)(?:sqrt|pi)")
_RELATION = re.compile(r"[<>≤≥≠]|\\(?:ne|neq|le|leq|ge|geq|lor|land|in|cup|approx|equiv|pmod)(?![a-zA-Z])")
_CLAUSE = re.compile(r"[,.;:(\n—]|\s-\s|\s(?:because|since|as|for)\s", re.I)
_IN_PIECES = re.compile(r"\S\s*\$[^$]+\$\s*\S|\$[^$]+\$[^$]+\$[^$]+\$|\\boxed.*\\boxed|[A-Za-z]{3,}\s+\\?\$")
_AND = re.compile(r"\s*,?\s*(?<![\\A-Za-z])(?:and|or)(?![A-Za-z])\s*")
_IS = re.compile(r"[A-Za-z]{2}(?:\s(?:is|are)\b|:)\s*([^\n]{1,200}?)\.?$")  # "The point is (1, 2)."
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")  # `18\text{th}`, `18\text{ or so}`
_NAME = re.compile(r"[\s$]*([a-zA-Z])\s*=")
_INCOMPLETE = re.compile(r"(?:[-+*/^]|(?:log|ln|sin|cos|tan|exp|sqrt)(?:_\{?\w{1,3}\}?)?)\W*$")

Found = tuple[Candidate | None, Status, list[tuple[str, str]]]


def compare(gold: Gold, text: str) -> Found:
    """What the lenient reader finds in a text, its status, and the pairs left to math-verify (WRONG until then)."""
    if gold.letter:
        return _compare_choice(gold.letter, text)
    if gold.quantity:
        return _compare_quantity(gold, gold.quantity, text)
    found = find(text, numeric=False)
    if found is None or not found.text.strip():
        return found, Status.NO_ANSWER, []
    if gold.word in YES_NO:
        said = [one for piece in _pieces(gold.word, found) if (one := wording(piece)).casefold() in YES_NO]
        return replace(found, text=said[0]) if said else found, _status(gold.word in map(str.casefold, said)), []
    if gold.moment or gold.ratio or gold.word:
        return found, _status(_says(gold, found, text)), []
    return _compare_expression(gold, found, text)


def _says(gold: Gold, found: Candidate, text: str) -> bool:
    """Whether an answer is the time, the date, the ratio or the word of the gold answer."""
    if gold.moment:
        answer = _moment(found, text)
        return answer is not None and gold.moment.agrees(answer)
    if gold.ratio:
        return read_ratio(wording(found.text)) == gold.ratio
    return any(wording(piece).casefold() == gold.word for piece in _pieces(gold.word, found))


def _status(right: bool) -> Status:
    return Status.CORRECT if right else Status.WRONG


def _compare_choice(letter: str, text: str) -> Found:
    """The first marked piece that begins with a letter, else what the text states."""
    for rule, piece in reader.marked(text):
        head = choice.at_head(piece) if rule != "answer_is" else None
        if head is not None:
            return Candidate(rule, head.letter or piece.strip(), None), _status(head.letter == letter), []
        if rule == "answer_is":
            break
    stated = choice.stated(text)
    if stated is None:
        found = find(text, numeric=False)
        return found, Status.NO_ANSWER if found is None or found.rule == "whole_text" else Status.WRONG, []
    return Candidate(stated[1], stated[0].letter, None), _status(stated[0].letter == letter), []


def _moment(found: Candidate, text: str) -> Moment | None:
    """The marked time or date; in running text, the last one."""
    answer = clock.whole(found.text)
    if answer is None and found.rule == "whole_text" and (last := clock.last(text[-SHORT:])):
        return None if segments.denied(clean(text[-SHORT:])[: last[1]]) else last[0]
    return answer


def _pieces(word: str, found: Candidate) -> list[str]:
    """The parts of an answer that may be a word: all of it, or its first clause; in unmarked text, the last line.

    Yes and no may also come first in a text, unless its end says the opposite.
    """
    head = _CLAUSE.split(found.text.strip(" *"), maxsplit=1)[0]
    if found.rule != "whole_text":
        return [found.text, head]
    lines = [line for line in found.text.split("\n") if line.strip()]
    if word not in YES_NO:
        return [found.text, lines[-1]]
    both = {wording(line).casefold() for line in (lines[0], lines[-1])} & YES_NO
    return [] if len(both) > 1 else [head, lines[-1]]


def _compare_quantity(gold: Gold, expected: Quantity, text: str) -> Found:
    """Compare numbers exactly; an answer that is an expression goes to math-verify."""
    found = find(text, numeric=True)
    if found is None or not found.text.strip():
        return found, Status.NO_ANSWER, []
    if found.quantity is not None:
        names = {name[1] for one in (gold.text, segments.bare(found.text)) if (name := _NAME.match(one))}
        return found, _status(len(names) < 2 and _equal(expected, found.quantity, found.text)), []
    plain = found.text.strip("* ")
    if MODULUS.search(plain) and _same_writing(gold.text, plain):
        return found, Status.CORRECT, []
    # A number that was not read as the answer is denied, a bound, or one of several.
    if arithmetic.whole(segments.bare(plain)) is not None or not _is_algebra(gold.text, plain):
        return found, Status.WRONG, []
    value = expected.value
    exact = str(value) if value.denominator == 1 else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return found, Status.WRONG, [(f"${exact}$", _listed(plain))]


def _is_algebra(gold: str, answer: str) -> bool:
    """Whether an answer is an expression that algebra may find equal to a number.

    Not `2x` or `10:30`, from which math-verify would take the first number it sees.
    """
    return (
        len(answer) <= FORMULA
        and bool(_SYMBOLIC.search(answer) or _ARITHMETIC.fullmatch(answer))
        and not (_RELATION.search(answer) or _INCOMPLETE.search(answer))
        and is_formula(spelled := latex.spelled(answer))
        and not _WORDS.search(spelled)
        and latex.same_special(gold, answer) is not False
        and not latex.differ_in_kind(gold, answer)
    )


def _compare_expression(gold: Gold, found: Candidate, text: str) -> Found:
    """Compare as written, then by kind and intervals, then with math-verify."""
    answer = found.text.strip()
    if found.rule == "whole_text" and (end := _IS.search(answer[-FORMULA:])) and is_formula(latex.spelled(end[1])):
        answer = end[1]
    if answer == gold.text or _same_writing(gold.text, answer):
        return found, Status.CORRECT, []
    short = len(answer) <= FORMULA and len(gold.text) <= FORMULA
    if short:
        special = latex.same_special(gold.text, answer)
        if special is not None:
            return found, _status(special), []
        left, right = latex.spans(gold.text), latex.spans(answer)
        if left and right:
            same = latex.same_spans(left, right)
            return found, _status(same is True), same if isinstance(same, list) else []
        if latex.differ_in_kind(gold.text, answer):
            return found, Status.WRONG, []
    # Several boxes may be the members of a set: math-verify collects them, and finds an expression in a sentence.
    several = found.rule == "boxed" and len(BOXED.findall(text)) > 1
    plain = short and not several and not any(_IN_PIECES.search(one) for one in (gold.text, answer))
    if plain and is_formula(_listed(answer).strip("$")):
        return found, Status.WRONG, [(_listed(gold.text), _listed(answer))]
    return found, Status.WRONG, [(gold.text, answer if found.rule == "hash_marks" else text)]


def _same_writing(gold: str, answer: str) -> bool:
    """Whether two short expressions are the same except for spaces and spelling; `H_2O` is `H2O`."""
    if len(answer) > FORMULA or len(gold) > FORMULA:
        return False
    left, right = latex.squeezed(gold), latex.squeezed(answer)
    formula = left.isalnum() and any(c.isalpha() for c in left) and any(c.isdigit() for c in left)
    return left == right or (formula and left == right.replace("_", ""))


def _listed(text: str) -> str:
    """An expression for math-verify, with "and" and "or" as commas."""
    spelled = latex.spelled(text)
    spelled = re.sub(r"\\langle(.*)\\rangle", r"(\1)", spelled)
    if "=" not in spelled:
        spelled = spelled.replace(";", ",")
    return f"${_AND.sub(', ', spelled)}$"


def _equal(expected: Quantity, found: Quantity, text: str) -> bool:
    """Exact equality, including the units if both have one; 50% is 50 if a percentage was asked for, otherwise 0.5.

    A fraction with an infinite expansion (1/3) may be given correctly rounded to four or more decimals (0.3333).
    """
    if not _same_unit(expected, found):
        return False
    if expected.value in (found.value, found.rounded):
        return True
    shares = expected.percent, found.percent
    if shares[0] != shares[1] and found.value == (expected.value / 100 if shares[0] else expected.value * 100):
        return True
    return numbers.rounds_to(expected.value, found.value, text, percent=found.percent and not expected.percent)


def _same_unit(expected: Quantity, found: Quantity) -> bool:
    if expected.unit and found.unit:
        extra = set(found.unit) - set(expected.unit)
        money = all(symbol in "$€£¥₹¢" for symbol, _ in expected.unit)
        return expected.unit == found.unit or (
            money and set(expected.unit) < set(found.unit) and all(power < 0 for _, power in extra)
        )
    both_counted = not (expected.unit or found.unit) and expected.nouns and found.nouns
    return not both_counted or bool(expected.nouns & found.nouns)
