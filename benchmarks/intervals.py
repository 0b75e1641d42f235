"""pass@k and its interval for 10,000 problems x 100 samples, against the loops of scripts.

    python benchmarks/intervals.py

Our side is what an evaluation does with the counts of right samples: `pass_at_k` and `share_interval`. The peer uses
the same estimator one problem at a time, and a bootstrap that draws the problems of each resample one by one; both use
numpy. With so many problems the intervals must agree; `coverage.py` says what they are worth with few.
"""

import argparse
from functools import partial

import numpy as np
from side_by_side import Figure, alternate, save

from tpt.evaluate.intervals import share_interval
from tpt.evaluate.passk import Ints, pass_at_k

CONFIDENCE = 0.95
CLOSE = 2e-3  # between two ends of intervals: the peer's are random

Found = tuple[float, float, float]


def ours(right: Ints, samples: int, k: int) -> Found:
    """Value and interval, computed by tpt."""
    values = pass_at_k(np.full_like(right, samples), right, k)
    found = share_interval(values, CONFIDENCE)
    return found.value, found.low, found.high


def theirs(right: Ints, samples: int, k: int, resamples: int) -> Found:
    """Value and interval, computed by the usual loops."""
    values = np.array([_pass_at_k(samples, int(one), k) for one in right])
    rng = np.random.default_rng(0)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(resamples)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(values.mean()), float(low), float(high)


def _pass_at_k(n: int, c: int, k: int) -> float:
    """pass@k as in common scripts (Chen et al. 2021, arXiv 2107.03374)."""
    return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def main() -> None:
    """Time both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    right = rng.binomial(options.samples, rng.beta(0.5, 1.5, options.problems))
    work = (right, options.samples, options.k)
    times, found = alternate(
        {"tpt": partial(ours, *work), "loops": partial(theirs, *work, options.resamples)}, options.turns
    )
    apart = max(abs(one - other) for one, other in zip(found["tpt"], found["loops"], strict=True))
    assert apart < CLOSE, found
    size = f"{options.problems:,} problems x {options.samples}"
    save(
        "intervals",
        [
            Figure(
                what=f"pass@{options.k} with its interval, {size}",
                peer=f"a loop over problems and {options.resamples:,} resamples",
                ours=times["tpt"].words(),
                theirs=times["loops"].words(),
                ratio=times["loops"].median / times["tpt"].median,
                mark=None,
                same=f"value and interval at most {apart:.1e} apart",
            )
        ],
    )


if __name__ == "__main__":
    main()
