"""What a design can see before anything is run: the least difference between two arms that it tells from none.

Two arms are evaluated on the same problems. The problems' shares of right samples have a standard deviation `spread`
and agree between the arms with the correlation `agreement`; each share is that of n samples; and the trainings of an
arm differ by `between`. The interval of the difference is that of `evaluate.trainings.independent`; the least
difference found with a power of 80 % is its half-width and 0.84 standard errors.
"""

from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

import numpy as np

from tpt.evaluate.passk import Ints
from tpt.evaluate.trainings import student

POWER = 0.8
BETWEEN = 0.025  # standard deviation between trainings, as found in repeated runs of table 3 at laptop scale
TARGET = 0.05  # the difference for which a larger design is suggested
MANY_PROBLEMS = (50, 100, 150, 200, 300, 500, 1000, 2000, 5000)
MANY_TRAININGS = (2, 3, 4, 5, 6, 8, 10, 15, 20)


@dataclass(frozen=True)
class Design:
    """How much is measured of each of two arms: problems, samples of each problem, and trainings."""

    problems: int
    samples: int
    trainings: int


@dataclass(frozen=True)
class Assumed:
    """What a design's power depends on, as shares.

    Attributes:
        rate: the mean share of right samples.
        spread: the standard deviation of the problems' true shares.
        agreement: the correlation of the problems' true shares between two arms.
        between: the standard deviation between trainings of one arm.
        measured: whether rate and spread are those of the base model's evaluation.
    """

    rate: float = 0.3
    spread: float = 0.3
    agreement: float = 0.8
    between: float = BETWEEN
    measured: bool = False

    @classmethod
    def of_counts(cls, n: Ints, right: Ints) -> "Assumed":
        """Rate and spread from the counts of an evaluation with at least two samples of each problem.

        The variance of the observed shares is that of the true ones and p(1 - p) / n, of which s(1 - s) / (n - 1) is
        an unbiased estimate from an observed share s.
        """
        shares = right / n
        noise = (shares * (1 - shares) / np.maximum(n - 1, 1)).mean()
        spread = sqrt(max(0.0, float(shares.var(ddof=1) - noise))) if shares.size > 1 else cls.spread
        return cls(rate=float(shares.mean()), spread=spread, measured=True)

    def in_words(self) -> str:
        """The assumptions, in a sentence."""
        origin = "as the base model's evaluation has it" if self.measured else "assumed"
        return (
            f"pass@1 about {100 * self.rate:.0f} %, problems' shares spread by {100 * self.spread:.0f} points "
            f"({origin}); assumed: shares of two arms correlate by {self.agreement:g}, trainings spread by "
            f"{100 * self.between:g} points"
        )


def detectable(design: Design, assumed: Assumed, confidence: float = 0.95) -> float:
    """The least true difference in pass@1 that is told from 0 in 80 % of cases, as a share.

    Of one training a side the spread between trainings has to be known, for the data do not show it.
    """
    sampling = max(0.0, assumed.rate * (1 - assumed.rate) - assumed.spread**2) / design.samples
    of_problems = 2 * assumed.spread**2 * (1 - assumed.agreement) + 2 * sampling / design.trainings
    problems = sqrt(of_problems / design.problems)
    trainings = sqrt(2 / design.trainings) * assumed.between
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    if design.trainings == 1:
        half = z * hypot(problems, trainings)
    else:
        # The means of trainings also differ by the samples that were drawn.
        seen = sqrt(2 / design.trainings) * hypot(assumed.between, sqrt(sampling / design.problems))
        half = hypot(z * problems, student(confidence, 2 * design.trainings - 2) * seen)
    return half + NormalDist().inv_cdf(POWER) * hypot(problems, trainings)


def enough(samples: int, assumed: Assumed, target: float = TARGET) -> Design | None:
    """The design of the fewest evaluated problems, over all trainings, that sees a difference; None: none here does."""
    designs = [Design(problems, samples, trainings) for problems in MANY_PROBLEMS for trainings in MANY_TRAININGS]
    seen = [one for one in designs if detectable(one, assumed) <= target]
    return min(seen, key=lambda one: (one.problems * one.trainings, one.trainings), default=None)


def needed(samples: int, trainings: int, assumed: Assumed, target: float = TARGET) -> int | None:
    """How many problems see a difference with so many trainings; None: no number here does."""
    seen = (one for one in MANY_PROBLEMS if detectable(Design(one, samples, trainings), assumed) <= target)
    return next(seen, None)


def in_words(design: Design, assumed: Assumed) -> str:
    """What a design can see, and what is assumed for that."""
    least = detectable(design, assumed)
    said = (
        f"{design.problems} problems x {design.samples} samples, {_trainings(design.trainings)}: arms must differ by "
        f"{100 * least:.0f} points to be told apart"
    )
    more = enough(design.samples, assumed)
    if least > TARGET and more:
        said += f"; for {100 * TARGET:g} points take {more.problems} problems x {more.trainings} trainings"
    return _line(said, design.trainings, assumed)


def unknown_in_words(samples: int, trainings: int, assumed: Assumed) -> str:
    """How many problems a design needs, where it is not known yet how many there are."""
    problems, more = needed(samples, trainings, assumed), enough(samples, assumed)
    said = f"the number of problems is known only after prepare; to tell apart arms {100 * TARGET:g} points apart, "
    design = f"{_trainings(trainings)} x {samples} samples"
    if problems:
        said += f"{design} take {problems} problems"
    else:
        said += f"not even {MANY_PROBLEMS[-1]} problems are enough with {design}"
        said += f": take {more.problems} problems x {more.trainings} trainings" if more else ""
    return _line(said, trainings, assumed)


def _trainings(count: int) -> str:
    return f"{count} training{'s' if count > 1 else ''}"


def _line(said: str, trainings: int, assumed: Assumed) -> str:
    alone = ". One training a side tells checkpoints apart, and nothing about the methods" if trainings == 1 else ""
    return f"power: {said}{alone}. {assumed.in_words()}."
