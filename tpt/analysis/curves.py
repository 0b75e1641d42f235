"""pass@k up to as many samples as there are, of each round, and where the base model gets ahead of the last one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tpt.analysis import picture
from tpt.evaluate.intervals import Floats, Interval, gain_interval, share_interval
from tpt.evaluate.metrics import READERS, Reader
from tpt.evaluate.passk import pass_at_k
from tpt.report.rows import round_name
from tpt.settings.sampling import EvaluateConfig

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # k of the table, and the largest
POINTS = 24  # k at which the bands are computed: enough for a smooth curve

Counts = dict[str, tuple[int, int]]  # of each problem: samples, right ones


@dataclass
class Curves:
    """pass@k of some rounds under one reader.

    Attributes:
        reader: strict or lenient.
        largest: the largest k: the fewest samples that a problem has in any round.
        bands: of each round, its interval at the k of a grid.
        crossing: the smallest k from which on the baseline is ahead of the last round; None: there is none.
        gains: of the last round over the baseline, paired by problem, at k=1, the crossing and the largest k.
    """

    reader: Reader
    largest: int
    bands: dict[int, dict[int, Interval]]
    crossing: int | None
    gains: dict[int, Interval]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "largest_k": self.largest,
            "crossing": self.crossing,
            "gain_of_last_round": {str(k): gain.to_dict() for k, gain in self.gains.items()},
            "pass@k": {
                str(round): {str(k): one.to_dict() for k, one in band.items()} for round, band in self.bands.items()
            },
        }


def curves(by_round: dict[int, Counts], reader: Reader, config: EvaluateConfig) -> Curves:
    """The curves of some rounds of the same problems, round 0 among them."""
    order = list(by_round[0])
    n = {round: np.array([counts[one][0] for one in order]) for round, counts in by_round.items()}
    c = {round: np.array([counts[one][1] for one in order]) for round, counts in by_round.items()}
    largest, last = int(min(of_round.min() for of_round in n.values())), max(by_round)

    def rates(round: int, k: int) -> Floats:
        return pass_at_k(n[round], c[round], k)

    behind = [rates(last, k).mean() < rates(0, k).mean() for k in range(1, largest + 1)]
    crossing = crossing_point(behind)
    told = sorted({1, largest, *([crossing] if crossing else [])})
    return Curves(
        reader,
        largest,
        {round: {k: share_interval(rates(round, k), config.confidence) for k in grid(largest)} for round in by_round},
        crossing,
        {k: gain_interval(rates(last, k), rates(0, k), config.confidence) for k in told},
    )


def crossing_point(behind: list[bool]) -> int | None:
    """The smallest k from which on the last round is behind to the end; `behind` is for k = 1, 2, ..."""
    steps_to_end = next((back for back, one in enumerate(reversed(behind)) if not one), len(behind))
    return len(behind) - steps_to_end + 1 if steps_to_end else None


def grid(largest: int) -> list[int]:
    """Values of k from 1 to the largest, the table's among them, about evenly spaced on a scale of logarithms."""
    spaced = {round(float(k)) for k in np.geomspace(1, largest, POINTS)}
    return sorted(spaced | {k for k in SHOWN if k < largest})


def sentence(found: Curves, last: int) -> str:
    """Where the baseline gets ahead, as a sentence."""
    k, largest = found.crossing, found.largest
    at_end = f"at k={largest} {round_name(last)} has {found.gains[largest].in_points()} points over the baseline"
    if k is None:
        return f"pass@k {found.reader}: crossing point: none up to k={largest}; {at_end}"
    gain = found.gains[k]
    noise = "" if gain.high < 0 else ", which cannot be told from noise"
    return (
        f"pass@k {found.reader}: from k={k} on the baseline is ahead of {round_name(last)} "
        f"({gain.in_points()} points at that k{noise}); {at_end}"
    )


def rows(found: list[Curves]) -> list[dict[str, str]]:
    """The table: a row for each reader and k."""
    return [
        {"reader": one.reader, "k": str(k)}
        | {round_name(round): band[k].in_percent() for round, band in one.bands.items()}
        for one in found
        for k in sorted({*(k for k in SHOWN if k < one.largest), one.largest})
    ]


def draw(panel: Axes, found: Curves) -> None:
    """One reader's curves with their bands, and the crossing point."""
    rounds = list(found.bands)
    for round, band in found.bands.items():
        ks, colour = list(band), picture.colour(round, rounds)
        panel.plot(ks, [100 * one.value for one in band.values()], color=colour, linewidth=2, label=round_name(round))
        low, high = (
            [100 * end for end in ends] for ends in zip(*((one.low, one.high) for one in band.values()), strict=True)
        )
        panel.fill_between(ks, low, high, color=colour, alpha=0.1, linewidth=0)
    if found.crossing:
        panel.axvline(
            found.crossing, color="black", linewidth=1, linestyle=(0, (4, 2)), label=f"crossing: k={found.crossing}"
        )
    panel.set_xscale("log")
    ticks = [k for k in SHOWN if k < 0.8 * found.largest] + [found.largest]
    panel.set_xticks(ticks, [str(k) for k in ticks])
    panel.minorticks_off()
    panel.set_xlabel("k")
    panel.set_ylabel("solved, %")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False, fontsize=9, loc="lower right")  # pass@k only rises with k
    picture.name(panel, f"pass@k, {found.reader}")


def by_reader(by_round: dict[int, dict[Reader, Counts]], config: EvaluateConfig) -> list[Curves]:
    """The curves of both readers."""
    return [curves({round: counts[reader] for round, counts in by_round.items()}, reader, config) for reader in READERS]
