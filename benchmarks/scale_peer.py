"""Pruning and evaluating as scripts for this method usually do: all samples are read as JSON into one list.

python benchmarks/scale_peer.py prune|evaluate LINES OUT EXAMPLES
"""

import json
import random
import sys
from pathlib import Path

import numpy as np


def prune(path: Path, out: Path, examples: int) -> None:
    """Write one right solution per problem, up to the requested number, as JSON."""
    data = [json.loads(line) for line in path.open(encoding="utf-8")]
    by_problem: dict[str, list[dict[str, object]]] = {}
    for one in data:
        if one["correct"] and one["finish_reason"] == "stop":
            by_problem.setdefault(one["problem_id"], []).append(one)
    chosen = [random.choice(list({one["completion"]: one for one in found}.values())) for found in by_problem.values()]
    random.shuffle(chosen)
    out.write_text(json.dumps(chosen[:examples]), encoding="utf-8")


def evaluate(path: Path, out: Path, examples: int) -> None:
    """pass@k of every problem with the usual loop, and a bootstrap over problems."""
    data = [json.loads(line) for line in path.open(encoding="utf-8")]
    figures = {}
    for reader in ("correct", "lenient"):
        by_problem: dict[str, list[bool]] = {}
        for one in data:
            by_problem.setdefault(one["problem_id"], []).append(bool(one[reader]))
        for k in (1, 4, 10):
            values = np.array([_pass_at_k(len(found), sum(found), k) for found in by_problem.values()])
            rng = np.random.default_rng(0)
            means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(1000)]
            figures[f"{reader} pass@{k}"] = [float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))]
    out.write_text(json.dumps(figures), encoding="utf-8")


def _pass_at_k(n: int, c: int, k: int) -> float:
    """The estimator of Chen et al. 2021 (arXiv 2107.03374) as in common scripts, one problem at a time."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def main() -> None:
    """Run one of the two."""
    name, path, out, examples = sys.argv[1:]
    {"prune": prune, "evaluate": evaluate}[name](Path(path), Path(out), int(examples))


if __name__ == "__main__":
    main()
