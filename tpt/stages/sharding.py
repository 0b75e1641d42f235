"""How the problems of a sampling stage are cut into shards, and which of several workers samples which."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tpt import artefacts, records
from tpt.records import Problem
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that share a stage's shards; number `index` takes every `count`-th."""

    index: int = 0
    count: int = 1

    def takes(self, shard: int) -> bool:
        """Whether a shard falls to this worker."""
        return shard % self.count == self.index


def problem_shards(run: Run, sampled: Stage) -> Iterator[list[Problem]]:
    """The problems that a stage samples, in shards of `sampler.shard_size`."""
    draws = table.draws_of(run.config, sampled)
    problems = islice(records.read(run.problems_path(draws.split), Problem), draws.settings.problems)
    while shard := list(islice(problems, run.config.sampler.shard_size)):
        yield shard


def sample_seed(run: Run, sampled: Stage, place: int, index: int = 0) -> int:
    """The seed of one sample of a stage: the only place that says how it is derived.

    Args:
        place: of the problem among those that the stage samples, from 0.
        index: of the sample among the problem's.
    """
    return run.seed(sampled) + place * table.draws_of(run.config, sampled).settings.samples_per_problem + index


def samples_path(run: Run, sampled: Stage, shard: int) -> Path:
    """Where a shard of a stage's samples lies."""
    return records.shard_path(run.folder(sampled), artefacts.SAMPLES, shard)
