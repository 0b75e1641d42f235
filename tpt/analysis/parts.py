"""What a gain in pass@1 is made of: fewer samples cut off, better form, other lengths, and the rest.

The chance that a sample is right is a product of what has to come together:

    P(right) = P(not cut off) * P(form | not cut off) * sum over lengths of P(length | form) * P(right | form, length)

A difference of two such products is shared among its factors by Shapley's rule: each factor is changed from before to
after in every order, and its mean effect is its part. The parts add up to the gain exactly (Kitagawa 1955, Das Gupta
1993; Shapley 1953). They describe; they are not causes: a model that reasons better also writes other lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from tpt.analysis.samples import Judged
from tpt.evaluate.metrics import JUDGED
from tpt.records import Sample, Status

Floats = npt.NDArray[np.float64]

PARTS = ("cut off", "format", "length", "the rest")
BINS = 5  # quantiles of the lengths of both rounds' well-formed samples
RESAMPLES = 2000


@dataclass(frozen=True)
class Part:
    """One part of a gain, as a difference of shares, with the ends of its interval over problems."""

    name: str
    value: float
    low: float
    high: float


def split(
    before: Sequence[Sequence[Judged]], after: Sequence[Sequence[Judged]], confidence: float, seed: int
) -> list[Part]:
    """The parts of the gain in pass@1, strict.

    Args:
        before, after: the judged samples of each problem, in the same order of problems; samples with their tokens.
        confidence: of the intervals, percentiles of a bootstrap over problems.
        seed: of the bootstrap.

    Returns:
        `PARTS` in order; their values add up to the gain.
    """
    lengths = [len(one.completion_ids) for side in (before, after) for one in _formed(side)]
    edges: Floats = np.quantile(lengths or [0], np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float64)
    sides = [np.array([_shares(judged, edges) for judged in side]) for side in (before, after)]
    values = _shapley(sides[0].mean(axis=0), sides[1].mean(axis=0))
    count = len(before)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    spread = _shapley(drawn @ sides[0], drawn @ sides[1])
    tail = (1 - confidence) / 2
    low, high = np.quantile(spread, [tail, 1 - tail], axis=0)
    return [Part(name, *map(float, ends)) for name, *ends in zip(PARTS, values, low, high, strict=True)]


def _formed(side: Sequence[Sequence[Judged]]) -> list[Sample]:
    return [sample for judged in side for sample, verdict in judged if verdict.strict in JUDGED]


def _shares(judged: Sequence[Judged], edges: Floats) -> Floats:
    """Of one problem's samples: the share cut off without an answer; by length, the shares well formed, and right."""
    cut, formed, right = 0, np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
    for sample, verdict in judged:
        at = int(np.searchsorted(edges, len(sample.completion_ids)))
        formed[at] += verdict.strict in JUDGED
        right[at] += verdict.strict is Status.CORRECT
        cut += sample.finish_reason == "length" and verdict.strict not in JUDGED
    shares: Floats = np.concatenate([[cut], formed, right]) / len(judged)
    return shares


def _shapley(before: Floats, after: Floats) -> Floats:
    """The parts of `after`'s rate less `before`'s; shapes (..., 1 + 2 bins) -> (..., parts)."""
    old, new = _factors(before, after), _factors(after, before)
    orders = list(permutations(range(len(PARTS))))
    parts = np.zeros((*before.shape[:-1], len(PARTS)))
    for order in orders:
        mixed = list(old)
        rate = _rate(mixed)
        for at in order:
            mixed[at] = new[at]
            changed = _rate(mixed)
            parts[..., at] += (changed - rate) / len(orders)
            rate = changed
    return parts


def _factors(own: Floats, other: Floats) -> list[Floats]:
    """The four factors of a rate; one that is undefined for want of samples is taken from the other side."""
    bins = own.shape[-1] // 2

    def ratio(over: Floats, under: Floats, instead: Floats) -> Floats:
        return np.where(under > 0, over / np.where(under > 0, under, 1), instead)

    def parts(of: Floats) -> tuple[Floats, Floats, Floats]:
        return 1 - of[..., :1], of[..., 1 : bins + 1], of[..., bins + 1 :]

    (finished, formed, right), (finished_2, formed_2, right_2) = parts(own), parts(other)
    total, total_2 = formed.sum(-1, keepdims=True), formed_2.sum(-1, keepdims=True)
    zero = np.zeros(())
    return [
        finished,
        ratio(total, finished, ratio(total_2, finished_2, zero)),
        ratio(formed, total, ratio(formed_2, total_2, zero)),
        ratio(right, formed, ratio(right_2, formed_2, zero)),
    ]


def _rate(factors: Sequence[Floats]) -> Floats:
    finished, form, lengths, right = factors
    rate: Floats = (finished * form)[..., 0] * (lengths * right).sum(-1)
    return rate
