"""Judging a completion by its final answer, read strictly and leniently.

Strict is the paper's reading (arXiv 2504.18116, as its public replication has it): the first `####` that is directly
followed by a number, compared with the gold answer as text. Nothing may stand between marker and number, and `18.00`,
`1,800` or `$18` are not `18`. Most of a gain read so can be format, hence the lenient reading beside it.

Lenient takes the first of these that is there, and records which:
    hash_marks   what follows the last `####` with an answer behind it
    boxed        the last \\boxed{...}, or, where it comes later:
    answer_is    what follows the last "answer is", "answer:", ...
    whole_text   all of the text, where it is a number or a short expression
    last_number  the last number in the text
and compares numbers exactly, whatever their dress (currency, commas, bold, units, `.00`, percent, fractions). What is
not a number, in the gold answer or in the completion, goes to math-verify in a worker process.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from tpt.judge import numbers
from tpt.judge.symbolic import Outcome, Symbolic
from tpt.records import Problem, Sample, Status, Verdict

STRICT = re.compile(r"####\s*(-?[0-9.,]+)")
PAIRS_AT_ONCE = 256
SHORT = 300  # characters of a text that can be an expression as a whole
READ = 20_000  # characters from the end that the lenient reader looks at

_MARK = re.compile(r"####+[^\S\n]*\n?([^\n]*)")
_HEADING = re.compile(
    r"\W*(?:step|part|case|option|method|section|question|problem|solution|example)\b|\W*\d+[.):]\s+\S", re.I
)
_ANSWER_IS = re.compile(r"\banswer(?:\s+is|\s*[:=])[:=\s]*([^\n]+)", re.I)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_LABEL = re.compile(r"^\W*(?:final\s+)?(?:answer|total|result)\b\s*(?:is|:|=)?\s*", re.I)
_OPERATORS = re.compile(r"[\\^*/+=<>()\[\]{}|√π!]|\d")
_ARITHMETIC = re.compile(r"[\d\s+\-*/^().,$=]+")
_VARIABLE = re.compile(r"[a-zπ](?![a-zA-Z])")
_UNITS = frozenset("m g h s l")

_OVERALL = {
    Outcome.EQUAL: Status.CORRECT,
    Outcome.DIFFERENT: Status.WRONG,
    Outcome.GOLD_UNREADABLE: Status.GOLD_UNREADABLE,
    Outcome.NO_ANSWER: Status.NO_ANSWER,
    Outcome.ERROR: Status.JUDGE_ERROR,
}


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


@dataclass(slots=True)
class _Candidate:
    """An answer as the lenient reader found it: its text, and the number it is, if it is plainly one."""

    rule: str
    text: str
    number: Fraction | None


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
    """The answer in a gold text: what follows its last `####`, or all of it."""
    return gold.rsplit("####", 1)[-1].strip()


def marked_answers(text: str) -> tuple[str, str, str]:
    """The answer of a completion as text, for tasks that score it themselves: strict, lenient, lenient rule."""
    strict = _after_first_mark(text)
    found = _find(text, numeric=False)
    return strict, found.text if found else "", found.rule if found else ""


def readable_gold(gold: str) -> bool:
    """Whether a gold text's answer is a number."""
    return numbers.parse(gold_answer(gold)) is not None


def _judge_all(pairs: list[tuple[str, str]], symbolic: Symbolic) -> list[Judgement]:
    """Judge by exact numbers where both sides are numbers; gather the rest for math-verify."""
    judgements: list[Judgement] = []
    owed: list[tuple[int, str, str]] = []
    for index, (gold_text, pred) in enumerate(pairs):
        gold = gold_answer(gold_text)
        judgement = _read_strictly(gold, pred)
        judgements.append(judgement)
        if not gold:
            judgement.strict = judgement.lenient = Status.GOLD_UNREADABLE
            judgement.reason = "the gold answer is empty"
            continue
        expected = numbers.parse(gold)
        found = _find(pred, numeric=expected is not None)
        if found is None:
            judgement.lenient = Status.NO_ANSWER
            continue
        judgement.rule, judgement.lenient_answer = found.rule, found.text[:SHORT]
        if expected is not None and found.number is not None:
            judgement.lenient = _equal(gold, expected, found)
        elif found.text.strip() == gold:
            judgement.lenient = Status.CORRECT
        elif expected is not None and not ("\\" in found.text or _ARITHMETIC.fullmatch(found.text.strip("* "))):
            # `2x` or `10:30` where a number is asked for; math-verify would take the first number it sees.
            judgement.lenient = Status.WRONG
        else:
            # math-verify finds the answer in a text by itself, several boxes that make a set among them.
            owed.append((index, gold, found.text if found.rule == "hash_marks" else pred))
    outcomes = symbolic.compare([(gold, text) for _, gold, text in owed]) if owed else []
    for (index, gold, _), outcome in zip(owed, outcomes, strict=True):
        _settle(judgements[index], gold, outcome)
    return judgements


def _settle(judgement: Judgement, gold: str, outcome: Outcome) -> None:
    judgement.lenient = _OVERALL[outcome]
    if outcome is Outcome.ERROR:
        judgement.reason = "math-verify ran out of time or memory, or died"
    if outcome is Outcome.GOLD_UNREADABLE:
        judgement.strict = Status.GOLD_UNREADABLE
        judgement.reason = f"the gold answer {gold[:80]!r} is neither a number nor an expression"


def _read_strictly(gold: str, pred: str) -> Judgement:
    if numbers.parse(gold) is None:
        answer = _after_first_mark(pred)
    else:
        match = STRICT.search(pred)
        answer = match[1] if match else ""
    if not answer:
        return Judgement(Status.NO_ANSWER, Status.NO_ANSWER)
    # Data sets write thousands with commas or without; a model has no way to know which.
    right = answer in (gold, gold.replace(",", ""))
    return Judgement(Status.CORRECT if right else Status.WRONG, Status.NO_ANSWER, strict_answer=answer[:SHORT])


def _after_first_mark(text: str) -> str:
    """The rest of the line behind the first `####`, or ""."""
    _, mark, rest = text.partition("####")
    return rest.split("\n", 1)[0].strip() if mark else ""


def _equal(gold: str, expected: Fraction, found: _Candidate) -> Status:
    """Exact equality; 50% is 50 where the question asked for percent, and 0.5 where the gold answer is a share."""
    same = found.number == expected
    if not same and found.number is not None and "%" in found.text and "%" not in gold:
        same = found.number / 100 == expected
    return Status.CORRECT if same else Status.WRONG


def _find(text: str, *, numeric: bool) -> _Candidate | None:
    """The lenient reader's answer in a text; `numeric`: the gold answer is a number."""
    text = text[-READ:]
    for match in reversed(list(_MARK.finditer(text))):
        if not _HEADING.match(match[1]) and (found := _candidate("hash_marks", match[1], numeric)):
            return found
    # Of a box and a stated answer the later one counts; a box in a stated answer is the later one.
    boxed, box_at = _last_boxed(text)
    stated = list(_ANSWER_IS.finditer(text))
    ends = [(box_at, "boxed", boxed)] if boxed else []
    ends += [(stated[-1].start(), "answer_is", stated[-1][1])] if stated else []
    for _, rule, segment in sorted(ends, reverse=True):
        if found := _candidate(rule, segment, numeric):
            return found
    stripped = text.strip()
    if len(stripped) <= SHORT and "\n" not in stripped:
        number = numbers.parse(stripped)
        if number is not None or not numeric or (_OPERATORS.search(stripped.replace("\\$", "")) and "\\" in stripped):
            return _Candidate("whole_text", stripped, number) if stripped else None
    if not numeric:
        return _Candidate("whole_text", stripped, None) if stripped else None
    token = _last_number(numbers.clean(text))
    return _Candidate("last_number", token, numbers.parse_in_text(token)) if token else None


def _candidate(rule: str, segment: str, numeric: bool) -> _Candidate | None:
    """A marked segment as an answer: a number where it plainly is one, else an expression; None if it is neither."""
    segment = segment.strip()
    bare = _LABEL.sub("", numbers.clean(segment)).strip(" *_$:[]().,")
    if not bare:
        return None
    if not numeric:
        return _Candidate(rule, segment.strip(" *."), None)
    number = _plain_number(bare)
    if number is None and rule == "answer_is" and " is " in bare:  # "the answer is that the largest is 18"
        number = _plain_number(bare.rsplit(" is ", 1)[1])
    if number is not None:
        return _Candidate(rule, segment, number)
    return _Candidate(rule, segment, None) if any(c.isdigit() for c in bare) else None


def _plain_number(bare: str) -> Fraction | None:
    """The number that a segment names: alone, behind an equals sign, or first and followed by words."""
    if "=" in bare:
        bare = bare.rsplit("=", 1)[1].strip(" *_$:[]().,")
    whole = numbers.parse(bare)
    if whole is not None:
        return whole
    match = numbers.NUMBER.search(bare)
    if match is None or _OPERATORS.search(bare[: match.start()]):
        return None
    rest = bare[match.end() :].strip(" $")
    is_variable = bool(_VARIABLE.match(rest)) and rest[0] not in _UNITS and bare[match.end() : match.end() + 1] != " "
    starts_expression = bool(_OPERATORS.match(rest)) and not rest.startswith(
        ("(", "[", "/ ", "/d", "/h", "/m", "/w", "/y")
    )
    if is_variable or starts_expression or (rest.startswith(("-", ":", ",", "√")) and rest[1:2].isdigit()):
        return None
    return numbers.value(match)


def _last_boxed(text: str) -> tuple[str, int]:
    """What stands in the last \\boxed{...}, its braces balanced ("" if there is none), and where it begins."""
    opened = list(_BOXED.finditer(text))
    if not opened:
        return "", -1
    start, depth = opened[-1].end(), 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return text[start:position], start
    return "", -1


def _last_number(text: str) -> str:
    token = ""
    for match in numbers.IN_TEXT.finditer(text):
        token = match[0]
    return token
