"""Samples that an analysis draws itself, from a checkpoint at a temperature, judged as the run judges its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpt import models, prompt
from tpt.analysis.bar import Advance
from tpt.analysis.samples import is_right
from tpt.checkpoint import load_tokenizer, quiet
from tpt.prune.modes import finished
from tpt.records import Problem, Sample
from tpt.runs.folder import Run
from tpt.stages.think import as_samples
from tpt.think.base import Draw, Prompt
from tpt.think.engines import make_sampler


@dataclass(frozen=True)
class Drawn:
    """Samples of some problems.

    Attributes:
        samples: of each problem, in the problems' order, the same number of each.
        right: whether a round would train on it: right as the run's pruning reads it, and not cut off.
    """

    samples: list[list[Sample]]
    right: list[list[bool]]

    def first(self, n: int) -> "Drawn":
        """The first samples of each problem."""
        return Drawn([some[:n] for some in self.samples], [some[:n] for some in self.right])


@dataclass(frozen=True)
class How:
    """How samples are drawn; those of the model's own distribution with temperature 1 and top_p 1.

    Attributes:
        n: of each problem.
        seed: of the first sample; the others follow it.
    """

    n: int
    temperature: float
    top_p: float
    seed: int


def draw(run: Run, checkpoint: Path, problems: Sequence[Problem], how: How, advance: Advance = lambda _: None) -> Drawn:
    """Draw samples of each problem from a checkpoint, and judge them.

    They are drawn by the transformers engine in float32, so that the distribution drawn from is the one whose gradient
    is taken.

    Args:
        advance: is told how many more samples there are.

    Raises:
        EngineError, ModelError: the checkpoint cannot be loaded or does not fit into memory.
    """
    with quiet():
        samples = {}
        for problem_id, some in _sampled(run, checkpoint, problems, how):
            samples[problem_id] = some
            advance(len(some))
    ordered = [samples[problem.id] for problem in problems]
    pairs = [(problem, one) for problem, some in zip(problems, ordered, strict=True) for one in some]
    config = run.config.prune
    judged = zip(pairs, run.config.task.verdicts(pairs), strict=True)
    right = [finished(one, config.keep_cut_off) and is_right(verdict, config) for (_, one), verdict in judged]
    return Drawn(ordered, [right[at : at + how.n] for at in range(0, len(right), how.n)])


def _sampled(run: Run, checkpoint: Path, problems: Sequence[Problem], how: How) -> Iterator[tuple[str, list[Sample]]]:
    tokenizer, model = load_tokenizer(checkpoint), replace(run.config.model, dtype="float32")
    drawn = Draw.of(run.config.think, run.config.task, model, tokenizer, checkpoint)
    request = replace(drawn, n=how.n, temperature=how.temperature, top_p=how.top_p)
    prompts = [
        Prompt(problem.id, prompt.render(problem, run.config.task, tokenizer, model), how.seed + at * how.n)
        for at, problem in enumerate(problems)
    ]
    engine, decode = replace(run.config.sampler, engine="transformers"), prompt.Decoder(tokenizer)
    with make_sampler(engine, model, checkpoint, models.context_length(checkpoint, model), how.seed) as sampler:
        for one, completions in sampler.sample(prompts, request):
            yield one.key, as_samples(one, completions, decode.opened_by(one.ids))
