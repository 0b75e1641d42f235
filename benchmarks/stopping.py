"""Where `rounds=auto` stops, by simulation: too early, too late, what that costs, and how far off its figure is.

    python benchmarks/stopping.py                # two minutes of one core; writes stopping.md
    python benchmarks/stopping.py --runs 50 --out /tmp/stopping.md     # quick

Each simulated run has a curve, the expected pass@1 by round; the true rate of a checkpoint is the curve plus a draw of
training's own spread (none for the base model). Problems have rates from a Beta distribution with that mean, and keep
about their places from round to round. The same checkpoints are evaluated on dev and on test problems, and the rule of
`tpt.evaluate.stop` decides, with intervals from the normal distribution of the paired differences (a bootstrap of each
look would take hours and gives nearly the same ends).

    early   runs that stop before the curve is within a point of its highest, in percent
    late    runs that do more rounds than that and the patience, in percent
    rounds  done on average
    loss    points by which the curve at the round taken is below its highest, on average
    wrong   runs that take a round whose checkpoint is truly no better than the base model, in percent
    told    points by which the reported figure of the round taken is above the checkpoint's true rate, on average
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy import special

from tpt import files, markdown
from tpt.evaluate.intervals import Interval
from tpt.evaluate.stop import look_confidence, rule
from tpt.settings.stop import StopConfig

Floats = npt.NDArray[np.float64]

MOST = 8
CONFIDENCE = 0.95
SPREAD = 0.025  # between trainings, as a share: the standard deviation of a checkpoint's true rate, measured ...
SPREAD_AT = 0.28  # ... at this rate; at other rates in proportion to sqrt(p (1 - p))
ALIKE = 0.95  # the correlation of a problem's place among the others from one checkpoint to the next
BETA = 1.0  # a + b of the Beta distribution of rates: most problems are nearly always or nearly never solved
TEST = 500
DEV_SIZES = (50, 100, 200, 500)
SHOWN = 200  # the size of the large table


@dataclass(frozen=True)
class Curve:
    """An expected course of pass@1.

    Attributes:
        points: in percent, from the base model on; after the last it stays the same.
        samples: of each problem.
        spread: between trainings, where pass@1 is SPREAD_AT.
    """

    name: str
    points: tuple[float, ...]
    samples: int
    spread: float = SPREAD

    @property
    def shares(self) -> Floats:
        """Of each of the rounds that there can be, as shares."""
        padded = (*self.points, *[self.points[-1]] * MOST)[: MOST + 1]
        return np.array(padded) / 100


CURVES = (
    Curve("gemma-2-2b, GSM8K (table 3)", (41.9, 52.5, 56.0, 56.9, 57.6), 20),
    Curve("gemma-2-9b, GSM8K (table 3)", (66.4, 81.1, 82.3, 82.4), 20),
    Curve("gemma-2-2b, CodeContests (table 4)", (0.90, 0.84, 1.00, 1.10, 1.14), 50),
    Curve("gemma-2-9b, CodeContests (table 4)", (5.1, 7.3, 7.6, 7.9), 50),
    Curve("SmolLM2-135M, word problems (ours)", (18.5, 27.0, 43.3), 4),
    Curve("rises, then falls", (30.0, 40.0, 42.0, 38.0, 34.0, 30.0), 4),
    Curve("no gain, trainings differ", (30.0,), 4),
    Curve("no gain at all", (30.0,), 4, spread=0.0),
)


@dataclass(frozen=True)
class Rule:
    """A way to choose a round.

    Attributes:
        patience: see `stop.patience`.
        confidence: of the interval at a look.
        on_test: whether it chooses on the very problems that it reports.
        take: which of the rounds done it takes: the last with a clear gain; the highest since then, as `rule` says; or
            the highest of all, as `tpt export --round best` does.
    """

    name: str
    patience: int = 2
    confidence: float = CONFIDENCE
    on_test: bool = False
    take: Literal["clear", "rule", "best"] = "rule"


NOW = look_confidence(CONFIDENCE, MOST)
RULES = (
    Rule("before: patience 1, 95 % a look, on test", patience=1, on_test=True, take="clear"),
    Rule("patience 1, error spent, on dev", patience=1, confidence=NOW),
    Rule("patience 2, 95 % a look, on dev"),
    Rule("patience 2, error spent, on dev, takes the last clear gain", confidence=NOW, take="clear"),
    Rule("now: patience 2, error spent, on dev", confidence=NOW),
    Rule("the same, then --round best", confidence=NOW, take="best"),
    Rule("patience 3, error spent, on dev", patience=3, confidence=NOW),
)


@dataclass(frozen=True)
class Outcome:
    """Averages over simulated runs, in the units of the table."""

    early: float
    late: float
    rounds: float
    loss: float
    wrong: float
    told: float

    def cells(self) -> list[str]:
        """As a table shows them."""
        found = [f"{self.early:.0f}", f"{self.late:.0f}", f"{self.rounds:.1f}", f"{self.loss:.2f}"]
        return [*found, f"{self.wrong:.1f}", f"{self.told:+.1f}"]


_PLACES = np.linspace(0.0005, 0.9995, 1000)
_STEP = 0.0005
_MEANS = np.arange(1, round(1 / _STEP)) * _STEP


@lru_cache(maxsize=1)
def _quantiles() -> Floats:
    """Rates of problems by the mean (rows) and by the problem's place among the others (columns)."""
    grid = special.betaincinv(BETA * _MEANS[:, None], BETA * (1 - _MEANS[:, None]), _PLACES[None, :])
    return np.asarray(grid * (_MEANS / grid.mean(axis=1))[:, None]).clip(0, 1)


def evaluations(truth: Floats, problems: int, samples: int, rng: np.random.Generator) -> Floats:
    """Shares of right samples of each problem, for some checkpoints on the same problems.

    Args:
        truth: the true rate of each checkpoint, shape (rounds,).

    Returns:
        shape (rounds, problems).
    """
    place = rng.standard_normal(problems)
    moved = ALIKE * place + (1 - ALIKE**2) ** 0.5 * rng.standard_normal((truth.size, problems))
    column = (special.ndtr(moved) * _PLACES.size).astype(int).clip(0, _PLACES.size - 1)
    rates = _quantiles()[np.rint(truth / _STEP).astype(int)[:, None] - 1, column]
    return np.asarray(rng.binomial(samples, rates) / samples, dtype=np.float64)


def gain_of(shares: Floats, confidence: float) -> Callable[[int, int], Interval]:
    """The paired gain of one round over another, with an interval of this confidence."""
    z = float(special.ndtri((1 + confidence) / 2))

    def gain(after: int, before: int) -> Interval:
        difference = shares[after] - shares[before]
        value, error = float(difference.mean()), float(difference.std(ddof=1)) / difference.size**0.5
        return Interval(value, value - z * error, value + z * error)

    return gain


def simulate(curve: Curve, rules: tuple[Rule, ...], dev: int, runs: int, seed: int) -> list[Outcome]:
    """What comes of each rule, all on the same simulated checkpoints and evaluations."""
    rng, expected = np.random.default_rng(seed), curve.shares
    spread = curve.spread * np.sqrt(expected * (1 - expected) / (SPREAD_AT * (1 - SPREAD_AT)))
    spread[0] = 0  # the base model is one
    rows: list[list[tuple[float, ...]]] = [[] for _ in rules]
    for _ in range(runs):
        truth = (expected + spread * rng.standard_normal(MOST + 1)).clip(_MEANS[0], _MEANS[-1])
        on_dev, on_test = (evaluations(truth, size, curve.samples, rng) for size in (dev, TEST))
        for one, found in zip(rules, rows, strict=True):
            found.append(_run(one, expected, truth, on_dev, on_test))
    return [Outcome(*np.mean(found, axis=0)) for found in rows]


def _run(one: Rule, expected: Floats, truth: Floats, on_dev: Floats, on_test: Floats) -> tuple[float, ...]:
    """What comes of a rule in one run, as the fields of `Outcome`."""
    # The old rule chose and reported on the same problems; here it gets as many as the others have to choose by.
    stop = rule(MOST, gain_of(on_dev, one.confidence), StopConfig(patience=one.patience, most=MOST))
    assert stop is not None
    best = int(on_dev[: stop.after + 1].mean(axis=1).argmax())
    take = {"clear": stop.clear, "rule": stop.take, "best": best}[one.take]
    high_enough = int(np.argmax(expected > expected.max() - 0.01))
    reported = (on_dev if one.on_test else on_test)[take].mean()
    return (
        100 * (stop.after < high_enough),
        100 * (stop.after > high_enough + one.patience),
        stop.after,
        100 * (expected.max() - expected[take]),
        100 * (take > 0 and truth[take] <= truth[0]),
        100 * (reported - truth[take]),
    )


Rows = list[tuple[Curve, Rule, Outcome]]


def shown(rows: Rows) -> tuple[list[str], list[list[str]]]:
    """All figures for one size of the dev set: the head of the table, and its rows."""
    head = ["curve", "rule", *(field.name for field in fields(Outcome))]
    return head, [[curve.name, one.name, *outcome.cells()] for curve, one, outcome in rows]


def by_size(found: dict[int, Rows]) -> tuple[list[str], list[list[str]]]:
    """The loss by the size of the dev set: the head of the table, and its rows."""
    rows = [
        [curve.name, one.name, *(f"{found[size][at][2].loss:.2f}" for size in found)]
        for at, (curve, one, _) in enumerate(next(iter(found.values())))
        if one is RULES[0] or one in RULES[3:6]
    ]
    return ["curve", "rule", *(f"{size} problems" for size in found)], rows


def page(runs: int, found: dict[int, Rows]) -> str:
    """The tables as Markdown, with what their columns mean."""
    meaning = (__doc__ or "").partition("    early")[2]
    return "\n\n".join(
        part.rstrip()
        for part in [
            "# Where `rounds=auto` stops, by simulation",
            f"`python benchmarks/stopping.py --runs {runs}`, {runs} simulated runs a row: curves of the paper (its "
            "tables 3 and 4) and ours, at most 8 rounds, trainings that spread by 2.5 points at a pass@1 of 28 %, "
            f"{TEST} test problems. No model is run.",
            f"```\n    early{meaning.rstrip()}\n```",
            f"## {SHOWN} problems to choose by",
            _markdown(*shown(found[SHOWN])),
            "## Loss in points by the number of problems to choose by",
            _markdown(*by_size(found)),
        ]
    )


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    return markdown.table([dict(zip(head, row, strict=True)) for row in rows])


def main() -> None:
    """Simulate, print the tables, and write them as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="simulated runs of each curve and size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    found: dict[int, Rows] = {size: [] for size in DEV_SIZES}
    for size, rows in found.items():
        for curve in CURVES:
            outcomes = simulate(curve, RULES, size, options.runs, options.seed)
            rows += [(curve, one, outcome) for one, outcome in zip(RULES, outcomes, strict=True)]
    console = Console()
    for title, (head, lines) in ((f"{SHOWN} problems", shown(found[SHOWN])), ("loss in points", by_size(found))):
        table = Table(*head, title=title, title_justify="left")
        for line in lines:
            table.add_row(*line)
        console.print(table)
    files.write_text(options.out, page(options.runs, found).rstrip() + "\n")


if __name__ == "__main__":
    main()
