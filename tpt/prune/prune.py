"""Pruning, the second stage of a round: samples and verdicts in, training examples out."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tpt import records
from tpt.prune import sources
from tpt.prune.counts import PruneCounts, count_samples, nothing_kept, warn
from tpt.prune.decontaminate import overlapping
from tpt.prune.select import Source, Taken, draw, source_seed, survey
from tpt.prune.sources import Inputs, Without
from tpt.records import Example, Problem
from tpt.settings.prune import PruneConfig


def prune(inputs: Inputs, config: PruneConfig, round: int, seed: int, out: Path) -> PruneCounts:
    """Draw a round's training examples and write them to `out`.

    Memory grows with the number of examples drawn and of solutions per problem, not with the number of samples.

    Raises:
        EmptyPrune: nothing was kept; `out` is untouched.
        RunError: the verdicts belong to other samples.
        DiskFull: `out` is untouched.
    """
    overlap = _overlap(inputs, config)
    counts = count_samples(inputs, config, seed, overlap)
    short: dict[str, tuple[int, int]] = {}

    def examples() -> Iterator[Example]:
        taken = Taken()
        if inputs.earlier:
            for example in records.read(inputs.earlier, Example):
                taken.add(example, new=False)
                counts.earlier += 1
                yield example
        asked = _wanted(config)
        for name, wanted in asked.items():
            own_seed = source_seed(seed, name)
            source = Without(_source(name, inputs, config, round, seed), overlap)
            found = survey(source, wanted, config.per_problem, own_seed, taken)
            counts.candidates += found.candidates
            counts.duplicates += found.duplicates
            counts.problems += found.problems
            counts.decontaminated_samples += source.dropped
            for example in draw(source, found.highest, config.per_problem, own_seed, taken):
                if len(asked) > 1:  # only another source could draw it again
                    taken.add(example, new=True)
                counts.kept_by_source[name] += 1
                yield example
            if wanted is not None:
                short[name] = (counts.kept_by_source[name], wanted)
        counts.kept = sum(counts.kept_by_source.values())
        if not counts.kept + counts.earlier:
            raise nothing_kept(counts, config)

    counts.examples = records.write(out, Example, examples())
    counts.warnings = warn(counts, config, short)
    return counts


def _overlap(inputs: Inputs, config: PruneConfig) -> set[str]:
    """The ids of the training problems that are dropped because they overlap one that is evaluated."""
    if not inputs.evaluated:
        return set()
    train, evaluated = (records.read(of, Problem, ("id", "question")) for of in (inputs.problems, inputs.evaluated))
    return overlapping(train, evaluated, config)


def _wanted(config: PruneConfig) -> dict[str, int | None]:
    """How many examples each source should give; None for all it has."""
    if config.source != "mix":
        return {config.source: config.examples}
    asked = {"self": config.mix.self, "human": config.mix.human, "run": config.mix.run}
    return {name: count for name, count in asked.items() if count}


def _source(name: str, inputs: Inputs, config: PruneConfig, round: int, seed: int) -> Source:
    match name:
        case "human":
            return partial(sources.human, inputs, round)
        case "run":
            return partial(sources.other_run, inputs, round)
        case _:
            return partial(sources.own, inputs, config, round, seed)
