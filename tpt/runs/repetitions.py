"""Runs that differ only in their seed: several trainings of one method."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from tpt.runs import identity
from tpt.runs.folder import Run


def repetitions(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs by method: those that differ in nothing but their seed stand together, in the order of their seeds."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[identity.fingerprint(dataclasses.replace(run.config, seed=0), run.contents)].append(run)
    return [sorted(group, key=lambda run: run.config.seed) for group in found.values()]
