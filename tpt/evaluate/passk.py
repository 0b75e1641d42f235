"""Unbiased pass@k."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def pass_at_k(n: Ints, c: Ints, k: int) -> Floats:
    """Probability that one of k samples, drawn without replacement, is correct: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021 (arXiv 2107.03374), equation 1, as a product that does not overflow.

    Args:
        n: samples of each problem, shape (problems,).
        c: correct samples of each problem, shape (problems,).
        k: samples drawn.

    Returns:
        one value a problem, shape (problems,).
    Raises:
        ValueError: a problem has fewer than k samples.
    """
    if k < 1 or (n < k).any():
        raise ValueError(f"pass@{k} needs at least {k} samples of each problem; one has {n.min() if n.size else 0}")
    # Many problems have the same n and c.
    kinds, kind_of = np.unique(np.stack([n, c]), axis=1, return_inverse=True)
    n, c = kinds[:, :, None].astype(np.float64)
    # C(n-c, k) / C(n, k) is the product over i < k of (n - c - i) / (n - i); it is 0 where n - c < k.
    draws = np.arange(k, dtype=np.float64)
    failed: Floats = np.prod(np.clip((n - c - draws) / (n - draws), 0.0, 1.0), axis=1)
    passed: Floats = (1.0 - failed)[kind_of]
    return passed
