"""Why may mixing human solutions into a model's own hurt? Their likelihood under the model, and their gradients.

A model's own samples are likely under it by construction. Solutions that others wrote are less so, and fine-tuning on
them moves the model towards another distribution. Two measures of that, over problems with both kinds of solutions:

- the log-likelihood of a token, of the human solution and of a right sample to the same problem, under the base model
  and under the model of the first round;
- the cosine of the expected gradients of both kinds of examples, from inner products of different problems only (see
  `inner_products`): 1 if training on either moves the weights the same way, 0 if the two have nothing in common.

They describe what is mixed, not what mixing does: for that, compare arms that are trained on either (table 9).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tpt import files, records
from tpt.analysis import options, picture
from tpt.analysis.compare import FEWEST, TOO_FEW, shown
from tpt.analysis.gradient_equivalence import loaded
from tpt.analysis.inner_products import Floats, Scores, across, cosine, right
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import AGAIN, TOKENS, is_right, thought
from tpt.errors import DataError
from tpt.evaluate.intervals import Interval, interval_words, mean_interval
from tpt.prune.modes import finished
from tpt.records import Problem, Sample
from tpt.report.figure import COLOURS, GREY
from tpt.report.rows import round_name
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.setting import setting
from tpt.stages.prune import encoder


@dataclass
class Options:
    """The settings of this analysis."""

    problems: int = setting(60, "Problems with both kinds of solutions, at most.", low=1)


@dataclass(frozen=True)
class Pair:
    """A right sample of the base model and the human solution to the same problem, both as training would take them."""

    own: Sample
    human: Sample


@dataclass(frozen=True)
class Likelihoods:
    """Of one model: mean log-likelihood of a token, in nats; shape (pairs,)."""

    own: Floats
    human: Floats


def analyse(run: Run, out: Path, seed: int, given: Sequence[str] = ()) -> Outcome:
    """Compare the first round's right samples with the human solutions to the same problems.

    Args:
        given: settings that differ from those of `Options`.

    Raises:
        ConfigError: a setting is unknown or not allowed.
        DataError: the first round is not judged, or no problem has both kinds of solutions.
        ModelError: a checkpoint cannot be loaded.
    """
    pairs = draw_pairs(run, options.read(Options, given).problems, seed)
    likelihoods, cosines = measure(run, pairs)
    confidence = run.config.evaluate.confidence
    enough = len(pairs) >= FEWEST
    gaps = {round: mean_interval(one.own - one.human, confidence) for round, one in likelihoods.items()}
    _write(out / "mixing.json", run, seed, pairs, likelihoods, cosines)
    words = interval_words(confidence)
    figure = out / "mixing.png"
    with picture.panels(figure, len(likelihoods), len(likelihoods), run.name) as axes:
        for panel, (round, one) in zip(axes, likelihoods.items(), strict=True):
            _draw(panel, round_name(round), one)
    sheet = Sheet(
        f"log-likelihood of a token in nats, and the cosine of the gradients, over {len(pairs)} problems, with {words}",
        [_row(round, likelihoods[round], gaps[round], cosines[round], enough) for round in likelihoods],
    )
    said = [_sentence(round, gaps[round], cosines[round], len(pairs)) for round in likelihoods]
    return Outcome(said, [sheet], [figure])


def draw_pairs(run: Run, count: int, seed: int) -> list[Pair]:
    """One right sample and the human solution of each of some problems, drawn by the seed.

    Raises:
        DataError: see `analyse`.
    """
    config, rng, encode = run.config.prune, random.Random(seed), encoder(run)
    own = {
        problem: [one for one, verdict in judged if finished(one, config.keep_cut_off) and is_right(verdict, config)]
        for problem, judged in thought(run, 1, TOKENS).items()
    }
    problems = {one.id: one for one in records.read(run.problems_path(table.TRAIN_SET), Problem)}
    both = [name for name, samples in own.items() if samples and problems[name].solution.strip()]
    if not both:
        solved = sum(map(bool, own.values()))
        raise DataError(
            f"no problem of {run.name} has a right sample and a human solution ({solved} are solved)",
            "take a task whose problems come with solutions, or sample more" if solved else AGAIN,
        )
    found = []
    for name in sorted(rng.sample(both, min(count, len(both)))):
        text = problems[name].solution
        human = Sample(name, 0, *encode(problems[name], text), text, "stop")
        found.append(Pair(rng.choice(own[name]), human))
    return found


def measure(run: Run, pairs: Sequence[Pair]) -> tuple[dict[int, Likelihoods], dict[int, Interval | None]]:
    """The likelihoods of both kinds, and the cosine of their expected gradients, under the base and the first model."""
    from tpt.analysis.gradients import Sketch  # torch is slow to import

    likelihoods, cosines = {}, {}
    kinds = [[one.own for one in pairs], [one.human for one in pairs]]
    for round in (0, 1) if run.done(table.training(1)) else (0,):
        sketch = Sketch(loaded(run.model(round)))
        per_token = [sketch.log_likelihoods(some) / [len(one.completion_ids) for one in some] for some in kinds]
        likelihoods[round] = Likelihoods(*per_token)
        vectors = (sketch.scores(some)[:, None] for some in kinds)
        own, human = (right(Scores(one, np.ones(one.shape[:2], dtype=np.bool_))) for one in vectors)
        norms = across(own, own), across(human, human)
        cosines[round] = cosine(across(own, human), *norms, run.config.evaluate.confidence)
    return likelihoods, cosines


def _row(round: int, one: Likelihoods, gap: Interval, alike: Interval | None, enough: bool) -> dict[str, str]:
    return {
        "model": round_name(round),
        "own samples": f"{one.own.mean():.3f}",
        "human solutions": f"{one.human.mean():.3f}",
        "own - human": shown(gap, 3, sign=True) if enough else f"{gap.value:+.3f} ({TOO_FEW})",
        "cosine of the gradients": shown(alike, 2) if alike else "cannot be told",
    }


def _sentence(round: int, gap: Interval, alike: Interval | None, pairs: int) -> str:
    under = f"under {round_name(round)}" if round else "under the base model"
    if pairs < FEWEST:
        return f"{under}: own samples are {gap.value:+.3f} nats a token from human solutions; {TOO_FEW} ({pairs})"
    likelier = {
        1: "own samples are likelier than human solutions",
        -1: "human solutions are likelier than own samples",
        0: "neither kind is likelier that one could tell",
    }[gap.direction]
    angle = f"the cosine of their gradients {f'is {shown(alike, 2)}' if alike else 'cannot be told'}"
    return f"{under}: {likelier}, by {shown(gap, 3, sign=True)} nats a token; {angle}"


def _draw(panel: Axes, name: str, one: Likelihoods) -> None:
    """Each problem's two solutions against each other, and the line on which both are as likely."""
    low = float(min(one.own.min(), one.human.min()))
    panel.plot([low, 0], [low, 0], color=GREY, linewidth=1)
    panel.scatter(one.own, one.human, s=12, color=COLOURS[0])
    panel.set_xlabel("own sample, nats a token")
    panel.set_ylabel("human solution, nats a token")
    picture.name(panel, name)


def _write(
    path: Path,
    run: Run,
    seed: int,
    pairs: Sequence[Pair],
    likelihoods: dict[int, Likelihoods],
    cosines: dict[int, Interval | None],
) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "problems": [one.own.problem_id for one in pairs],
        "log_likelihood_per_token": {
            str(round): {"own": one.own.tolist(), "human": one.human.tolist()} for round, one in likelihoods.items()
        },
        "cosine": {str(round): one.to_dict() if one else None for round, one in cosines.items()},
    }
    files.write_json(path, found)
