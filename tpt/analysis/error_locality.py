"""Are errors local? Wrong solutions beside the nearest right one to the same problem, before training and after."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tpt import files
from tpt.analysis import picture
from tpt.analysis.compare import ByProblem, Compared, compare, in_words, shown
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import TOKENS, evaluated_rounds, evaluation, is_right, is_wrong
from tpt.analysis.spans import Span, nearest, shared_steps, span
from tpt.errors import DataError
from tpt.evaluate.intervals import interval_words
from tpt.records import Sample
from tpt.report.rows import round_name
from tpt.run.folder import Run

WRONG = 100  # samples a round: as many as the question asks for
EXAMPLES = 3  # a round, in the table of examples
BINS = 20


@dataclass(frozen=True)
class Pair:
    """A wrong solution and the right one that is the fewest edits of tokens away.

    Attributes:
        edits: tokens to be inserted, deleted or replaced.
        span: of their tokens.
        shared: share of the wrong one's steps that the right one has.
    """

    wrong: Sample
    right: Sample
    edits: int
    span: Span
    shared: float

    @property
    def edited(self) -> float:
        """The edits as a share of the longer one's tokens, in [0, 1]."""
        return self.edits / max(1, self.span.wrong_total, self.span.right_total)


@dataclass(frozen=True)
class Measure:
    """Something that is measured of a pair, how it is called, and how many digits are shown."""

    name: str
    of: Callable[[Pair], float]
    digits: int = 2
    is_share: bool = True


MEASURES = (
    Measure("differing span, tokens", lambda pair: pair.span.length, 1, is_share=False),
    Measure("differing span, share of the tokens", lambda pair: pair.span.share),
    Measure("first difference, share of the way", lambda pair: pair.span.place),
    Measure("edits, share of the tokens", lambda pair: pair.edited),
    Measure("steps shared", lambda pair: pair.shared),
)


@dataclass
class Paired:
    """The pairs of one round, and what they were drawn from.

    Attributes:
        wrong: wrong samples.
        pairable: of them, those to whose problem there is a right one in the same round.
    """

    pairs: list[Pair]
    wrong: int
    pairable: int


def analyse(run: Run, out: Path, seed: int, most: int = WRONG) -> Outcome:
    """Compare the evaluations' wrong samples with the nearest right ones.

    Args:
        most: wrong samples of each round, drawn from those that have a right one beside them.

    Raises:
        DataError: there are no two evaluations to compare, or a round has no problem with right and wrong samples.
    """
    rounds = {round: pair_up(run, round, most, seed) for round in evaluated_rounds(run)}
    compared = {
        measure.name: compare(
            {round: by_problem(one.pairs, measure) for round, one in rounds.items()}, run.config.evaluate
        )
        for measure in MEASURES
    }
    _write(out / "error_locality.json", run, seed, rounds, compared)
    return Outcome(
        _sentences(rounds, compared),
        [_figures_sheet(run, rounds, compared), _examples_sheet(rounds)],
        [_draw(out / "error_locality.png", run, rounds)],
    )


def pair_up(run: Run, round: int, most: int, seed: int) -> Paired:
    """Draw wrong samples of a round's evaluation and find the nearest right one of each.

    Raises:
        DataError: no problem has both.
    """
    problems = evaluation(run, round, TOKENS)
    right = {problem: [s for s, v in judged if is_right(v, run.config.prune)] for problem, judged in problems.items()}
    wrong = [sample for judged in problems.values() for sample, verdict in judged if is_wrong(verdict)]
    pairable = [sample for sample in wrong if right[sample.problem_id]]
    if not pairable:
        counts = f"{len(wrong):,} wrong and {sum(map(len, right.values())):,} right samples"
        raise DataError(
            f"no problem has both in {round_name(round)}: {counts}, so no wrong one can be compared with a right one",
            "raise evaluate.samples_per_problem or evaluate.problems",
        )
    drawn = random.Random(f"{seed} {round}").sample(pairable, min(most, len(pairable)))
    return Paired([nearest_right(sample, right[sample.problem_id]) for sample in drawn], len(wrong), len(pairable))


def nearest_right(wrong: Sample, right: list[Sample]) -> Pair:
    """A wrong sample beside the right one that is nearest to it."""
    unlike = list({tuple(sample.completion_ids): sample for sample in right}.values())
    at, edits = nearest(wrong.completion_ids, [sample.completion_ids for sample in unlike])
    found = unlike[at]
    return Pair(
        wrong, found, edits, span(wrong.completion_ids, found.completion_ids), shared_steps(wrong.text, found.text)
    )


def by_problem(pairs: list[Pair], measure: Measure) -> ByProblem:
    """The mean of a measure over each problem's pairs: those of one problem are not independent."""
    values: dict[str, list[float]] = {}
    for pair in pairs:
        values.setdefault(pair.wrong.problem_id, []).append(measure.of(pair))
    return {problem: float(np.mean(some)) for problem, some in values.items()}


def _sentences(rounds: dict[int, Paired], compared: dict[str, list[Compared]]) -> list[str]:
    found = [
        in_words(measure.name, compared[measure.name][-1], compared[measure.name][0], measure.digits)
        for measure in MEASURES
    ]
    for round in (min(rounds), max(rounds)):
        one = rounds[round]
        found.append(
            f"{round_name(round)}: of {one.wrong:,} wrong samples {one.pairable:,} have a right one to the same "
            f"problem, and {len(one.pairs):,} of those were drawn; of problems that no sample solved this says nothing"
        )
    return found


def _figures_sheet(run: Run, rounds: dict[int, Paired], compared: dict[str, list[Compared]]) -> Sheet:
    words = interval_words(run.config.evaluate.confidence)
    rows = [
        {
            "measure": measure.name,
            "round": round_name(one.round),
            "pairs": str(len(rounds[one.round].pairs)),
            "problems": str(one.problems),
            "mean": shown(one.value, measure.digits),
            "change, paired": shown(one.change, measure.digits, sign=True) if one.change else "",
        }
        for measure in MEASURES
        for one in compared[measure.name]
    ]
    return Sheet(f"a wrong solution beside the nearest right one, with {words}", rows)


def _examples_sheet(rounds: dict[int, Paired]) -> Sheet:
    rows = [
        {
            "round": round_name(round),
            "problem": pair.wrong.problem_id,
            "wrong": _marked(pair.wrong.text, pair.right.text),
            "right": _marked(pair.right.text, pair.wrong.text),
        }
        for round, one in rounds.items()
        for pair in one.pairs[:EXAMPLES]
    ]
    return Sheet("examples, the first that were drawn; the differing words stand in ⟦ ⟧", rows)


def _marked(text: str, other: str) -> str:
    """A text in one line, with the words marked in which it differs from another; long ones lose their middle."""
    ours, theirs = (" ".join(one.replace("\n", " ⏎ ").split()).split(" ") for one in (text, other))
    found = span(ours, theirs)
    end = found.start + found.wrong
    marked = [*ours[: found.start], "⟦" + " ".join(ours[found.start : end]) + "⟧", *ours[end:]]
    return _shortened(" ".join(marked))


def _shortened(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def _draw(path: Path, run: Run, rounds: dict[int, Paired]) -> Path:
    shown_rounds = [min(rounds), max(rounds)]
    title = f"{run.name}\nwrong solutions beside the nearest right one to the same problem, in % of the pairs"
    with picture.panels(path, len(MEASURES), 3, title) as axes:
        for panel, measure in zip(axes, MEASURES, strict=True):
            _histogram(panel, measure, {round: rounds[round].pairs for round in shown_rounds})
        axes[0].set_ylabel("% of the pairs")
        axes[0].legend(frameon=False, fontsize=9)
    return path


def _histogram(panel: Axes, measure: Measure, rounds: dict[int, list[Pair]]) -> None:
    values = {round: [measure.of(pair) for pair in pairs] for round, pairs in rounds.items()}
    top = 1.0 if measure.is_share else max(1.0, *(max(some) for some in values.values()))
    edges = np.linspace(0, top, BINS + 1)
    for round, some in values.items():
        colour = picture.colour(round, list(rounds))
        heights, _ = np.histogram(some, edges)
        shares = 100 * heights / len(some)
        panel.stairs(shares, edges, fill=True, color=colour, alpha=0.35, label=f"{round_name(round)} ({len(some)})")
        panel.stairs(shares, edges, color=colour, linewidth=1.2)
    panel.set_xlim(0, top)
    panel.set_ylim(bottom=0)
    picture.name(panel, measure.name)


def _write(path: Path, run: Run, seed: int, rounds: dict[int, Paired], compared: dict[str, list[Compared]]) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "reader": run.config.prune.reader,
        "confidence": run.config.evaluate.confidence,
        "measures": {name: {str(one.round): one.to_dict() for one in of} for name, of in compared.items()},
        "rounds": {
            str(round): {
                "wrong": one.wrong,
                "pairable": one.pairable,
                "pairs": [_numbers(pair) for pair in one.pairs],
            }
            for round, one in rounds.items()
        },
    }
    files.write_json(path, found)


def _numbers(pair: Pair) -> dict[str, str | float]:
    names: dict[str, str | float] = {"problem": pair.wrong.problem_id, "wrong": pair.wrong.index}
    return names | {"right": pair.right.index} | {measure.name: measure.of(pair) for measure in MEASURES}
