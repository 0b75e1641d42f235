"""Sampling on from prefixes of solutions, into shards of which none is drawn twice, however often it is killed."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tpt import records
from tpt.artefacts import SAMPLES, VERDICTS
from tpt.prompt import Decoder
from tpt.records import Problem, Sample, Verdict
from tpt.runs.identity import digest
from tpt.think.base import Completion, Draw, Prompt, Sampler, completed

Judge = Callable[[Iterable[tuple[Problem, Sample]]], Iterator[Verdict]]

LARGEST_SEED = 2**31

T = TypeVar("T")


@dataclass(frozen=True)
class Prefix:
    """The beginning of a solution.

    Attributes:
        prompt_ids: token ids of the problem's prompt.
        completion_ids: token ids of the solution up to here, as they were sampled; none for the whole problem.
        opened: what the text of its samples begins with that was part of the prompt: a tag that opens thinking.
    """

    problem: Problem
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    opened: str = ""

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What tells prefixes apart."""
        return self.problem.id, self.completion_ids


Report = Callable[[int], None]  # how many prefixes have been sampled from since the last call


@dataclass(frozen=True)
class Resampler:
    """What is needed to sample on from prefixes.

    Attributes:
        folder: of the shards; it must be of these prefixes, this draw and this seed alone.
        engine: loads the model, with a seed for engines that cannot seed each sample; called only if a shard is owed.
        draw: as the solutions themselves were drawn; `n` continuations of each prefix.
        decode: turns ids into text.
        judge: of the whole solutions.
        rules: the version of the judge's rules; when it changes, the samples are judged again.
        shard_size: prefixes in a shard, which is the most that a kill can lose.
        seed: of all draws.
    """

    folder: Path
    engine: Callable[[int], Sampler]
    draw: Draw
    decode: Decoder
    judge: Judge
    rules: int
    shard_size: int
    seed: int

    def verdicts(self, prefixes: Sequence[Prefix], report: Report) -> list[list[Verdict]]:
        """Verdicts on `draw.n` solutions continued from each prefix, in order; what is on disk is not drawn again.

        Args:
            prefixes: no two alike.

        Raises:
            EngineError, ModelError: the engine cannot load the model, or died; finished shards stay.
            Damaged: a shard cannot be read.
        """
        shards = list(_chunks(prefixes, self.shard_size))
        self._sample([one for one in enumerate(shards) if not records.is_whole(self._samples(one[0]))], report)
        found: list[list[Verdict]] = []
        for number, shard in enumerate(shards):
            if not records.is_whole(self._verdicts(number)):
                self._judge(number, shard)
            found += _chunks(list(records.read(self._verdicts(number), Verdict)), self.draw.n)
        return found

    def owed(self, prefixes: Sequence[Prefix]) -> int:
        """How many prefixes are not sampled from yet."""
        shards = enumerate(_chunks(prefixes, self.shard_size))
        return sum(len(shard) for number, shard in shards if not records.is_whole(self._samples(number)))

    def _sample(self, owed: list[tuple[int, list[Prefix]]], report: Report) -> None:
        if not owed:
            return
        # An engine that seeds as a whole must not repeat the draws of the shards that are already there.
        with self.engine((self.seed + owed[0][0]) % LARGEST_SEED) as sampler:
            for number, shard in owed:
                prompts = [Prompt(str(place), _ids(one), self._seed(one)) for place, one in enumerate(shard)]
                samples: list[list[Sample]] = [[] for _ in shard]
                for prompt, completions in sampler.sample(prompts, self.draw):
                    place = int(prompt.key)
                    samples[place] = [self._solution(shard[place], index, one) for index, one in enumerate(completions)]
                    report(1)
                records.write(self._samples(number), Sample, itertools.chain.from_iterable(samples))

    def _solution(self, prefix: Prefix, index: int, continuation: Completion) -> Sample:
        """A solution as it would have been drawn as a whole: cut off where that would have been."""
        left = self.draw.max_tokens - len(prefix.completion_ids)
        kept = completed(continuation.ids[:left], self.draw, self.decode)
        ends = len(kept.ids) - (kept.finish_reason in records.ENDED)
        text = prefix.opened + self.decode([*prefix.completion_ids, *kept.ids[:ends]])
        return Sample(prefix.problem.id, index, _ids(prefix), kept.ids, text, kept.finish_reason)

    def _judge(self, number: int, shard: list[Prefix]) -> None:
        samples = _chunks(list(records.read(self._samples(number), Sample, records.LIGHT)), self.draw.n)
        pairs = ((one.problem, sample) for one, of_one in zip(shard, samples, strict=True) for sample in of_one)
        records.write(self._verdicts(number), Verdict, self.judge(pairs))

    def _seed(self, prefix: Prefix) -> int:
        """A seed that depends on nothing but the prefix and the seed of all."""
        return int(digest([self.seed, prefix.problem.id, _ids(prefix)])[:7], 16)

    def _samples(self, number: int) -> Path:
        return records.shard_path(self.folder, SAMPLES, number)

    def _verdicts(self, number: int) -> Path:
        return records.shard_path(self.folder, f"{VERDICTS}-{self.rules}", number)


def named(prefixes: Sequence[Prefix], *others: int | str | float) -> str:
    """A name for the folder of the continuations of some prefixes, drawn in some way."""
    return digest([*others, *([one.problem.id, _ids(one)] for one in prefixes)])[:8]


def _ids(prefix: Prefix) -> list[int]:
    return [*prefix.prompt_ids, *prefix.completion_ids]


def _chunks(values: Sequence[T], size: int) -> Iterator[list[T]]:
    return (list(values[start : start + size]) for start in range(0, len(values), size))
