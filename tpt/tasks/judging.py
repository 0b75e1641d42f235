"""The judges that `task.judge` names: which gold answers each can read, and how it gives verdicts.

number   a number, read strictly and leniently (`tpt.judges.answer`)
math     a number, an expression, a letter or a word, compared as `tpt.judges.compare` says, by math-verify at last
choice   the letter of a choice
text     the marked answer as text, ignoring case, spacing and punctuation at its ends
regex    the gold answer is a regular expression: strictly for all of the marked answer, leniently anywhere
python   a function of the user's own
"""

import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from tpt import plugins
from tpt.errors import said
from tpt.records import Problem, Sample, Status, Verdict, overall
from tpt.tasks.columns import BadRow, text
from tpt.tasks.tables import Row

LETTERS = "ABCDEFGHIJ"  # those that `tpt.judges.choice` reads
REGEX_SECONDS = 1.0  # for matching one answer; a pattern can take exponential time
SENTENCE = 3  # words of three letters in what is neither a name nor an expression
LONGEST_NAME = 60  # characters of an answer in words
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_END = "End with a last line `#### ` and"
_ZEROS = re.compile(r"(-?\d[\d,]*)\.0+")  # 145.0, as tables write whole numbers
_LEADING = re.compile(r"^(-?)0+(?=\d)")  # 033, as some competitions write 33
_EDGES = " \t\n.,;:!?\"'`*$()[]{}\u201c\u201d\u2018\u2019"

Pairs = Iterable[tuple[Problem, Sample]]


class Judging(ABC):
    """A judge, and what it needs of the data."""

    asks: ClassVar[str] = f"Solve it step by step. {_END} the answer alone."  # how the default prompt ends
    takes_choices: ClassVar[bool] = False

    def check(self) -> None:  # noqa: B027  # most judges have nothing to check
        """Check what the judge needs besides the data.

        Raises:
            ConfigError: it is not there.
        """

    @abstractmethod
    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """The gold answer of a row.

        Raises:
            BadRow: no gold answer that this judge can read.
        """

    @abstractmethod
    def verdicts(self, pairs: Pairs) -> Iterator[Verdict]:
        """One verdict for each pair, in order."""

    def meta(self, value: Any, row: Row) -> dict[str, Any]:
        """What the judge needs of a row besides the gold answer."""
        return {}


class Math(Judging):
    """Any answer that the judge of answers compares."""

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """What a gold text marks as its answer, or all of it; of several boxes the last."""
        from tpt.judges.gold import gold_answer  # slow to import, and most commands judge nothing
        from tpt.judges.reader import last_boxed

        found = text(value, "gold answer")
        answer = last_boxed(found)[0] if "####" not in found else ""
        answer = answer.strip() or gold_answer(found)
        if not answer:
            raise BadRow(f"has no answer in its gold text {found[:60]!r}")
        if _is_prose(answer):
            raise BadRow(f"has the gold answer {answer[:60]!r}, which is a sentence")
        return whole[1] if (whole := _ZEROS.fullmatch(answer)) else answer

    def verdicts(self, pairs: Pairs) -> Iterator[Verdict]:
        """See `tpt.judges.answer`."""
        from tpt.judges.answer import judge_pairs

        return judge_pairs(pairs)


class Number(Math):
    """A number."""

    asks = f"Solve it step by step. {_END} the number."

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """The number that a gold text marks."""
        from tpt.judges.gold import is_number

        answer = super().gold(value, choices)
        if not is_number(answer):
            raise BadRow(f"has no number as its gold answer, but {answer[:60]!r}")
        return _LEADING.sub(r"\1", answer)


class Choice(Math):
    """The letter of a choice; the data gives it as a letter, as a number from 0, or as the text of the choice."""

    asks = f"Think step by step. {_END} the letter of the right answer."
    takes_choices = True

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """The letter.

        Raises:
            BadRow: the gold answer is none of the choices, or it could be two of them.
        """
        letters = LETTERS[: len(choices)]
        if isinstance(value, int) and not isinstance(value, bool):
            if value not in range(len(choices)):
                raise BadRow(f"has the gold answer {value}, and its choices have the numbers 0 to {len(choices) - 1}")
            return letters[value]
        gold = text(value, "gold answer")
        found = {letters[number] for number, one in enumerate(choices) if one == gold}
        if (letter := gold.strip("(). ")) in letters and len(letter) == 1:
            found.add(letter)
        if not found and gold.isdecimal() and int(gold) < len(choices):
            found.add(letters[int(gold)])
        if len(found) != 1:
            could = "none" if not found else f"both {' and '.join(sorted(found))}"
            raise BadRow(f"has the gold answer {gold[:60]!r}, which is {could} of its {len(choices)} choices")
        return found.pop()


class Text(Judging):
    """The answer as text; a gold that is a list names several right answers."""

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """The text; the first of several."""
        return _several(value)[0]

    def meta(self, value: Any, row: Row) -> dict[str, Any]:
        """All right answers, where there are several."""
        golds = _several(value)
        return {"golds": golds} if len(golds) > 1 else {}

    def verdicts(self, pairs: Pairs) -> Iterator[Verdict]:
        """Strictly, what follows the first `####`; leniently, the answer wherever it is marked, or all of the text."""
        from tpt.judges.answer import marked_answers

        for problem, sample in pairs:
            strict, lenient, rule = marked_answers(sample.text)
            golds = json.loads(problem.meta).get("golds", [problem.gold])
            plain = {_plain(one) for one in golds}
            yield _verdict(
                sample,
                _status(strict, strict in golds),
                _status(lenient, _plain(lenient) in plain),
                strict,
                lenient,
                rule,
            )


class Regex(Judging):
    """The gold answer is a regular expression."""

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """The expression, if it is one."""
        import regex

        pattern = text(value, "gold answer")
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise BadRow(f"has the gold answer {pattern[:60]!r}, which is no regular expression ({error})") from error
        return pattern

    def verdicts(self, pairs: Pairs) -> Iterator[Verdict]:
        """Strictly, all of what follows the first `####` matches; leniently, anything after the thinking does."""
        import regex  # unlike re, it can be told to give up

        from tpt.judges.answer import marked_answers
        from tpt.judges.thinking import final_part

        for problem, sample in pairs:
            strict, _, rule = marked_answers(sample.text)
            final = final_part(sample.text) or ""
            try:
                whole = bool(regex.fullmatch(problem.gold, strict, timeout=REGEX_SECONDS))
                found = regex.search(problem.gold, final, timeout=REGEX_SECONDS)
            except TimeoutError:
                reason = f"matching took more than {REGEX_SECONDS:g} s"
                yield _verdict(sample, Status.JUDGE_ERROR, Status.JUDGE_ERROR, strict, "", rule, reason)
                continue
            lenient = found[0] if found else ""
            yield _verdict(sample, _status(strict, whole), _status(final, found is not None), strict, lenient, rule)


class Python(Judging):
    """A function of the user's own, `FUNCTION(completion, row)`, which runs in this process.

    It gets what follows the thinking, and the row. It returns true or false, a number from 0 to 1 (1 is correct, and
    anything between is partly correct), or None if there is no answer.

    Args:
        spec: `python:FILE:FUNCTION`.
    """

    asks = ""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self.path, self.name = plugins.split(spec)

    def check(self) -> None:
        """Check that there is such a function, which imports its file.

        Raises:
            ConfigError: the file cannot be imported, or has no such function.
        """
        plugins.function("task.judge", self._spec)

    @cached_property
    def function(self) -> Callable[[str, Row], Any]:
        """The function."""
        return plugins.function("task.judge", self._spec)

    def gold(self, value: Any, choices: Sequence[str]) -> str:
        """Any text; none is fine too, as the function has the row."""
        return "" if value is None or value == "" else text(value, "gold answer")

    def meta(self, value: Any, row: Row) -> dict[str, Any]:
        """The row."""
        return {"row": row}

    def verdicts(self, pairs: Pairs) -> Iterator[Verdict]:
        """What the function returns; an error that it raises is a judge error, with its words as the reason."""
        from tpt.judges.thinking import UNFINISHED, final_part

        for problem, sample in pairs:
            final = final_part(sample.text)
            if final is None:
                yield _verdict(sample, Status.NO_ANSWER, Status.NO_ANSWER, rule=UNFINISHED)
                continue
            try:
                status, reason = _said_by(self.function(final, json.loads(problem.meta)["row"]))
            except Exception as error:  # whatever a user's function raises
                status, reason = Status.JUDGE_ERROR, f"{type(error).__name__}: {said(error)}"
            yield _verdict(sample, status, status, rule=self.name, reason=reason)


JUDGES: dict[str, type[Judging]] = {"number": Number, "math": Math, "choice": Choice, "text": Text, "regex": Regex}
KINDS = f"{', '.join(JUDGES)}, or python:FILE:FUNCTION"


def known(name: str) -> bool:
    """Whether `task.judge` may be this."""
    return name in JUDGES or (name.startswith(plugins.PYTHON) and name.count(":") >= 2)


def make(name: str) -> Judging:
    """The judge that `task.judge` names."""
    return Python(name) if name.startswith(plugins.PYTHON) else JUDGES[name]()


def _is_prose(answer: str) -> bool:
    """Whether a gold answer is neither number, letter, time, ratio, name nor expression, but running text."""
    from tpt.judges import latex
    from tpt.judges.gold import read_gold
    from tpt.judges.symbolic import is_formula

    one = read_gold(answer)
    if one.quantity or one.letter or one.moment or one.ratio or (one.word and len(answer) <= LONGEST_NAME):
        return False
    return not is_formula(latex.spelled(answer)) and len(_WORD.findall(answer)) >= SENTENCE


def _several(value: Any) -> list[str]:
    values = value if isinstance(value, list) and value else [value]
    return [text(one, "gold answer") for one in values]


def _plain(answer: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", answer).casefold().split()).strip(_EDGES)


def _status(answer: str, right: bool) -> Status:
    return Status.CORRECT if right else Status.WRONG if answer.strip() else Status.NO_ANSWER


def _said_by(value: Any) -> tuple[Status, str]:
    """The status that a user's function gives, and why, where it gives none."""
    if value is None:
        return Status.NO_ANSWER, ""
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        return Status.JUDGE_ERROR, f"it returned {value!r:.60}, not true, false, None or a number from 0 to 1"
    return (Status.CORRECT if value == 1 else Status.PARTIAL if value else Status.WRONG), ""


def _verdict(
    sample: Sample, strict: Status, lenient: Status, strict_answer: str = "", lenient_answer: str = "",
    rule: str = "", reason: str = "",
) -> Verdict:  # fmt: skip
    status = overall(strict, lenient)
    return Verdict(
        sample.problem_id,
        sample.index,
        status,
        strict,
        lenient,
        rule,
        strict_answer[:300],
        lenient_answer[:300],
        int(status is Status.CORRECT),
        reason=reason,
    )
