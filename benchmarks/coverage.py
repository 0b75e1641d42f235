"""How often intervals hold the truth, beside the percentile bootstrap, which is the usual method.

    python benchmarks/coverage.py                 # some minutes on two cores; writes benchmarks/coverage.md
    python benchmarks/coverage.py --repetitions 200 --out /tmp/coverage.md

A cell is a population of problems whose true figure is known. Evaluations are drawn from it, and it is counted how many
of their 95 % intervals hold the truth, for pass@k, for gains in pass@k on the same problems, and for majority votes.

The success rates of problems follow a Beta distribution, whose concentration says how alike problems are; `all or
none`: the model always or never solves a problem. For a gain, a share of the problems is redrawn from another
population, and the others stay as they are.

The mark: the interval holds the truth in 93 to 97 % of the evaluations if the rate x problems and (1 - rate) x problems
are at least 2, and in at least 90 % otherwise. A cell above 97 % is called wide: it is no false claim, but it could say
more. With few problems that are solved always or never, few different outcomes exist, and often no interval can meet
the mark.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import optimize, stats

from tpt import markdown
from tpt.evaluate.intervals import Floats, Interval, gain_interval, share_interval
from tpt.evaluate.passk import Ints, pass_at_k

CONFIDENCE = 0.95
RESAMPLES = 500  # of the peer
PEERS = 10  # of so many evaluations, the peer computes the interval of one: it is slow
MARK = (0.93, 0.97)
FLOOR = 0.90
SOLVABLE = 2.0  # rate x problems from which on the mark holds
PAGE = Path(__file__).parent / "coverage.md"


@dataclass(frozen=True)
class Cell:
    """A population of problems, and what is estimated.

    Attributes:
        figure: `pass`, `gain` or `maj`.
        problems, samples: of an evaluation.
        k: of pass@k; majority votes take all samples.
        rate: the true figure of the population, before a gain.
        concentration: of the Beta distribution of the problems' rates; 0: all or none.
        redrawn: for a gain, the share of problems that another rate is drawn for.
        other: for a gain, the true figure of the population that these are drawn from.
    """

    figure: str
    problems: int
    samples: int
    k: int
    rate: float
    concentration: float
    redrawn: float = 0.0
    other: float = 0.0

    @property
    def truth(self) -> float:
        """What the interval should hold."""
        return self.redrawn * (self.other - self.rate) if self.figure == "gain" else self.rate

    @property
    def solvable(self) -> float:
        """The fewest problems that are expected to be solved, or not to be."""
        rates = (self.rate, self.rate + self.truth) if self.figure == "gain" else (self.rate,)
        return self.problems * min(min(rate, 1 - rate) for rate in rates)


@dataclass(frozen=True)
class Measured:
    """What a method gave in a cell.

    Attributes:
        coverage: share of the intervals that hold the truth.
        width: their mean width, in points.
    """

    coverage: float
    width: float


def cells() -> Iterator[Cell]:
    """All cells of the table."""
    ways = ((1, 1, 0.0), (4, 1, 0.3), (10, 10, 0.3), (100, 1, 2.0), (100, 20, 0.3))
    for problems, (samples, k, concentration) in product((5, 20, 50, 150, 500), ways):
        for rate in (0.01, 0.05, 0.3, 0.9):
            yield Cell("pass", problems, samples, k, rate, concentration)
    for rate in (0.3, 0.9):
        yield Cell("pass", 1, 10, 1, rate, 2.0)
    for rate in (0.005, 0.995):
        yield Cell("pass", 500, 100, 1, rate, 0.3)
    changes = ((0.02, 0.3, 0.1), (0.3, 0.8, 0.2), (0.5, 0.5, 0.3), (0.9, 0.6, 0.1))
    for problems, way, (rate, other, redrawn) in product((20, 60, 200, 500), ways, changes):
        yield Cell("gain", problems, *way[:2], rate, way[2], redrawn, other)
    for problems in (20, 60, 200, 500):  # two problems are expected to change, both for the better
        yield Cell("gain", problems, 1, 1, 0.5, 0.0, 4 / problems, 1.0)
    for problems, rate in product((20, 150, 500), (0.02, 0.3, 0.9)):
        yield Cell("maj", problems, 9, 9, rate, 2.0)
    # The lowest coverage in a wider search.
    yield Cell("pass", 10, 1, 1, 0.3, 0.0)
    yield Cell("pass", 8, 1, 1, 0.29, 0.0)
    yield Cell("pass", 50, 100, 20, 0.96, 0.3)
    yield Cell("pass", 50, 20, 5, 0.96, 0.3)
    yield Cell("pass", 10, 100, 20, 0.8, 0.3)
    yield Cell("pass", 500, 100, 1, 0.005, 1.0)


def figure_of(rate: float, concentration: float, samples: int, k: int, figure: str) -> float:
    """The true figure of a population whose problems have this mean rate."""
    beta = stats.beta(rate * concentration, (1 - rate) * concentration)
    if figure == "maj":  # of two answers, an odd number of samples
        chances = beta.ppf((np.arange(4000) + 0.5) / 4000)
        return float(np.mean(stats.binom.sf(samples // 2, samples, chances)))
    ordinals = np.arange(k)
    return float(1 - np.prod(((1 - rate) * concentration + ordinals) / (concentration + ordinals)))


def mean_rate(cell: Cell, figure: float) -> float:
    """The mean rate of the problems for which the true figure of a population is this one."""
    if not cell.concentration or (cell.k == 1 and cell.figure != "maj"):
        return figure
    of = partial(figure_of, concentration=cell.concentration, samples=cell.samples, k=cell.k, figure=cell.figure)
    return float(optimize.brentq(lambda rate: of(rate) - figure, 1e-7, 1 - 1e-7))


def chances(cell: Cell, figure: float, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """The success rates of problems, of shape `size`, from a population with this true figure."""
    rate = mean_rate(cell, figure)
    if not cell.concentration or rate in (0.0, 1.0):
        return (rng.random(size) < rate).astype(np.float64)
    return rng.beta(rate * cell.concentration, (1 - rate) * cell.concentration, size)


def drawn(cell: Cell, rates: Floats, rng: np.random.Generator) -> Floats:
    """One share per problem of each evaluation, as `metrics.summarise` has it."""
    right: Ints = rng.binomial(cell.samples, rates)
    if cell.figure == "maj":
        return (2 * right > cell.samples).astype(np.float64)
    flat = pass_at_k(np.full(right.size, cell.samples), right.ravel(), cell.k)
    return flat.reshape(right.shape)


def percentile(values: Floats, rng: np.random.Generator) -> Interval:
    """Efron's percentile bootstrap over problems: the peer."""
    kinds, counts = np.unique(values, return_counts=True)
    means = rng.multinomial(values.size, counts / values.size, size=RESAMPLES) @ kinds / values.size
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def measure(cell: Cell, repetitions: int, seed: int) -> tuple[Measured, Measured]:
    """Our method and the peer in one cell."""
    rng = np.random.default_rng(seed)
    size = (repetitions, cell.problems)
    rates = chances(cell, cell.rate, size, rng)
    values = drawn(cell, rates, rng)
    if cell.figure != "gain":
        ours = [share_interval(one, CONFIDENCE) for one in values]
        return _measured(ours, cell), _measured([percentile(one, rng) for one in values[::PEERS]], cell)
    redrawn = np.where(rng.random(size) < cell.redrawn, chances(cell, cell.other, size, rng), rates)
    after = drawn(cell, redrawn, rng)
    ours = [gain_interval(*pair, CONFIDENCE) for pair in zip(after, values, strict=True)]
    return _measured(ours, cell), _measured([percentile(one, rng) for one in (after - values)[::PEERS]], cell)


def _measured(found: list[Interval], cell: Cell) -> Measured:
    slack = 1e-9  # of floats
    held = mean(one.low - slack <= cell.truth <= one.high + slack for one in found)
    return Measured(held, 100 * mean(one.high - one.low for one in found))


def verdict(cell: Cell, coverage: float) -> str:
    """Whether the mark is met."""
    if cell.solvable < SOLVABLE - 1e-9:
        return "90: met" if coverage >= FLOOR else "90: NOT MET"
    if coverage > MARK[1]:
        return "wide"
    return "met" if coverage >= MARK[0] else "NOT MET"


def line(cell: Cell, ours: Measured, theirs: Measured) -> dict[str, str]:
    """A cell's line in the table."""
    what = {"pass": f"pass@{cell.k}", "gain": f"gain in pass@{cell.k}", "maj": f"maj@{cell.k}"}[cell.figure]
    truth = f"{100 * cell.rate:g} %"
    if cell.figure == "gain":
        truth += f" {100 * cell.truth:+.3g}"
    return {
        "figure": what,
        "problems x samples": f"{cell.problems} x {cell.samples}",
        "truth": truth,
        "concentration": f"{cell.concentration:g}" if cell.concentration else "all or none",
        "holds, %": f"{100 * ours.coverage:.1f}",
        "bootstrap's, %": f"{100 * theirs.coverage:.1f}",
        "width": f"{ours.width:.1f}",
        "bootstrap's width": f"{theirs.width:.1f}",
        "mark": verdict(cell, ours.coverage),
    }


def summary(found: list[tuple[Cell, Measured, Measured]]) -> str:
    """How many cells meet the mark, by either method."""
    words = []
    ours = [(cell, one.coverage) for cell, one, _ in found]
    theirs = [(cell, one.coverage) for cell, _, one in found]
    for name, told in (("these intervals", ours), ("the percentile bootstrap", theirs)):
        marks = [verdict(*one) for one in told]
        below, wide = sum("NOT" in one for one in marks), marks.count("wide")
        words.append(
            f"{name}: {len(marks) - below - wide} of {len(marks)} cells meet the mark, {wide} are wide and {below} "
            f"below it; the lowest coverage is {100 * min(coverage for _, coverage in told):.1f} %"
        )
    text = "; ".join(words)
    return f"{text[0].upper()}{text[1:]}."


def main() -> None:
    """Measure all cells, print the table and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000, help="evaluations drawn in each cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PAGE, help="the page")
    options = parser.parse_args()
    all_cells = list(cells())
    seeds = [options.seed + number for number in range(len(all_cells))]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        measured = list(pool.map(measure, all_cells, [options.repetitions] * len(all_cells), seeds, chunksize=4))
    found = [(cell, *both) for cell, both in zip(all_cells, measured, strict=True)]
    lines = [line(*one) for one in found]
    table = Table(*lines[0])
    for one in lines:
        table.add_row(*one.values())
    Console(width=130).print(table)
    text = [
        "# How often intervals hold the truth\n",
        f"    python benchmarks/coverage.py --repetitions {options.repetitions} --seed {options.seed}\n",
        f"{len(lines)} cells. {summary(found)} Widths are in points.\n",
        markdown.table(lines),
    ]
    options.out.write_text("\n".join(text), encoding="utf-8")
    print(f"{summary(found)}\n{options.out}")


if __name__ == "__main__":
    main()
