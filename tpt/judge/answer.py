"""Judging a completion by its final answer, read strictly and leniently.

Strict is the paper's reading (arXiv 2504.18116, as its public replication has it): the first `####` that is directly
followed by a number, compared with the gold answer as text. Nothing may stand between marker and number, and `18.00`,
`1,800` or `$18` are not `18`. Most of a gain read so can be format, hence the lenient reading beside it.

Lenient takes the answer that `tpt.judge.reader` finds, with the rule that found it, and compares numbers exactly,
whatever their dress (currency, commas, bold, units, `.00`, percent, fractions). What is not a number, in the gold
answer or in the completion, goes to math-verify in a worker process.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from tpt.judge import numbers
from tpt.judge import segment as segments
from tpt.judge.reader import ANSWER_IS, BOXED, SHORT, Candidate, find, last_boxed
from tpt.judge.symbolic import Outcome, Symbolic
from tpt.records import Problem, Sample, Status, Verdict

STRICT = re.compile(r"####\s*(-?[0-9.,]+)")
PAIRS_AT_ONCE = 256

_DECIMALS = re.compile(r"\.(\d{4,30})(?!\d)")
_LIST = re.compile(r"\s*-?\d+,\d\s*")
_CHOICE = re.compile(r"[A-J](?![\w'^*/+=-])(?!\s*[-+*/=^(])")
_ARITHMETIC = re.compile(r"[\d\s!+\-*/^(){}.,$=]+")

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
    strict = _after_first_mark(text)
    found = find(text, numeric=False)
    return strict, found.text if found else "", found.rule if found else ""


def canonical(text: str) -> str:
    """A text that is the same for answers that are: `$18`, `18` and `18.00` give `18`; words are compared without case.

    "" for no answer. For votes and counts of answers, e.g. of `Verdict.lenient_answer`.
    """
    number = segments.plain_number(text)
    return str(number) if number is not None else " ".join(_wording(text).casefold().split())


def readable_gold(gold: str) -> bool:
    """Whether a gold text's answer is a number."""
    return _gold_number(gold_answer(gold)) is not None


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
        expected = _gold_number(gold)
        found = find(pred, numeric=expected is not None)
        if found is None:
            judgement.lenient = Status.NO_ANSWER
            continue
        judgement.rule, judgement.lenient_answer = found.rule, found.text[:SHORT]
        if expected is not None and found.number is not None:
            judgement.lenient = _equal(gold, expected, found)
        elif found.text.strip() == gold or (expected is None and _same_words(gold, found.text)):
            judgement.lenient = Status.CORRECT
        elif expected is not None and not ("\\" in found.text or _ARITHMETIC.fullmatch(found.text.strip("* "))):
            # `2x` or `10:30` where a number is asked for; math-verify would take the first number it sees.
            judgement.lenient = Status.WRONG
        else:
            # math-verify finds the answer in a text by itself, several boxes that make a set among them.
            owed.append((index, gold, found.text if found.rule in ("hash_marks", "last_number") else pred))
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
    if _gold_number(gold) is None:
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


def _equal(gold: str, expected: Fraction, found: Candidate) -> Status:
    """Exact equality; 50% is 50 where the question asked for percent, and 0.5 where one side is a share.

    A fraction without an end as a decimal (1/3) may be given with four decimals or more (0.3333), rightly rounded.
    """
    number = found.number
    same = number == expected
    if not same and number is not None:
        gold_share, found_share = ("%" in numbers.clean(text) for text in (gold, found.text))
        if gold_share != found_share:
            same = number == (expected / 100 if gold_share else expected * 100)
        decimals = _DECIMALS.search(found.text)
        if "/" in numbers.clean(gold) and decimals:
            same = round(expected, len(decimals[1])) == number
    return Status.CORRECT if same else Status.WRONG


def _gold_number(gold: str) -> Fraction | None:
    """The number that a gold answer is; `1,2` is a list there, though a model may write 1.2 so."""
    return None if _LIST.fullmatch(gold) else numbers.parse(gold)


def _same_words(gold: str, found: str) -> bool:
    """Whether both are the same word or the same choice: `\\text{(B)}` and `B`, `Monday` and `monday`."""
    word = _wording(gold)
    if _CHOICE.fullmatch(word):
        chosen = _CHOICE.match(_wording(found))
        return chosen is not None and chosen[0] == word
    return len(word) > 1 and word.replace(" ", "").isalpha() and word.casefold() == _wording(found).casefold()


def _wording(text: str) -> str:
    return segments.bare(text).rstrip("!")
