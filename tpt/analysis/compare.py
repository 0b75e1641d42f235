"""A measure of each problem, round by round: its mean with an interval, and the paired change over the base model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tpt.errors import DataError
from tpt.evaluate.intervals import Interval, mean_interval
from tpt.report.rows import round_name
from tpt.settings.sampling import EvaluateConfig

ByProblem = dict[str, float]

FEWEST = 20  # problems that an interval needs: with fewer, too little is known of how they spread

TOO_FEW = "too few problems"


@dataclass(frozen=True)
class Compared:
    """One measure of one round.

    Attributes:
        round: 0 is the base model.
        value: mean over the problems that have one.
        problems: how many those are.
        change: over the base model, paired by problem; None for the base model, and if no problem has both.
        pairs: problems that have both.
    """

    round: int
    value: Interval
    problems: int
    change: Interval | None
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON; without the interval of too few problems."""
        value, change = _told(self.value, self.problems), self.change and _told(self.change, self.pairs)
        return {"problems": self.problems, "value": value, "pairs": self.pairs, "change": change}

    def words(self, digits: int) -> str:
        """The value with its interval; alone if it is of too few problems."""
        return shown(self.value, digits) if self.problems >= FEWEST else f"{self.value.value:.{digits}f} ({TOO_FEW})"

    def change_words(self, digits: int) -> str:
        """The change with its interval; alone if it is of too few problems; "" if there is none."""
        if self.change is None:
            return ""
        enough = self.pairs >= FEWEST
        return shown(self.change, digits, True) if enough else f"{self.change.value:+.{digits}f} ({TOO_FEW})"


def compare(by_round: dict[int, ByProblem], config: EvaluateConfig) -> list[Compared]:
    """A measure of some rounds, round 0 among them, against round 0.

    Raises:
        ValueError: a round has no problem with a value.
    """
    base = by_round[0]
    found = []
    for round, values in by_round.items():
        both = [problem for problem in values if problem in base] if round else []
        change = mean_interval(_array(values[one] - base[one] for one in both), config.confidence) if both else None
        value = mean_interval(_array(values.values()), config.confidence)
        found.append(Compared(round, value, len(values), change, len(both)))
    return found


def same_problems(by_round: Mapping[int, Iterable[str]]) -> None:
    """Check that all rounds are of the same problems.

    Raises:
        DataError: they are not.
    """
    if len({frozenset(problems) for problems in by_round.values()}) > 1:
        raise DataError("the rounds are evaluated on different problems", "remove the evaluations and run them again")


def in_words(name: str, compared: Compared, base: Compared, digits: int) -> str:
    """The change of a measure as a sentence that claims no more than its interval does."""
    of_both = f"{compared.words(digits)} in {round_name(compared.round)}, {base.words(digits)} at baseline"
    if compared.change is None or compared.pairs < FEWEST:
        return f"{name}: {of_both}; {compared.pairs} problems have both, too few to tell a change"
    change = compared.change_words(digits)
    said = {
        1: f"{name} rose: {change}",
        -1: f"{name} fell: {change}",
        0: f"no change in {name} that can be told from noise: {change}",
    }[compared.change.direction]
    return f"{said} ({of_both})"


def shown(value: Interval, digits: int, sign: bool = False) -> str:
    """A figure with its interval: `0.61 [0.55, 0.67]`."""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{value.value:{form}} [{value.low:{form}}, {value.high:{form}}]"


def _told(value: Interval, problems: int) -> Mapping[str, float]:
    return cast(Mapping[str, float], value.to_dict()) if problems >= FEWEST else {"value": value.value}


def _array(values: Iterable[float]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.fromiter(values, dtype=np.float64)
