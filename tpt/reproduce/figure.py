"""An experiment's figure: each line of its table as points with intervals, the paper's as hollow markers."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import Reader
from tpt.report.figure import COLOURS, GREY, STYLE, save
from tpt.report.table import all_ks
from tpt.reproduce.lines import Line

ROW = 0.3  # inches a line
OURS, PAPERS = COLOURS[0], COLOURS[1]


def draw(lines: Sequence[Line], title: str, confidence: str, folder: Path) -> list[Path]:
    """Write `figure.png` and `figure.svg`: pass@1, pass@k for the largest k, and the gain in pass@1."""
    ks = all_ks([line.row for line in lines])
    panels = [f"pass@{k}" for k in dict.fromkeys((ks[0], ks[-1]))] + ["gain"]
    style = STYLE | {"axes.grid.axis": "x", "axes.spines.left": False}
    with mpl.rc_context(style):
        figure = Figure(figsize=(3.0 * len(panels) + 2.6, ROW * len(lines) + 1.7), layout="constrained")
        drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for panel, what in zip(drawn, panels, strict=True):
            _panel(panel, lines, what)
        _names(drawn[0], lines)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        marks = [
            Line2D([], [], color=OURS, marker="o", label=f"here, strict, {confidence}"),
            Line2D([], [], color=OURS, marker=".", alpha=0.6, linestyle="", label="here, lenient"),
        ]
        if any(line.paper for line in lines):
            marks.append(
                Line2D(
                    [],
                    [],
                    color=PAPERS,
                    marker="o",
                    markerfacecolor="white",
                    linestyle="",
                    label="the paper, its own k",
                )
            )
        figure.legend(handles=marks, loc="outside lower left", ncols=3, frameon=False, fontsize=9, labelcolor=GREY)
        png, svg = folder / "figure.png", folder / "figure.svg"
        save(figure, png, dpi=160)
        save(figure, svg, metadata={"Date": None})
    return [png, svg]


def _panel(panel: Axes, lines: Sequence[Line], what: str) -> None:
    for at, line in enumerate(lines):
        strict, lenient = _measured(line, what, "strict"), _measured(line, what, "lenient")
        if lenient:
            panel.plot([100 * lenient.value], [at + 0.2], ".", color=OURS, alpha=0.6)
        if strict:
            panel.hlines([at], [100 * strict.low], [100 * strict.high], color=OURS, linewidth=1.6)
            panel.plot([100 * strict.value], [at], "o", color=OURS, markersize=6)
        paper = _papers(line, what)
        if paper is not None:
            panel.plot([paper], [at - 0.2], "o", color=PAPERS, markerfacecolor="white", markersize=6, zorder=3)
    panel.set_title(f"{what}, %" if what != "gain" else "gain in pass@1, points", loc="left", fontsize=10)
    if what == "gain":
        panel.axvline(0, color="#9aa0a6", linewidth=1)
    else:
        panel.set_xlim(left=min(0.0, panel.get_xlim()[0]))


def _measured(line: Line, what: str, reader: Reader) -> Interval | None:
    if what == "gain":
        gains = line.row.gains.get("baseline", {}) if line.arm else {}
        return gains[reader][line.row.ks[0]] if gains else None
    k = int(what.split("@")[1])
    return line.row.interval(reader, "pass@k", k) if k in line.row.ks else None


def _papers(line: Line, what: str) -> float | None:
    if what == "gain":
        return line.paper_gain
    if what == "pass@1":
        return line.paper.get("pass@1")
    large = [value for name, value in line.paper.items() if name.startswith("pass@") and name != "pass@1"]
    return large[0] if large else None


def _names(panel: Axes, lines: Sequence[Line]) -> None:
    several = {line.arm for line in lines if sum(one.arm == line.arm for one in lines) > 1}
    names = [f"{line.label}, {line.row.name}" if line.arm in several or not line.arm else line.label for line in lines]
    panel.set_yticks(range(len(lines)), names)
    panel.set_ylim(len(lines) - 0.4, -0.6)
    for tick, line in zip(panel.get_yticklabels(), lines, strict=True):
        tick.set_color("black" if line.arm else GREY)
