"""Judging a completion by its final answer, read strictly and leniently.

Both read what follows the thinking (`tpt.judges.thinking`); a completion that never finishes thinking has no answer.

Strict is the paper's reading (arXiv 2504.18116, as in its public replication): the first `####` directly followed by a
number, compared with the gold answer as text. Nothing may come between marker and number, and `18.00`, `1,800` or `$18`
are not `18`. A gain measured this way may be mostly a gain in format, which is why there is a lenient reading as well.

Lenient takes the answer that `tpt.judges.reader` finds, with the rule that found it, and compares it (`compare`)
according to what the gold answer is (`gold`):
    a choice    by its letter (`choice`)
    a moment    by time or date (`clock`)
    a quantity  exactly, however it is formatted, computing arithmetic, with its unit (`segment`, `arithmetic`)
    words       ignoring case
    other       first as it is written (`latex`), then by math-verify in a worker process (`symbolic`)
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tpt.judges import choice, clock, latex, reader
from tpt.judges import segment as segments
from tpt.judges.compare import compare
from tpt.judges.gold import Gold, is_number, read_gold, wording
from tpt.judges.reader import READ, SHORT, find
from tpt.judges.symbolic import Outcome, Symbolic
from tpt.judges.thinking import UNFINISHED, final_part, in_answer_tags
from tpt.records import Problem, Sample, Status, Verdict, overall

STRICT = re.compile(r"####\s*(-?[0-9.,]+)")
PAIRS_AT_ONCE = 256

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
    """What the two readers say about one completion; the fields are those of `records.Verdict`."""

    strict: Status
    lenient: Status
    rule: str = ""
    strict_answer: str = ""
    lenient_answer: str = ""
    reason: str = ""

    @property
    def status(self) -> Status:
        """What both readers say together."""
        return overall(self.strict, self.lenient)


def judge_answer(*, gold: str, pred: str, symbolic: Symbolic | None = None) -> Judgement:
    """Judge one completion.

    Args:
        gold: the right answer, or a worked solution that ends with `#### ` and the answer.
        pred: the completion.
        symbolic: workers for answers that are not numbers; None to start one for this call.
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
    """The verdict on a sample from its judgement."""
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


def marked_answers(text: str) -> tuple[str, str, str]:
    """A completion's answer for tasks that score it themselves: the strict text, the lenient text, the lenient rule."""
    final = final_part(text)
    if final is None:
        return "", "", UNFINISHED
    strict = _after_first_mark(final)
    found = find(_lenient_part(final), numeric=False)
    return strict, found.text if found else "", found.rule if found else ""


def canonical(text: str) -> str:
    """The canonical form of an answer, for voting on and counting answers such as `Verdict.lenient_answer`.

    Equal answers have the same form: `$18`, `18` and `18.00` all give `18`; the case of words is ignored. No answer
    gives "".
    """
    if (moment := clock.whole(text)) is not None:
        return str(moment)
    if (letter := choice.gold_letter(text)) is not None:
        return letter
    if (quantity := segments.read(text)) is not None:
        return str(quantity.value)
    word = wording(text)
    if len(word) > 1 and word.replace(" ", "").isalpha():
        return " ".join(word.casefold().split())
    return latex.squeezed(text[:SHORT])


@dataclass(slots=True)
class _Owed:
    """What math-verify must still decide about a judgement: whether all of these pairs are equal."""

    judgement: Judgement
    gold: str
    pairs: list[tuple[str, str]] = field(default_factory=list)


def _judge_all(pairs: list[tuple[str, str]], symbolic: Symbolic) -> list[Judgement]:
    """Judge everything that needs no algebra; give the rest to math-verify in one batch."""
    judgements: list[Judgement] = []
    owed: list[_Owed] = []
    for gold_text, pred in pairs:
        judgement, pairs_owed = _judge_one(read_gold(gold_text), pred)
        judgements.append(judgement)
        if pairs_owed:
            owed.append(_Owed(judgement, read_gold(gold_text).text, pairs_owed))
    outcomes = iter(symbolic.compare([pair for one in owed for pair in one.pairs]) if owed else [])
    for one in owed:
        _settle(one, list(islice(outcomes, len(one.pairs))))
    return judgements


def _judge_one(gold: Gold, pred: str) -> tuple[Judgement, list[tuple[str, str]]]:
    """The judgement on a completion, and the pairs that math-verify must find equal for the lenient reader."""
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
        judgement.reason = f"only {READ:,} of {len(said):,} characters were read"
    found, verdict, owed = compare(gold, text)
    judgement.lenient = verdict
    if found is not None:
        tagged = found.rule == "whole_text" and len(said) < len(final) and said == in_answer_tags(final)
        judgement.rule = "answer_tag" if tagged else found.rule
        judgement.lenient_answer = found.text[:SHORT]
    return judgement, owed


def _lenient_part(final: str) -> str:
    """The part of what follows the thinking that the lenient reader looks at."""
    return reader.first_turn(in_answer_tags(final))


def _settle(owed: _Owed, outcomes: list[Outcome]) -> None:
    worst = max(outcomes, key=_SEVERITY.index)
    owed.judgement.lenient = _OVERALL[worst]
    if worst is Outcome.ERROR:
        owed.judgement.reason = "math-verify ran out of time or memory, or died"
    if worst is Outcome.GOLD_UNREADABLE:
        owed.judgement.strict = Status.GOLD_UNREADABLE
        owed.judgement.reason = f"the gold answer {owed.gold[:80]!r} is neither a number nor an expression"


def _read_strictly(gold: Gold, final: str) -> Judgement:
    if is_number(gold.text):
        match = STRICT.search(final)
        answer = match[1] if match else ""
    else:
        answer = _after_first_mark(final)
    if not answer:
        return Judgement(Status.NO_ANSWER, Status.NO_ANSWER)
    # Data sets write thousands with or without commas; a model has no way to know which.
    right = answer in (gold.text, gold.text.replace(",", ""))
    return Judgement(Status.CORRECT if right else Status.WRONG, Status.NO_ANSWER, strict_answer=answer[:SHORT])


def _after_first_mark(text: str) -> str:
    """The rest of the line after the first `####`, or ""."""
    _, mark, rest = text.partition("####")
    return rest.split("\n", 1)[0].strip() if mark else ""
