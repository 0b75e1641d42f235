"""Is fine-tuning on right samples like policy gradient? Section 2.1 of arXiv 2504.18116, on a run's own checkpoints.

What is a theorem. Let s = grad log pi(y | x) be the score of a sample y that the model itself drew at temperature 1
from all tokens. The probabilities of all y sum to 1, so E[s] = sum of grad pi(y | x) = 0. With p the chance of a right
sample, g+ = E[s | right] and g- = E[s | wrong],

    p g+ + (1 - p) g- = E[s] = 0.

So g- = -p / (1 - p) g+: the two sides are exactly opposite, whether errors are local or not. With rewards +1 and -1 the
policy gradient is grad E[reward] = p g+ - (1 - p) g- = 2 p g+: exactly twice the gradient p g+ on right samples. If
both sides weigh the same instead, g+ - g- = g+ / (1 - p), which is twice g+ only for p = 1/2. This holds for samples
that are cut off too, if they count as what they are (wrong), and for any definition of "right".

What is measured is what the theorem leaves out, and a round of this method does: it samples at another temperature, it
trains on one solution per problem, and after its first steps the samples are those of an older model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tpt import files, records
from tpt.analysis import gradient_pages, options
from tpt.analysis.bar import Advance, bar
from tpt.analysis.inner_products import Scores, Vectors
from tpt.analysis.on_policy import Drawn, How, draw
from tpt.analysis.outcome import Outcome
from tpt.analysis.samples import is_right, is_wrong, thought
from tpt.errors import ConfigError, DataError
from tpt.prune.modes import finished
from tpt.prune.select import hashed
from tpt.records import LIGHT, Problem, Sample
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.setting import setting
from tpt.terminal import PlainConsole

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SEEDS = 2**31


@dataclass(frozen=True)
class Size:
    """How much is sampled.

    Attributes:
        problems: at most so many.
        samples: of each, from the base model at temperature 1.
        others: of each, for every other condition; at most `samples`.
    """

    problems: int
    samples: int
    others: int


SIZES = {"cpu": Size(20, 8, 4), "cuda": Size(100, 32, 16)}
FITTING = "null: as many as fit this machine."


@dataclass
class Options:
    """The settings of this analysis."""

    problems: int | None = setting(None, f"Problems, at most; {FITTING}", low=1)
    samples: int | None = setting(
        None, f"Samples of each problem from the base model at temperature 1; {FITTING}", low=2
    )
    others: int | None = setting(
        None, f"Samples of each problem for every other condition, at most `samples`; {FITTING}", low=2
    )

    def size(self) -> Size:
        """As much as was given; the rest as fits this machine.

        Raises:
            ConfigError: more other samples than samples.
        """
        import torch

        fitting = SIZES["cuda" if torch.cuda.is_available() else "cpu"]
        samples = self.samples or fitting.samples
        others = self.others or min(samples, fitting.others)
        if others > samples:
            raise ConfigError(f"others={others} is more than samples={samples}", "lower others or raise samples")
        return Size(self.problems or fitting.problems, samples, others)


def analyse(run: Run, out: Path, seed: int, given: Sequence[str], console: PlainConsole) -> Outcome:
    """Compare the gradients of right and of wrong samples where the theorem holds, and where a round departs from it.

    Args:
        given: settings that differ from those of `Options`.
        console: for a bar of progress.

    Raises:
        ConfigError: a setting is unknown or not allowed.
        DataError: the first round is not judged, a teacher thought it, or no problem has right and wrong samples.
    """
    size = options.read(Options, given).size()
    problems = choose(run, size.problems, seed)
    # Once trained, one condition more is sampled and two more are scored.
    steps = len(problems) * (2 * size.samples + size.others * (5 if run.done(table.training(1)) else 2))
    with bar(console, "samples and their gradients", steps) as advance:
        measured = measure(run, problems, size, seed, advance)
    found = gradient_pages.Found(run, measured, min(size.others, run.config.think.samples_per_problem))
    files.write_json(out / "gradient_equivalence.json", {"run": run.name, "seed": seed} | found.to_dict())
    return Outcome(found.sentences(), found.sheets(), [found.draw(out / "gradient_equivalence.png")])


def choose(run: Run, count: int, seed: int) -> list[Problem]:
    """Draw problems of which the run's first round has right and wrong samples: the others have little of either side.

    The round's samples only choose the problems. What is measured comes from samples drawn anew: to choose by the same
    samples would bias it.

    Raises:
        DataError: see `analyse`.
    """
    if run.config.think.teacher:
        raise DataError(
            f"the samples of {run.name} are a teacher's: they say nothing about the base model's",
            "take a run without think.teacher",
        )
    config, counts, both = run.config.prune, [0, 0], []
    for problem, judged in thought(run, 1, LIGHT).items():
        usable = [verdict for sample, verdict in judged if finished(sample, config.keep_cut_off)]
        sides = [sum(is_right(one, config) for one in usable), sum(is_wrong(one) for one in usable)]
        counts = [total + one for total, one in zip(counts, sides, strict=True)]
        if all(sides):
            both.append(problem)
    if not both:
        raise DataError(
            f"no problem has right and wrong samples that end in round 1 of {run.name}: {counts[0]:,} are right and "
            f"{counts[1]:,} wrong",
            "raise think.samples_per_problem or think.max_tokens, or take easier or harder problems",
        )
    drawn = set(random.Random(seed).sample(both, min(count, len(both))))
    return [one for one in records.read(run.problems_path(table.TRAIN_SET), Problem) if one.id in drawn]


def measure(
    run: Run, problems: Sequence[Problem], size: Size, seed: int, advance: Advance = lambda _: None
) -> dict[str, Scores]:
    """The scores of fresh samples under each condition.

    Args:
        advance: is told how many more samples there are, and how many more scores.

    Returns:
        `base`: the base model's samples at temperature 1, and its gradient. `sampled`: its samples as the run samples
        them, and its gradient. If round 1 is trained, `frozen`: the first of the samples of `base`, and the gradient
        of round 1's model; `fresh`: that model's own samples at temperature 1, and its gradient.

    Raises:
        EngineError, ModelError: a checkpoint cannot be loaded or does not fit into memory.
    """

    def drawn(name: str, round: int, n: int, temperature: float = 1.0, top_p: float = 1.0) -> Drawn:
        first = hashed("gradient_equivalence", seed, name) % SEEDS
        return draw(run, run.model(round), problems, How(n, temperature, top_p, first), advance)

    base = drawn("base", 0, size.samples)
    think = run.config.think
    before = {"base": base, "sampled": drawn("sampled", 0, size.others, think.temperature, think.top_p)}
    found = _scores(run.model(0), before, advance)
    if run.done(table.training(1)):
        fresh = drawn("fresh", 1, size.others)
        found |= _scores(run.model(1), {"frozen": base.first(size.others), "fresh": fresh}, advance)
    return found


def _scores(checkpoint: Path, drawn: dict[str, Drawn], advance: Advance) -> dict[str, Scores]:
    from tpt.analysis.gradients import Sketch

    sketch = Sketch(loaded(checkpoint))

    def scored(samples: Sequence[Sample]) -> Vectors:
        found = sketch.scores(samples)
        advance(len(samples))
        return found

    return {
        name: Scores(np.stack([scored(some) for some in one.samples]), np.array(one.right))
        for name, one in drawn.items()
    }


def loaded(checkpoint: Path) -> "PreTrainedModel":
    """A checkpoint to take gradients of: in float32, without dropout, on the GPU if there is one."""
    import torch

    from tpt.checkpoint import load_causal_lm, quiet

    with quiet():
        model: Any = load_causal_lm(checkpoint, dtype=torch.float32)
    model.config.use_cache = False
    found: PreTrainedModel = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return found
