"""At which step of a wrong solution does its chance of success fall?

The chance after a step is the share of continuations sampled from there that succeed, as in the step-level value
estimates of Math-Shepherd (arXiv 2312.08935) and OmegaPRM (arXiv 2406.06592). They take the first step without any
successful continuation; with few continuations that is as often a chance that is merely small. Here the step is the one
at which the chance falls furthest, and whether it does is tested on continuations that had no part in choosing it:

1. One half of each prefix's continuations chooses the step: the largest fall, the first of equal ones.
2. The other half estimates the chance before and after it, and decides. The step is located if both hold:
   - the chance falls there: Fisher's exact test, one-sided, at the level 1 - confidence;
   - no other step has a larger fall: the share of draws in which that is so, out of the posterior of all chances given
     this half (Jeffreys' prior for each), is at least the confidence.
   Otherwise it cannot be told.

The first condition bounds the rate at which a step is named although the chance falls nowhere. The chance after the
last step of a wrong solution is known to be 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 1000  # of the posterior: a share of 0.95 is known to 0.007

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Located:
    """The step at which the chance falls furthest; all numbers except `step` are of the second half.

    Attributes:
        step: from 1; 0: the first half saw no fall anywhere.
        start: the chance before the first step.
        before, after: the chance before and after the step.
        p: of Fisher's test; 0 if the chance after the step is known to be 0 and some continuation from before it
            succeeded.
        largest: the probability that no other step has a larger fall.
        told: whether the step is located with the confidence requested.
    """

    step: int
    start: float
    before: float
    after: float
    p: float
    largest: float
    told: bool

    @property
    def fall(self) -> float:
        """How far the chance falls at the step, free of the bias of having chosen it; negative if it rises."""
        return self.before - self.after


def locate(succeeded: Sequence[Sequence[bool]], lost: bool, confidence: float) -> Located:
    """The step of a solution at which its chance of success falls furthest.

    Args:
        succeeded: whether each continuation from before the first step, after the first step, ... succeeded; the same
            number, at least 2, from each.
        lost: whether the solution ended, wrong, one step after the last of them: the chance there is 0.
        confidence: of naming a step, e.g. 0.95.
    """
    outcomes = np.asarray(succeeded, dtype=np.float64)
    half = outcomes.shape[1] // 2
    first = _with_end(outcomes[:, :half].mean(1), lost)
    right, n = outcomes[:, half:].sum(1), outcomes.shape[1] - half
    second = _with_end(right / n, lost)
    falls = first[:-1] - first[1:]
    if not falls.size or falls.max() <= 0:
        return Located(0, float(second[0]), float(second[0]), float(second[-1]), 1.0, 0.0, False)
    step = int(falls.argmax()) + 1
    p = fall_test(int(right[step - 1]), int(right[step]) if step < len(right) else None, n)
    largest = _largest(right, n, lost, step)
    told = p <= 1 - confidence and largest >= confidence
    return Located(step, float(second[0]), float(second[step - 1]), float(second[step]), p, largest, told)


def fall_test(before: int, after: int | None, n: int) -> float:
    """The p-value of the hypothesis that a chance does not fall, by Fisher's exact test.

    Args:
        before, after: successes of `n` each; `after` is None if the chance after is known to be 0, which a single
            success before it proves to be a fall.
    """
    from scipy.stats import fisher_exact  # here: slow to import

    if after is None:
        return 0.0 if before else 1.0
    return float(fisher_exact([[before, n - before], [after, n - after]], alternative="greater").pvalue)


def _largest(right: Floats, n: int, lost: bool, step: int) -> float:
    """The share of draws of all chances from their posteriors in which the fall at a step is the largest."""
    rng = np.random.default_rng(0)
    drawn = rng.beta(right + 0.5, n - right + 0.5, size=(DRAWS, len(right)))
    falls = -np.diff(np.column_stack([drawn, np.zeros(DRAWS)]) if lost else drawn, axis=1)
    return float(np.mean((falls.argmax(1) == step - 1) & (falls.max(1) > 0)))


def _with_end(chances: Floats, lost: bool) -> Floats:
    return np.append(chances, 0.0) if lost else chances
