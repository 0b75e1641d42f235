"""Is fine-tuning on right samples like policy gradient? Section 2.1 of arXiv 2504.18116, on a run's own samples.

Of each problem with right and wrong samples in the first think stage, g+ is the base model's gradient of the mean
log-likelihood of the right ones, each summed over its tokens, and g- that of the wrong ones. With rewards +1 and -1
and both sides weighing the same, the policy gradient is g+ - g-. The claim: it is about 2 g+, so the norm ratio
|g+ - g-| / |g+| is about 2 and the cosine of g+ - g- and g+ about 1, where errors are local.
"""

import random
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from tpt import files
from tpt.analysis import picture
from tpt.analysis.compare import FEWEST, shown
from tpt.analysis.error_locality import nearest_right
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import Judged, is_right, is_wrong, thought
from tpt.analysis.spans import is_between
from tpt.errors import DataError
from tpt.evaluate.intervals import Interval, interval_words, mean_interval
from tpt.prune.modes import finished
from tpt.records import Example, Sample
from tpt.report.figure import COLOURS, GREY
from tpt.run.folder import Run

if TYPE_CHECKING:
    from tpt.analysis.gradients import Products

PROBLEMS = 20
SAMPLES = 2  # of each side of a problem
# How local a problem's errors are: the mean over its wrong samples, each beside the nearest right one, of ...
LOCALITY = {"span": "differing span, share of the tokens", "edits": "edits, share of the tokens"}
EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # of the bins of either
NEAR = 0.1  # the claim says "about": a mean so far from its figure, as a share of that, still agrees with it
CLAIM = {"cosine": 1.0, "ratio": 2.0, "sides": -1.0}
WORDS = {"cosine": "cosine of g+ - g- and g+", "ratio": "norm ratio |g+ - g-| / |g+|", "sides": "cosine of g+ and g-"}


@dataclass
class Sides:
    """The samples of one problem that are gone through, and how local its errors are (see `LOCALITY`)."""

    problem: str
    right: list[Sample]
    wrong: list[Sample]
    locality: dict[str, float]


@dataclass
class Measured:
    """One problem's gradients."""

    problem: str
    locality: dict[str, float]
    products: "Products"

    def value(self, name: str) -> float:
        """A figure by the name it has in `Products`."""
        return float(getattr(self.products, name))


def analyse(run: Run, out: Path, seed: int, problems: int = PROBLEMS, samples: int = SAMPLES) -> Outcome:
    """Compare the gradients of right and wrong samples, problem by problem and over all.

    Args:
        problems: at most so many, drawn from those that have both.
        samples: at most so many of each side of a problem, drawn too.

    Raises:
        DataError: the first round is not judged, a teacher thought it, or no problem has right and wrong samples.
    """
    chosen = choose(run, problems, samples, seed)
    measured, total = _measure(run, chosen)
    _write(out / "gradient_equivalence.json", run, seed, samples, measured, total)
    return Outcome(
        _sentences(run, measured, total, seed),
        [_overall_sheet(run, measured, total, seed), _locality_sheet(run, measured, seed)],
        [_draw(out / "gradient_equivalence.png", run, measured, seed)],
    )


def choose(run: Run, problems: int, samples: int, seed: int) -> list[Sides]:
    """Draw problems with right and wrong samples, and samples of both sides.

    Samples that could not be trained on (cut off, empty) are left out of both sides, so that the sides differ in
    being right alone.

    Raises:
        DataError: see `analyse`.
    """
    if run.config.think.teacher:
        raise DataError(
            f"the samples of {run.name} are a teacher's: their tokens are not the base model's",
            "take a run without think.teacher",
        )
    found: list[tuple[str, list[Sample], list[Sample]]] = []
    counts = [0, 0]
    for problem, judged in thought(run, 1).items():
        right, wrong = _split(judged, run)
        counts = [counts[0] + len(right), counts[1] + len(wrong)]
        if right and wrong:
            found.append((problem, right, wrong))
    if not found:
        raise DataError(
            f"no problem has right and wrong samples that end in round 1 of {run.name}: {counts[0]:,} are right and "
            f"{counts[1]:,} wrong",
            "raise think.samples_per_problem or think.max_tokens, or take easier or harder problems",
        )
    rng = random.Random(seed)
    drawn = rng.sample(found, min(problems, len(found)))
    return [
        _sides(problem, *(rng.sample(side, min(samples, len(side))) for side in (right, wrong)))
        for problem, right, wrong in drawn
    ]


def _split(judged: list[Judged], run: Run) -> tuple[list[Sample], list[Sample]]:
    config = run.config.prune
    usable = [(sample, verdict) for sample, verdict in judged if finished(sample, config.keep_cut_off)]
    right = [sample for sample, verdict in usable if is_right(verdict, config)]
    return right, [sample for sample, verdict in usable if is_wrong(verdict)]


def _sides(problem: str, right: list[Sample], wrong: list[Sample]) -> Sides:
    pairs = [nearest_right(one, right) for one in wrong]
    locality = {
        "span": float(np.mean([pair.span.share for pair in pairs])),
        "edits": float(np.mean([pair.edited for pair in pairs])),
    }
    return Sides(problem, right, wrong, locality)


def _measure(run: Run, chosen: list[Sides]) -> "tuple[list[Measured], Products]":
    import torch
    from transformers.utils.logging import disable_progress_bar

    from tpt.analysis.gradients import Running, log_likelihood_gradient, products
    from tpt.checkpoint import load_causal_lm

    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading the weights: it would stand among the tables
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = load_causal_lm(run.base_model(), dtype=torch.float32)
    model = model.to(device).eval()
    model.config.use_cache = False
    running, measured = Running(), []
    for sides in chosen:
        right, wrong = (
            log_likelihood_gradient(model, [_example(one) for one in side], pad_id=0, batch=run.config.train.micro)
            for side in (sides.right, sides.wrong)
        )
        measured.append(Measured(sides.problem, sides.locality, products(right, wrong)))
        running.add(right, wrong)
    return measured, running.products()


def _example(sample: Sample) -> Example:
    return Example(sample.problem_id, "self", 1, sample.prompt_ids, sample.completion_ids, sample.text)


def _interval(run: Run, values: list[float], seed: int) -> Interval | None:
    """The mean over problems with its interval; None where too few have a value."""
    array = np.array([value for value in values if not np.isnan(value)])
    config = run.config.evaluate
    return mean_interval(array, config.confidence) if array.size >= FEWEST else None


def _sentences(run: Run, measured: list[Measured], total: "Products", seed: int) -> list[str]:
    found = []
    for name in ("cosine", "ratio"):
        claim = CLAIM[name]
        mean = _interval(run, [one.value(name) for one in measured], seed)
        of_all = f"{getattr(total, name):.2f} for the sums over problems, which have no interval"
        if mean is None:
            found.append(f"{WORDS[name]}: {of_all}; too few problems for one, so this says little")
            continue
        says = "agrees with" if agrees(mean, claim) else "does NOT agree with"
        found.append(
            f"{WORDS[name]}: {shown(mean, 2)}, mean over {len(measured)} problems, which {says} the claim of about "
            f"{claim:g} for this model ({of_all})"
        )
    sides = _interval(run, [one.value("sides") for one in measured], seed)
    if sides is not None:
        words = {
            -1: "they point opposite ways, as the claim supposes",
            0: "they are neither alike nor opposite that one could tell",
            1: "they point the same way, where the claim supposes opposite ones",
        }
        found.append(f"{WORDS['sides']}: {shown(sides, 2)}: {words[sides.direction]}")
    return found


def agrees(mean: Interval, claim: float) -> bool:
    """Whether a mean is about what is claimed: the interval holds it, or the mean is within `NEAR` of it."""
    return mean.low <= claim <= mean.high or abs(mean.value - claim) <= NEAR * claim


def _overall_sheet(run: Run, measured: list[Measured], total: "Products", seed: int) -> Sheet:
    rows = []
    for name, words in WORDS.items():
        mean = _interval(run, [one.value(name) for one in measured], seed)
        rows.append(
            {
                "figure": words,
                "mean over problems": shown(mean, 2) if mean else "",
                "of the sums": f"{getattr(total, name):.2f}",
                "claimed": f"{CLAIM[name]:g}",
            }
        )
    words = interval_words(run.config.evaluate.confidence)
    return Sheet(f"gradients of the base model on {len(measured)} problems, with {words}", rows)


def _locality_sheet(run: Run, measured: list[Measured], seed: int) -> Sheet:
    rows = []
    for kind, local in LOCALITY.items():
        for low, high, some in binned(measured, kind):
            means = {name: _interval(run, [one.value(name) for one in some], seed) for name in WORDS}
            cells = {WORDS[name]: shown(mean, 2) if mean else "" for name, mean in means.items()}
            rows.append({"errors": f"{local}: {low:.0%} to {high:.0%}", "problems": str(len(some))} | cells)
    return Sheet(f"the same by how local the errors are, with {interval_words(run.config.evaluate.confidence)}", rows)


def binned(measured: list[Measured], kind: str) -> list[tuple[float, float, list[Measured]]]:
    """Problems by how local their errors are: the ends of each bin that is not empty, and what is in it."""
    bins: list[list[Measured]] = [[] for _ in pairwise(EDGES)]
    for one in measured:
        bins[is_between(one.locality[kind], EDGES)].append(one)
    return [(low, high, some) for (low, high), some in zip(pairwise(EDGES), bins, strict=True) if some]


def _draw(path: Path, run: Run, measured: list[Measured], seed: int) -> Path:
    words = interval_words(run.config.evaluate.confidence)
    title = f"{run.name}, base model, {len(measured)} problems\nblue: means of bins with {words}"
    with picture.panels(path, len(LOCALITY) * len(WORDS), len(WORDS), title) as axes:
        for panel, (kind, name) in zip(axes, product(LOCALITY, WORDS), strict=True):
            _panel(panel, run, measured, kind, name, seed)
    return path


def _panel(panel: Axes, run: Run, measured: list[Measured], kind: str, name: str, seed: int) -> None:
    claim = CLAIM[name]
    panel.axhline(claim, color=COLOURS[1], linewidth=1.2, linestyle=(0, (4, 2)), label=f"claimed: {claim:g}")
    panel.scatter(
        [one.locality[kind] for one in measured],
        [one.value(name) for one in measured],
        s=16,
        color=GREY,
        alpha=0.6,
        label="a problem",
    )
    for low, high, some in binned(measured, kind):
        mean = _interval(run, [one.value(name) for one in some], seed)
        if mean:
            panel.hlines(mean.value, low, high, color=COLOURS[0], linewidth=2)
            panel.vlines((low + high) / 2, mean.low, mean.high, color=COLOURS[0], linewidth=1.2)
    panel.set_xlim(0, 1)
    panel.set_ylim(min(0.0, 1.1 * claim, *panel.get_ylim()), max(1.1 * claim, panel.get_ylim()[1]))
    panel.set_xlabel(LOCALITY[kind])
    panel.legend(frameon=False, fontsize=8.5)
    picture.name(panel, WORDS[name])


def _write(path: Path, run: Run, seed: int, samples: int, measured: list[Measured], total: "Products") -> None:
    def numbers(products: "Products") -> dict[str, float | None]:
        named = {name: float(getattr(products, name)) for name in ("right", "wrong", "cross", *WORDS)}
        return {name: None if np.isnan(value) else value for name, value in named.items()}

    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "samples_of_each_side": samples,
        "of_sums": numbers(total),
        "means": {
            name: mean.to_dict() if (mean := _interval(run, [one.value(name) for one in measured], seed)) else None
            for name in WORDS
        },
        "per_problem": [{"problem": one.problem} | one.locality | numbers(one.products) for one in measured],
    }
    files.write_json(path, found)
