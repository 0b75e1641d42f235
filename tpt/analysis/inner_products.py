"""Unbiased inner products of expected gradients, from the scores of samples, with intervals over problems.

The score of a sample y of a problem with prompt x is s(y) = grad log pi(y | x). What is compared are expectations such
as E[r s], where r is 1 for a right sample and 0 for a wrong one. The squared norm of a mean of n scores exceeds that of
the expectation by the variance divided by n, which for a language model is many times the squared norm itself, so that
figures computed from such means mostly show noise. Every inner product here is therefore a U-statistic (Hoeffding
1948): it multiplies only scores of different, independent samples,

- `within`: of different samples of one problem, averaged over problems;
- `across`: of samples of different problems, which estimates the inner product of the gradients averaged over problems.

Problems are independent, and a problem's samples are part of it: leaving out one problem at a time (the jackknife,
Efron and Stein 1981) gives intervals that cover the draw of the problems and of the samples.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tpt.evaluate.intervals import Interval
from tpt.evaluate.passk import pass_at_k

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

FEWEST = 10  # problems for an interval: with fewer, the jackknife's variance is itself mostly noise


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the same number of samples of each problem.

    Attributes:
        vectors: shape (problems, samples, size).
        right: whether a sample is right, shape (problems, samples).
    """

    vectors: Vectors
    right: Bools

    @cached_property
    def squares(self) -> Floats:
        """|s|**2 of each sample, shape (problems, samples)."""
        found: Floats = np.einsum("qnd,qnd->qn", self.vectors, self.vectors, dtype=np.float64)
        return found

    def first(self, samples: int) -> "Scores":
        """The first samples of each problem."""
        return Scores(self.vectors[:, :samples], self.right[:, :samples])


@dataclass(frozen=True, eq=False)
class Side:
    """An expected gradient of each problem, estimated by a weighted sum of its samples' scores.

    Attributes:
        scores: of the samples.
        weights: shape (problems, samples).
    """

    scores: Scores
    weights: Floats

    @cached_property
    def sums(self) -> Floats:
        """The estimate of each problem, shape (problems, size)."""
        found: Floats = np.einsum("qn,qnd->qd", self.weights, self.scores.vectors)
        return found


def right(scores: Scores) -> Side:
    """E[r s] = p g+, where p is the chance of a right sample and g+ = E[s | right]."""
    return Side(scores, scores.right / scores.right.shape[1])


def wrong(scores: Scores) -> Side:
    """E[(1 - r) s] = (1 - p) g-, where g- = E[s | wrong]."""
    return right(replace(scores, right=~scores.right))


def one_of(scores: Scores, samples: int) -> Side:
    """The expected gradient on one right sample, chosen at random among those of `samples`, or 0 if none is right.

    Its expectation is (1 - (1 - p)**samples) g+. With c right samples of n, the mean of the right ones is weighted with
    the share of all subsets of this size that hold a right one, which is what pass@k computes.

    Args:
        samples: at most as many as each problem has.
    """
    count = scores.right.sum(1)
    solved = pass_at_k(np.full_like(count, scores.right.shape[1]), count, samples)
    return Side(scores, scores.right * (solved / np.maximum(count, 1))[:, None])


def within(one: Side, other: Side) -> Floats:
    """The mean over problems of the inner product of two expected gradients of the same problem.

    Args:
        one: with `other`, of `right` or `wrong`; of the same samples, or of samples drawn independently.

    Returns:
        the value for all problems, then with each of them left out; shape (1 + problems,).
    """
    products = np.einsum("qd,qd->q", one.sums, other.sums)
    if one.scores.vectors is other.scores.vectors:
        samples = one.weights.shape[1]
        own = (one.weights * other.weights * one.scores.squares).sum(1)
        products = (products - own) * samples / (samples - 1)
    rest = (products.sum() - products) / max(1, products.size - 1)
    return np.concatenate([[products.mean()], rest])


def across(one: Side, other: Side) -> Floats:
    """The inner product of two expected gradients, averaged over pairs of different problems.

    Args:
        one: with `other`, of the same problems in the same order.

    Returns:
        as `within` does.
    """
    products = one.sums @ other.sums.T
    np.fill_diagonal(products, 0.0)
    totals = np.concatenate([[products.sum()], products.sum() - products.sum(0) - products.sum(1)])
    count = np.array([len(products), *[len(products) - 1] * len(products)])
    found: Floats = totals / np.maximum(1, count * (count - 1))
    return found


def jackknife(values: Floats, confidence: float) -> Interval:
    """A figure with its jackknife interval, by Student's t.

    Args:
        values: as `within` and `across` return them, or a smooth function of those.
    """
    from scipy.stats import t  # slow to import

    count = values.size - 1
    error = np.sqrt((count - 1) / count * np.square(values[1:] - values[1:].mean()).sum())
    reach = float(t.ppf((1 + confidence) / 2, count - 1) * error)
    return Interval(float(values[0]), float(values[0]) - reach, float(values[0]) + reach)


def figure(values: Floats, norms: list[Floats], confidence: float) -> Interval | None:
    """A figure with its interval, unless it cannot be told.

    Args:
        norms: the squared norms that the figure divides by. Unless each is clearly above 0, the figure is that of
            noise, and no interval for it holds.

    Returns:
        None if it cannot be told: too few problems, or a norm that might be 0.
    """
    if values.size <= FEWEST or not np.isfinite(values).all():
        return None
    if any(jackknife(norm, confidence).low <= 0 for norm in norms):
        return None
    return jackknife(values, confidence)


def cosine(dot: Floats, one: Floats, other: Floats, confidence: float) -> Interval | None:
    """The cosine of two expected gradients, from their inner product and squared norms; None if it cannot be told.

    The estimate is not confined to [-1, 1], because an unbiased estimate cannot be.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return figure(dot / np.sqrt(one * other), [one, other], confidence)


@dataclass(frozen=True, eq=False)
class Products:
    """Inner products of a = p g+ and b = (1 - p) g-, each as `within` and `across` return them.

    Attributes:
        right: <a, a>.
        wrong: <b, b>.
        cross: <a, b>.
    """

    right: Floats
    wrong: Floats
    cross: Floats

    @property
    def policy(self) -> Floats:
        """|a - b|**2, of the policy gradient with rewards +1 and -1."""
        return self.right + self.wrong - 2 * self.cross

    def figures(self, confidence: float) -> dict[str, Interval | None]:
        """The figures that section 2.1 speaks of, each None if it cannot be told.

        Returns:
            `cosine` of a - b and a; `ratio` |a - b| / |a|; `sides`, the cosine of a and b; `residual`,
            |a + b|**2 / |a|**2, which is the mean score beside the gradient on right samples.
        """
        a, b, policy = self.right, self.wrong, self.policy
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "cosine": cosine(a - self.cross, policy, a, confidence),
                "ratio": figure(np.sqrt(policy / a), [policy, a], confidence),
                "sides": cosine(self.cross, a, b, confidence),
                "residual": figure((a + b + 2 * self.cross) / a, [a], confidence),
            }


LEVELS = {"within": within, "across": across}


def products(scores: Scores, level: str) -> Products:
    """The inner products of the gradients on right and on wrong samples, at a level of `LEVELS`."""
    inner, a, b = LEVELS[level], right(scores), wrong(scores)
    return Products(inner(a, a), inner(b, b), inner(a, b))


def plugged_in(scores: Scores) -> tuple[float, float]:
    """What means of the same samples on both sides would give: biased, and shown for comparison only.

    Returns:
        the cosine of g+ and g-, and |g+ - g-| / |g+|, averaged over the problems with right and wrong samples; NaN if
        there is none.
    """
    found = []
    for vectors, is_right in zip(scores.vectors, scores.right, strict=True):
        if is_right.any() and not is_right.all():
            plus, minus = vectors[is_right].mean(0), vectors[~is_right].mean(0)
            length = np.linalg.norm(plus)
            found.append((plus @ minus / (length * np.linalg.norm(minus)), np.linalg.norm(plus - minus) / length))
    sides, ratio = np.mean(found, axis=0) if found else (np.nan, np.nan)
    return float(sides), float(ratio)


def agreement(found: Interval | None, claim: float, margin: float) -> str:
    """What an interval says about a claim that holds up to a margin.

    This is the test of equivalence by two one-sided tests (Schuirmann 1987): the whole interval has to lie within the
    margin, so that fewer data can never agree more.

    Returns:
        `agrees`, `does not agree` (the interval lies outside the margin) or `cannot be told`.
    """
    if found is None:
        return "cannot be told"
    if claim - margin <= found.low and found.high <= claim + margin:
        return "agrees"
    outside = found.high < claim - margin or found.low > claim + margin
    return "does not agree" if outside else "cannot be told"
