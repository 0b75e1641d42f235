"""Where training examples can come from: the run's own samples, the data set's solutions, another run's examples."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tpt import pairs, records
from tpt.prune.flip import flip
from tpt.prune.modes import finished, gives_examples, keeps
from tpt.prune.select import Candidate, Source
from tpt.records import ENDED, LIGHT, Example, Problem, Sample, Verdict
from tpt.settings.prune import PruneConfig

# (problem, text of a solution) -> prompt ids, completion ids ending with the end token
Encode = Callable[[Problem, str], tuple[list[int], list[int]]]

VERDICT = ("problem_id", "index", "status", "strict", "lenient", "passed", "total", "kind")


@dataclass
class Inputs:
    """The files that pruning reads.

    Attributes:
        samples: the round's sample shards.
        verdicts: their verdict shards, in the same order.
        problems: the problems of the training split.
        encode: tokenizes a solution that was not sampled by the model being trained.
        foreign: whether the samples are a teacher's, whose tokens are not the student's: their texts are encoded again.
        earlier: the examples of the previous round, if rounds accumulate.
        other_examples: the examples of another run.
        other_problems: the training problems of that run.
        evaluated: the problems of the sets that are evaluated; needed to drop training problems that overlap them.
    """

    samples: Sequence[Path]
    verdicts: Sequence[Path]
    problems: Path
    encode: Encode
    foreign: bool = False
    earlier: Path | None = None
    other_examples: Sequence[Path] = field(default_factory=tuple)
    other_problems: Path | None = None
    evaluated: Sequence[Path] = field(default_factory=tuple)


def judged(inputs: Inputs, columns: Sequence[str] = LIGHT) -> Iterator[tuple[Sample, Verdict]]:
    """Each sample with its verdict.

    Raises:
        RunError: the verdicts belong to other samples.
    """
    return pairs.of_shards(inputs.samples, inputs.verdicts, columns, VERDICT)


def own(inputs: Inputs, config: PruneConfig, round: int, seed: int) -> Iterator[Candidate]:
    """The samples that the mode keeps, with exactly the tokens that were sampled.

    Args:
        seed: seed of `prune.flip`.
    """
    problems = _by_id(inputs.problems) if inputs.foreign else {}
    for shard, judgement in pairs.matched(inputs.samples, inputs.verdicts):
        tokens = records.Rows(shard, ("prompt_ids", "completion_ids"))
        for row, sample in _kept(pairs.of_shard(shard, judgement, LIGHT, VERDICT), config, seed):
            if inputs.foreign:
                yield _encoded(problems[sample.problem_id], sample, round, inputs.encode)
            else:
                yield _sampled(sample, round, tokens, row)


def _kept(shard: Iterable[tuple[Sample, Verdict]], config: PruneConfig, seed: int) -> Iterator[tuple[int, Sample]]:
    """The samples of a shard that the mode keeps, each with its row; a problem's samples are in one shard."""
    kept = keeps(config)
    heeded = ((row, sample, flip(verdict, config, seed)) for row, (sample, verdict) in enumerate(shard))
    for _, of_problem in groupby(heeded, key=lambda one: one[1].problem_id):
        judged = list(of_problem)
        if gives_examples(((sample, verdict) for _, sample, verdict in judged), config):
            for row, sample, verdict in judged:
                if finished(sample, config.keep_cut_off) and kept(sample, verdict):
                    yield row, sample


def human(inputs: Inputs, round: int) -> Iterator[Candidate]:
    """The data set's worked solutions of the problems that have one."""
    for problem in records.read(inputs.problems, Problem):
        if problem.solution.strip():
            yield _written(problem, problem.solution, "human", round, inputs.encode)


def other_run(inputs: Inputs, round: int) -> Iterator[Candidate]:
    """Another run's examples for questions that are also in this run's training split.

    Problems are matched by their question, because ids are unique only within a run's task settings.
    """
    if inputs.other_problems is None:
        return
    mine = {problem.question: problem for problem in records.read(inputs.problems, Problem)}
    theirs = {
        problem.id: problem.question for problem in records.read(inputs.other_problems, Problem, ("id", "question"))
    }
    texts: dict[str, list[str]] = {}
    for example in records.read(inputs.other_examples, Example, ("problem_id", "text")):
        texts.setdefault(theirs.get(example.problem_id, ""), []).append(example.text)
    for question, problem in mine.items():
        for text in texts.get(question, ()):
            yield _written(problem, text, "run", round, inputs.encode)


@dataclass
class Without:
    """A source without the solutions of some problems.

    Attributes:
        source: gives the solutions.
        problems: the ids of the problems that are left out.
        dropped: how many solutions the last iteration left out.
    """

    source: Source
    problems: Set[str]
    dropped: int = 0

    def __call__(self) -> Iterator[Candidate]:
        """The remaining solutions, in order."""
        self.dropped = 0
        for one in self.source():
            if one.problem_id in self.problems:
                self.dropped += 1
            else:
                yield one


def _by_id(problems: Path) -> dict[str, Problem]:
    return {problem.id: problem for problem in records.read(problems, Problem)}


def _sampled(sample: Sample, round: int, tokens: records.Rows, row: int) -> Candidate:
    def example() -> Example:
        prompt_ids, completion_ids = tokens[row]
        return Example(sample.problem_id, "self", round, prompt_ids, completion_ids, sample.text)

    return Candidate(sample.problem_id, sample.text, example)


def _encoded(problem: Problem, sample: Sample, round: int, encode: Encode) -> Candidate:
    def example() -> Example:
        prompt_ids, completion_ids = encode(problem, sample.text)
        if sample.finish_reason not in ENDED:
            completion_ids = completion_ids[:-1]  # it was cut off, so it must not teach the model to end there
        return Example(problem.id, "self", round, prompt_ids, completion_ids, sample.text)

    return Candidate(problem.id, sample.text, example)


def _written(problem: Problem, text: str, source: str, round: int, encode: Encode) -> Candidate:
    def example() -> Example:
        return Example(problem.id, source, round, *encode(problem, text), text)

    return Candidate(problem.id, text, example)
