"""What the benchmarks share: two sides take turns, and the ratio is of their medians.

A benchmark writes its figures to `benchmarks/results/NAME.json`; `python benchmarks/side_by_side.py` prints all of them
as one Markdown table, as in `benchmarks/README.md`.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

Given = TypeVar("Given")

RESULTS = Path(__file__).parent / "results"


@dataclass
class Figure:
    """One line of the table.

    Attributes:
        what: what was measured, and at which size.
        peer: what it is compared with.
        ours, theirs: the results as text, with unit and spread.
        ratio: how many times better ours is.
        mark: the ratio to reach; None if there is none.
        same: how it was checked that both did the same work.
    """

    what: str
    peer: str
    ours: str
    theirs: str
    ratio: float
    mark: float | None
    same: str


@dataclass
class Timed:
    """The seconds of each of a side's turns."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    def rate(self, work: float, unit: str) -> str:
        """Work per second with the spread of the turns, e.g. `1,200 [1,150..1,240] samples/s`."""
        rates = sorted(work / one for one in self.seconds)
        return f"{figure(work / self.median)} [{figure(rates[0])}..{figure(rates[-1])}] {unit}/s"

    def words(self) -> str:
        """Seconds with the spread of the turns."""
        low, high = min(self.seconds), max(self.seconds)
        return f"{figure(self.median)} [{figure(low)}..{figure(high)}] s"


def faster(
    what: str, peer: str, times: Iterable[Timed], work: tuple[float, str], mark: float | None, same: str
) -> Figure:
    """The ratio of our rate to the peer's.

    Args:
        times: ours and the peer's.
        work: how much each turn did, and its unit.
    """
    ours, theirs = times
    return Figure(what, peer, ours.rate(*work), theirs.rate(*work), theirs.median / ours.median, mark, same)


def alternate(sides: dict[str, Callable[[], Given]], turns: int) -> tuple[dict[str, Timed], dict[str, Given]]:
    """Let each side do its work `turns` times, one after the other, and time each turn.

    Returns:
        the times, and the result of each side's last turn.
    """
    times: dict[str, Timed] = {name: Timed([]) for name in sides}
    given: dict[str, Given] = {}
    for turn in range(turns):
        for name, work in sides.items():
            started = time.perf_counter()
            given[name] = work()
            times[name].seconds.append(time.perf_counter() - started)
            print(f"turn {turn + 1} of {turns}: {name:<12} {times[name].seconds[-1]:9.2f} s", flush=True)
    return times, given


def figure(value: float) -> str:
    """A number with three significant digits and thousands separators."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def save(name: str, figures: list[Figure], **more: str) -> None:
    """Save a benchmark's figures and print them; `more`: facts about the machine."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": len(os.sched_getaffinity(0)), "cpu": _cpu(), "when": time.strftime("%Y-%m-%d"), **more}
    value = {"machine": machine, "figures": [asdict(one) for one in figures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    print("\n".join(table({name: figures})))


def table(found: dict[str, list[Figure]]) -> list[str]:
    """Figures as a Markdown table."""
    lines = ["| | what | ours | peer | theirs | ratio | mark | the same work |", "|---|---|---|---|---|---|---|---|"]
    for name, figures in found.items():
        for one in figures:
            reached = "" if one.mark is None else f"{one.mark:g}: " + ("met" if one.ratio >= one.mark else "not met")
            cells = [one.what, one.ours, one.peer, one.theirs, f"{one.ratio:.2f}", reached, one.same]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def main() -> None:
    """Print all saved figures as one table."""
    found = {}
    for path in sorted(RESULTS.glob("*.json")):
        found[path.stem] = [Figure(**one) for one in json.loads(path.read_text(encoding="utf-8"))["figures"]]
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
