"""Judging a completion by its final answer, read strictly and leniently.

Both read what stands behind the thinking (`tpt.judge.thinking`); a completion that never leaves it has no answer.

Strict is the paper's reading (arXiv 2504.18116, as its public replication has it): the first `####` that is directly
followed by a number, compared with the gold answer as text. Nothing may stand between marker and number, and `18.00`,
`1,800` or `$18` are not `18`. Most of a gain read so can be format, hence the lenient reading beside it.

Lenient takes the answer that `tpt.judge.reader` finds, with the rule that found it, and compares it as what the gold
answer is:
    a choice    by its letter (`choice`)
    a moment    by time or date (`clock`)
    a quantity  exactly, whatever its dress, computed where it is arithmetic, with its unit (`segment`, `arithmetic`)
    words       without case
    the rest    as it is written (`latex`), and then by math-verify in a worker process (`symbolic`)
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from tpt.judge import arithmetic, choice, clock, latex, numbers, reader
from tpt.judge import segment as segments
from tpt.judge.arithmetic import Quantity
from tpt.judge.clock import Moment
from tpt.judge.dress import clean
from tpt.judge.reader import ANSWER_IS, BOXED, READ, SHORT, Candidate, find, last_boxed
from tpt.judge.symbolic import FORMULA, Outcome, Symbolic, is_formula
from tpt.judge.thinking import UNFINISHED, final_part, in_answer_tags
from tpt.records import Problem, Sample, Status, Verdict

STRICT = re.compile(r"####\s*(-?[0-9.,]+)")
PAIRS_AT_ONCE = 256

_LIST = re.compile(r"[\s$]*-?\d+,\s?-?\d[\s$]*|.*[(\[{][^()]*\d,\s?-?\d{1,2}[^\d,].*")
_VARIABLE = re.compile(r"\d[a-zA-Z]$")  # `4m` of a gold answer is four times m, `4 m` is a length
_MODULUS = re.compile(r"\\pmod\s*(?:\{[^{}]*\}|\w+)|\(\s*mod\s[^()]*\)|\\mod(?![a-z])[^,]*$")
_RATIO = re.compile(r"(\d{1,9})((?:\s?(?::|\\colon|\bto\b)\s?\d{1,9})+)")
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
_YES_NO = frozenset(("yes", "no", "true", "false"))

_OVERALL = {
    Outcome.EQUAL: Status.CORRECT,
    Outcome.DIFFERENT: Status.WRONG,
    Outcome.GOLD_UNREADABLE: Status.GOLD_UNREADABLE,
    Outcome.NO_ANSWER: Status.NO_ANSWER,
    Outcome.ERROR: Status.JUDGE_ERROR,
}
_SEVERITY = [Outcome.EQUAL, Outcome.DIFFERENT, Outcome.NO_ANSWER, Outcome.GOLD_UNREADABLE, Outcome.ERROR]


@dataclass(slots=True)
class Judgement:
    """What the two readers say of one completion; the fields are those of `records.Verdict`."""

    strict: Status
    lenient: Status
    rule: str = ""
    strict_answer: str = ""
    lenient_answer: str = ""
    reason: str = ""

    @property
    def status(self) -> Status:
        """CORRECT under the strict reading, PARTIAL under the lenient alone; else what the lenient reader says."""
        if self.strict is Status.CORRECT:
            return Status.CORRECT
        return Status.PARTIAL if self.lenient is Status.CORRECT else self.lenient


def judge_answer(*, gold: str, pred: str, symbolic: Symbolic | None = None) -> Judgement:
    """Judge one completion.

    Args:
        gold: the right answer, or a worked solution that ends with `#### ` and it.
        pred: the completion.
        symbolic: workers for what is not a number; without them they are started for this one call.
    """
    if symbolic is None:
        with Symbolic(workers=1) as own:
            return _judge_all([(gold, pred)], own)[0]
    return _judge_all([(gold, pred)], symbolic)[0]


def judge_texts(pairs: Iterable[tuple[str, str]]) -> Iterator[Judgement]:
    """Judge (gold, completion) pairs, in order and in bounded memory."""
    stream = iter(pairs)
    with Symbolic() as symbolic:
        while some := list(islice(stream, PAIRS_AT_ONCE)):
            yield from _judge_all(some, symbolic)


def judge_pairs(pairs: Iterable[tuple[Problem, Sample]]) -> Iterator[Verdict]:
    """One verdict for each sample, in order and in bounded memory."""
    stream = iter(pairs)
    with Symbolic() as symbolic:
        while some := list(islice(stream, PAIRS_AT_ONCE)):
            judgements = _judge_all([(problem.gold, sample.text) for problem, sample in some], symbolic)
            for (_, sample), judgement in zip(some, judgements, strict=True):
                yield verdict(sample, judgement)


def verdict(sample: Sample, judgement: Judgement) -> Verdict:
    """A judgement as the verdict on a sample."""
    return Verdict(
        problem_id=sample.problem_id,
        index=sample.index,
        status=judgement.status,
        strict=judgement.strict,
        lenient=judgement.lenient,
        rule=judgement.rule,
        strict_answer=judgement.strict_answer,
        lenient_answer=judgement.lenient_answer,
        passed=int(judgement.status is Status.CORRECT),
        reason=judgement.reason,
    )


def gold_answer(gold: str) -> str:
    """The answer in a gold text: what follows its last `####`, its one box, its "answer is", or all of it."""
    _, mark, answer = gold.rpartition("####")
    if mark:
        return answer.strip()
    boxes = len(BOXED.findall(gold))
    if boxes == 1:
        answer = last_boxed(gold)[0] or gold
    elif not boxes and (stated := ANSWER_IS.findall(gold)):
        answer = re.split(r"[.!]\s", stated[-1])[0]
    return answer.strip()


def marked_answers(text: str) -> tuple[str, str, str]:
    """The answer of a completion as text, for tasks that score it themselves: strict, lenient, lenient rule."""
    final = final_part(text)
    if final is None:
        return "", "", UNFINISHED
    strict = _after_first_mark(final)
    found = find(_lenient_part(final), numeric=False)
    return strict, found.text if found else "", found.rule if found else ""


def canonical(text: str) -> str:
    """A text that is the same for answers that are: `$18`, `18` and `18.00` give `18`; words are compared without case.

    "" for no answer. For votes and counts of answers, e.g. of `Verdict.lenient_answer`.
    """
    if (moment := clock.whole(text)) is not None:
        return str(moment)
    if (letter := choice.gold_letter(text)) is not None:
        return letter
    if (quantity := segments.read(text)) is not None:
        return str(quantity.value)
    word = _wording(text)
    if len(word) > 1 and word.replace(" ", "").isalpha():
        return " ".join(word.casefold().split())
    return latex.squeezed(text[:SHORT])


def readable_gold(gold: str) -> bool:
    """Whether a gold text's answer is a number."""
    return _is_number(gold_answer(gold))


@dataclass(frozen=True, slots=True)
class _Gold:
    """A gold answer with what it is; where all else is empty, an expression or words."""

    text: str
    quantity: Quantity | None = None
    letter: str | None = None
    moment: Moment | None = None
    ratio: tuple[int, ...] = ()
    word: str = ""


@dataclass(slots=True)
class _Owed:
    """What math-verify has yet to say of a judgement: all of these pairs must be equal."""

    judgement: Judgement
    gold: str
    pairs: list[tuple[str, str]] = field(default_factory=list)


@lru_cache(4096)
def _read_gold(gold_text: str) -> _Gold:
    text = gold_answer(gold_text)
    if text.isdecimal():
        return _Gold(text, quantity=_gold_quantity(text))
    if moment := clock.whole(text):
        return _Gold(text, moment=moment)
    if letter := choice.gold_letter(text):
        return _Gold(text, letter=letter)
    if ratio := _ratio(text):
        return _Gold(text, ratio=ratio)
    if quantity := _gold_quantity(text):
        return _Gold(text, quantity=quantity)
    word = _wording(text)
    plain = word.replace(" ", "").replace("-", "")
    is_word = (
        (len(plain) > 2 or word.casefold() in _YES_NO)
        and plain.isalpha()
        and bool(re.search("[aeiouy]", plain, re.I))
        and "\\" not in word
    )
    return _Gold(text, word=word.casefold() if is_word else "")


def _judge_all(pairs: list[tuple[str, str]], symbolic: Symbolic) -> list[Judgement]:
    """Judge all that needs no algebra; gather the rest for math-verify."""
    judgements: list[Judgement] = []
    owed: list[_Owed] = []
    for gold_text, pred in pairs:
        judgement, pairs_owed = _judge_one(_read_gold(gold_text), pred)
        judgements.append(judgement)
        if pairs_owed:
            owed.append(_Owed(judgement, _read_gold(gold_text).text, pairs_owed))
    outcomes = iter(symbolic.compare([pair for one in owed for pair in one.pairs]) if owed else [])
    for one in owed:
        _settle(one, list(islice(outcomes, len(one.pairs))))
    return judgements


def _judge_one(gold: _Gold, pred: str) -> tuple[Judgement, list[tuple[str, str]]]:
    """The judgement on a completion, and the pairs that math-verify must find equal for its lenient part."""
    final = final_part(pred)
    if not gold.text:
        unreadable = Status.GOLD_UNREADABLE
        return Judgement(unreadable, unreadable, reason="the gold answer is empty"), []
    if final is None:
        none = Status.NO_ANSWER
        return Judgement(none, none, rule=UNFINISHED, reason="the thinking is not finished"), []
    judgement = _read_strictly(gold, final)
    said = _lenient_part(final)
    text = reader.window(said)
    if len(text) < len(said):
        judgement.reason = f"of {len(said):,} characters {READ:,} were read"
    found, verdict, owed = _compare(gold, text)
    judgement.lenient = verdict
    if found is not None:
        tagged = found.rule == "whole_text" and len(said) < len(final) and said == in_answer_tags(final)
        judgement.rule = "answer_tag" if tagged else found.rule
        judgement.lenient_answer = found.text[:SHORT]
    return judgement, owed


def _lenient_part(final: str) -> str:
    """Of what follows the thinking, the part that the lenient reader looks at."""
    return reader.first_turn(in_answer_tags(final))


_Found = tuple[Candidate | None, Status, list[tuple[str, str]]]


def _compare(gold: _Gold, text: str) -> _Found:
    """What the lenient reader finds in a text, whether it is right, and what is left to math-verify (then: WRONG)."""
    if gold.letter:
        return _compare_choice(gold.letter, text)
    if gold.quantity:
        return _compare_quantity(gold, gold.quantity, text)
    found = find(text, numeric=False)
    if found is None or not found.text.strip():
        return found, Status.NO_ANSWER, []
    if gold.word in _YES_NO:
        said = [one for piece in _pieces(gold.word, found) if (one := _wording(piece)).casefold() in _YES_NO]
        return replace(found, text=said[0]) if said else found, _status(gold.word in map(str.casefold, said)), []
    if gold.moment or gold.ratio or gold.word:
        return found, _status(_says(gold, found, text)), []
    return _compare_expression(gold, found, text)


def _says(gold: _Gold, found: Candidate, text: str) -> bool:
    """Whether an answer is the time, the date, the ratio or the word of the gold answer."""
    if gold.moment:
        answer = _moment(found, text)
        return answer is not None and gold.moment.agrees(answer)
    if gold.ratio:
        return _ratio(_wording(found.text)) == gold.ratio
    return any(_wording(piece).casefold() == gold.word for piece in _pieces(gold.word, found))


def _status(right: bool) -> Status:
    return Status.CORRECT if right else Status.WRONG


def _compare_choice(letter: str, text: str) -> _Found:
    """By the first marked piece that begins with a letter, else by what the text states."""
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
    """The marked time or date; in running text the last one."""
    answer = clock.whole(found.text)
    if answer is None and found.rule == "whole_text" and (last := clock.last(text[-SHORT:])):
        return None if segments.denied(clean(text[-SHORT:])[: last[1]]) else last[0]
    return answer


def _pieces(word: str, found: Candidate) -> list[str]:
    """The parts of an answer that may be a word: all of it, or its first clause; without a mark its last line.

    Yes and no may also stand at the head of a text, unless its end says the other.
    """
    head = _CLAUSE.split(found.text.strip(" *"), maxsplit=1)[0]
    if found.rule != "whole_text":
        return [found.text, head]
    lines = [line for line in found.text.split("\n") if line.strip()]
    if word not in _YES_NO:
        return [found.text, lines[-1]]
    both = {_wording(line).casefold() for line in (lines[0], lines[-1])} & _YES_NO
    return [] if len(both) > 1 else [head, lines[-1]]


def _compare_quantity(gold: _Gold, expected: Quantity, text: str) -> _Found:
    """Exactly, by numbers; an answer that is an expression goes to math-verify."""
    found = find(text, numeric=True)
    if found is None or not found.text.strip():
        return found, Status.NO_ANSWER, []
    if found.quantity is not None:
        names = {name[1] for one in (gold.text, segments.bare(found.text)) if (name := _NAME.match(one))}
        return found, _status(len(names) < 2 and _equal(expected, found.quantity, found.text)), []
    plain = found.text.strip("* ")
    if _MODULUS.search(plain) and _same_writing(gold.text, plain):
        return found, Status.CORRECT, []
    # A number that was not read as one is denied, a bound, or one of several.
    if arithmetic.whole(segments.bare(plain)) is not None or not _is_algebra(gold.text, plain):
        return found, Status.WRONG, []
    value = expected.value
    exact = str(value) if value.denominator == 1 else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return found, Status.WRONG, [(f"${exact}$", _listed(plain))]


def _is_algebra(gold: str, answer: str) -> bool:
    """Whether an answer to a question for a number is an expression that algebra may find equal to it.

    Not `2x` or `10:30`, of which math-verify would take the first number it sees.
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


def _compare_expression(gold: _Gold, found: Candidate, text: str) -> _Found:
    """As it is written, then by kind and intervals, then by math-verify."""
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
    # Several boxes may be the members of a set; math-verify gathers them, and finds an expression in a sentence.
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


def _settle(owed: _Owed, outcomes: list[Outcome]) -> None:
    worst = max(outcomes, key=_SEVERITY.index)
    owed.judgement.lenient = _OVERALL[worst]
    if worst is Outcome.ERROR:
        owed.judgement.reason = "math-verify ran out of time or memory, or died"
    if worst is Outcome.GOLD_UNREADABLE:
        owed.judgement.strict = Status.GOLD_UNREADABLE
        owed.judgement.reason = f"the gold answer {owed.gold[:80]!r} is neither a number nor an expression"


def _read_strictly(gold: _Gold, final: str) -> Judgement:
    if _is_number(gold.text):
        match = STRICT.search(final)
        answer = match[1] if match else ""
    else:
        answer = _after_first_mark(final)
    if not answer:
        return Judgement(Status.NO_ANSWER, Status.NO_ANSWER)
    # Data sets write thousands with commas or without; a model has no way to know which.
    right = answer in (gold.text, gold.text.replace(",", ""))
    return Judgement(_status(right), Status.NO_ANSWER, strict_answer=answer[:SHORT])


def _after_first_mark(text: str) -> str:
    """The rest of the line behind the first `####`, or ""."""
    _, mark, rest = text.partition("####")
    return rest.split("\n", 1)[0].strip() if mark else ""


def _equal(expected: Quantity, found: Quantity, text: str) -> bool:
    """Exact equality, of units too where both have one; 50% is 50 where percent were asked for, and 0.5 else.

    A fraction without an end as a decimal (1/3) may be given with four decimals or more (0.3333), rightly rounded.
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


@lru_cache(4096)
def _is_number(gold: str) -> bool:
    """Whether a gold answer is a number and no more: neither `18 dollars` nor `2^4`."""
    return not _LIST.fullmatch(gold) and numbers.parse(gold) is not None


def _gold_quantity(gold: str) -> Quantity | None:
    """The quantity that a gold answer is; `1,2` is a list there, though a model may write 1.2 so."""
    if gold.isdecimal():
        return segments.read(gold)
    text = _MODULUS.sub("", gold).strip()
    if _LIST.fullmatch(text) or _VARIABLE.search(text.strip("$ ")):
        return None
    bare = segments.bare(text)
    named = re.fullmatch(r"[a-zA-Z]\s*=\s*([^=]+)", bare)
    return arithmetic.whole(named[1].strip() if named else bare)


def _ratio(text: str) -> tuple[int, ...]:
    """`3:4` and `3 to 4` as numbers, not reduced: 6:8 is another way to say it, and maybe another answer."""
    match = _RATIO.fullmatch(clean(text).strip(" $."))
    return tuple(int(part) for part in re.findall(r"\d+", match[0])) if match else ()


def _wording(text: str) -> str:
    return segments.bare(text).rstrip("!")
