"""How often intervals over trainings and problems cover the truth, by simulation; writes `trainings.md`.

    python benchmarks/trainings.py                 # some minutes

A method's problems differ in difficulty (log-odds with a standard deviation of 1.8, about 38 % right), a problem's
difficulty differs a little between arms (0.7) and trainings (0.5), and the trainings differ as a whole by a standard
deviation of 0 to 5 points. Four samples of each problem are drawn. A `level` is the mean of a method, whose truth is
that over all problems and all trainings; `figures` is the same where only each training's mean and standard error are
known, as from a command. A difference is between two arms of equal methods, whose truth is 0: of
independent trainings, or of trainings that belong together. Beside it stands what an interval over problems alone
covers.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from tpt import markdown
from tpt.evaluate import trainings
from tpt.evaluate.intervals import Floats, Interval, gain_interval, normal_interval, share_interval

KINDS = ("level", "independent", "paired", "figures")
LEVELS = ("level", "figures")
TRAININGS, PROBLEMS, BETWEEN = (2, 3, 5), (50, 150, 500), (0.0, 1.0, 2.5, 5.0)
SAMPLES, CONFIDENCE = 4, 0.95
MEAN, DIFFICULTY, OF_ARM, OF_TRAINING = -0.8, 1.8, 0.7, 0.5  # log-odds


@dataclass(frozen=True)
class Cell:
    """One setting of the simulation; `between` is in points."""

    kind: str
    trainings: int
    problems: int
    between: float


def shares(odds: Floats) -> Floats:
    """Log-odds as probabilities."""
    found: Floats = 1 / (1 + np.exp(-odds))
    return found


def slope() -> float:
    """Points of the mean for a step of 1 in everybody's log-odds."""
    spread = np.sqrt(DIFFICULTY**2 + OF_ARM**2 + OF_TRAINING**2)
    right = shares(np.random.default_rng(0).normal(MEAN, spread, 1_000_000))
    return 100 * float((right * (1 - right)).mean())


def drawn(rng: np.random.Generator, cell: Cell, hard: Floats, per_point: float) -> list[Floats]:
    """The observed shares of an arm's trainings on problems of these log-odds."""
    size = (cell.trainings, cell.problems)
    odds = hard + rng.normal(0, OF_ARM, cell.problems) + rng.normal(0, OF_TRAINING, size)
    odds = odds + rng.normal(0, cell.between * per_point, (cell.trainings, 1))
    return list(rng.binomial(SAMPLES, shares(odds)) / SAMPLES)


def truth(cell: Cell, per_point: float) -> float:
    """What an interval should cover."""
    if cell.kind not in LEVELS:
        return 0.0
    spread = np.sqrt(DIFFICULTY**2 + OF_ARM**2 + OF_TRAINING**2 + (cell.between * per_point) ** 2)
    return float(shares(np.random.default_rng(1).normal(MEAN, spread, 2_000_000)).mean())


def both(cell: Cell, rng: np.random.Generator, per_point: float) -> tuple[Interval, Interval]:
    """An interval over trainings and problems, and one over problems alone, of the same simulated trainings."""
    hard = rng.normal(MEAN, DIFFICULTY, cell.problems)
    one = drawn(rng, cell, hard, per_point)
    if cell.kind == "level":
        return trainings.level(one, CONFIDENCE).interval, share_interval(np.mean(one, axis=0), CONFIDENCE)
    if cell.kind == "figures":
        figures = [normal_interval(float(of.mean()), float(stats.sem(of)), CONFIDENCE) for of in one]
        return trainings.measured(figures, CONFIDENCE).interval, figures[0]
    other = drawn(rng, cell, hard, per_point)
    method = trainings.independent if cell.kind == "independent" else trainings.paired
    alone = gain_interval(np.mean(one, axis=0), np.mean(other, axis=0), CONFIDENCE)
    return method(one, other, CONFIDENCE).interval, alone


def measured(cell: Cell, trials: int, per_point: float) -> dict[str, str]:
    """A line of the table."""
    rng, expected = np.random.default_rng(7), truth(cell, per_point)
    found = [both(cell, rng, per_point) for _ in range(trials)]
    line = {"what": cell.kind, "trainings": str(cell.trainings), "problems": str(cell.problems)}
    line["sd between, points"] = f"{cell.between:g}"
    for name, column in (("trainings and problems", 0), ("problems alone", 1)):
        covered = np.mean([one[column].low <= expected <= one[column].high for one in found])
        half = np.median([(one[column].high - one[column].low) / 2 for one in found])
        line |= {f"{name}: covers, %": f"{100 * covered:.1f}", f"{name}: half-width": f"{100 * half:.1f}"}
    return line


def cells() -> Iterator[Cell]:
    """Every setting."""
    for parts in itertools.product(KINDS, TRAININGS, PROBLEMS, BETWEEN):
        yield Cell(*parts)


def main() -> None:
    """Simulate every cell and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    per_point = 1 / slope()
    lines = [measured(cell, trials, per_point) for cell in cells()]
    worst = min(float(line["trainings and problems: covers, %"]) for line in lines)
    text = [
        "# Coverage of intervals over trainings and problems\n",
        f"`python benchmarks/trainings.py --trials {trials}`: {len(lines)} cells, {trials} simulated experiments each, "
        f"95 % intervals, {SAMPLES} samples a problem. The least coverage is {worst:.1f} %. The model is in "
        "`tpt/evaluate/trainings.py`. Half-widths are medians, in points.\n",
        markdown.table(lines, numbers=True),
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join(text))
    print(markdown.table(lines, numbers=True))


if __name__ == "__main__":
    main()
