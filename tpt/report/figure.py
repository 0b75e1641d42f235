"""The report's figure: pass@k by round."""

import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tpt import files
from tpt.evaluate.metrics import READERS, Reader
from tpt.report.rows import Row
from tpt.report.table import all_ks, interval_words

mpl.use("Agg")

# Okabe and Ito's palette without its yellow: told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D")  # a run beyond the seventh repeats a colour, with another marker
GREY = "#5f6368"
COLUMNS = 3  # panels side by side
LINE = 0.06  # height of a line of a name, as a share of a panel
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e8eaed",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.labelcolor": GREY,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "tpt",  # the same rows give the same file
}


def draw(rows: list[Row], folder: Path) -> list[Path]:
    """Write `pass_at_k` as PNG, SVG and PDF: a panel for each k, strict solid, lenient dashed, with intervals."""
    ks, top = all_ks(rows), _top(rows)
    runs = [list(group) for _, group in groupby(rows, key=lambda row: row.root)]
    columns = min(COLUMNS, len(ks))
    lines = -(-len(ks) // columns)
    with mpl.rc_context(STYLE):
        # The last column is wider by the names of the lines, which stand to the right of them.
        size = (4.0 * columns + 1.4, 3.5 * lines + 0.7)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12))
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True).flatten()
        for panel, k in zip(panels, ks, strict=False):
            _panel(panel, runs, k, top)
        for panel in panels[len(ks) :]:
            panel.set_axis_off()
        for panel in panels[::columns]:
            panel.set_ylabel("solved, %")
        title = runs[0][0].run if len(runs) == 1 else f"{len(runs)} runs by {', '.join(runs[0][0].labels)}"
        key = "solid: strict reader, dashed: lenient reader; bars: " + ("strict, " if len(runs) > 1 else "")
        title += "\nNOT SANDBOXED" if any(row.unsafe for row in rows) else ""
        figure.suptitle(f"{title}\n{key}{interval_words(rows)}", x=0.01, ha="left", fontsize=9.5, color=GREY)
        png, svg, pdf = paths(folder)
        save(figure, png, dpi=160)
        save(figure, svg, metadata={"Date": None})
        save(figure, pdf, metadata={"CreationDate": None})
    return [png, svg, pdf]


def paths(folder: Path) -> list[Path]:
    """The files that `draw` writes."""
    return [folder / f"pass_at_k.{kind}" for kind in ("png", "svg", "pdf")]


def save(figure: Figure, path: Path, **how: Any) -> None:
    """Write a figure whole or not at all, in the format that the path's suffix names.

    Args:
        how: of `Figure.savefig`.
    """
    with files.atomic(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix("."), **how)


def _panel(panel: Axes, runs: list[list[Row]], k: int, top: float) -> None:
    rounds = sorted({row.round for run in runs for row in run})
    ends: list[tuple[float, str, str]] = []
    for number, run in enumerate(runs):
        of_run = [row for row in run if k in row.ks]
        if not of_run:
            continue
        colour = COLOURS[number % len(COLOURS)]
        marker = MARKERS[number // len(COLOURS) % len(MARKERS)]
        aside = 0.3 * ((number + 0.5) / len(runs) - 0.5)
        step = 0.07 / len(runs)
        shifts: dict[Reader, float] = {"lenient": step, "strict": -step}
        for reader, shift in shifts.items():
            _line(panel, of_run, reader, k, aside + shift, colour, marker, alone=len(runs) == 1)
        # A run is named once, in the panel of its largest k.
        if k == of_run[-1].ks[-1]:
            last = of_run[-1]
            named: dict[Reader, str] = (
                {"strict": ", ".join(last.labels.values())} if len(runs) > 1 else {one: one for one in READERS}
            )
            ends += [(100 * last.interval(reader, "pass@k", k).value, name, colour) for reader, name in named.items()]
    panel.set_xticks(rounds, ["base" if not round else f"round {round}" for round in rounds])
    panel.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.4)
    panel.set_title(f"pass@{k}", loc="left", fontweight="bold", fontsize=12)
    panel.set_ylim(0, top)
    _name(panel, ends, top)


def _line(
    panel: Axes, rows: list[Row], reader: Reader, k: int, aside: float, colour: str, marker: str, alone: bool
) -> None:
    found = [row.interval(reader, "pass@k", k) for row in rows]
    at = [row.round + aside for row in rows]
    shares = [100 * one.value for one in found]
    strict = reader == "strict"
    style: dict[str, Any] = {"color": colour, "zorder": 3 if strict else 2, "alpha": 1.0 if strict else 0.7}
    panel.plot(
        at,
        shares,
        linestyle="-" if strict else (0, (4, 2)),
        linewidth=2.0 if strict else 1.3,
        marker=marker,
        markersize=6,
        markerfacecolor=colour if strict else "white",
        **style,
    )
    if not strict and not alone:
        return  # the bars of several runs are too many to tell apart
    panel.vlines(at, [100 * one.low for one in found], [100 * one.high for one in found], linewidth=1.2, **style)
    if strict and alone:
        for x, share in zip(at, shares, strict=True):
            panel.annotate(
                f"{share:.1f}", (x, share), xytext=(-7, 5), textcoords="offset points", ha="right", color=colour
            )


def _name(panel: Axes, ends: list[tuple[float, str, str]], top: float) -> None:
    """Write the lines' names to the right of their ends, moved up where they would overlap."""
    free = 0.0  # the lowest height that no name takes yet, as a share of the axis
    for share, name, colour in sorted(ends):
        text = textwrap.fill(name, 26)
        height = LINE * (text.count("\n") + 1)
        at = max(share / top, free + height / 2)
        panel.annotate(
            text, (1.02, at), xycoords="axes fraction", va="center", color=colour, fontsize=9, annotation_clip=False
        )
        free = at + height / 2


def _top(rows: list[Row]) -> float:
    """The upper end of the axis in percent: a little above the highest interval."""
    highest = max(row.interval(reader, "pass@k", k).high for row in rows for reader in READERS for k in row.ks)
    return min(104.0, 110 * highest) or 1.0
