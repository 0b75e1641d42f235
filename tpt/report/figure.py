"""The report's figure: pass@k by round."""

from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tpt.report.rows import Row

mpl.use("Agg")

# Okabe and Ito's palette: told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "svg.fonttype": "none",
}


def draw(rows: list[Row], folder: Path) -> list[Path]:
    """Write `pass_at_k.png` and `pass_at_k.svg`: a panel for each k, strict solid, lenient dashed, with intervals."""
    ks = sorted({int(k) for row in rows for k in row.metrics["strict"]["pass@k"]})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * len(ks), 4.0), layout="constrained")
        panels = figure.subplots(1, len(ks), squeeze=False)[0]
        for panel, k in zip(panels, ks, strict=True):
            _panel(panel, rows, k)
        names = list(dict.fromkeys(row.run for row in rows))
        title = names[0] if len(names) == 1 else f"{len(names)} runs"
        figure.suptitle(f"{title}: accuracy by round, with intervals over problems", fontsize=10, color="#555555")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        paths = [folder / "pass_at_k.png", folder / "pass_at_k.svg"]
        for path in paths:
            figure.savefig(path, dpi=160)
    return paths


def _panel(panel: Axes, rows: list[Row], k: int) -> None:
    several = len({row.run for row in rows}) > 1
    top = 0.0
    for colour, (_, group) in zip(_colours(), groupby(rows, key=lambda row: row.run), strict=False):
        of_run = [row for row in group if str(k) in row.metrics["strict"]["pass@k"]]
        name = ", ".join(of_run[0].labels.values()) + ": " if several else ""
        for reader, line, shift in (("strict", "-", -0.03), ("lenient", "--", 0.03)):
            values = [row.interval(reader, "pass@k", k) for row in of_run]
            at = [row.round + shift for row in of_run]
            shares = [100 * value.value for value in values]
            ends = [
                [100 * (value.value - value.low) for value in values],
                [100 * (value.high - value.value) for value in values],
            ]
            style: dict[str, Any] = {"linestyle": line, "color": colour, "alpha": 1.0 if reader == "strict" else 0.55}
            panel.errorbar(at, shares, yerr=ends, marker="o", markersize=5, capsize=3, label=f"{name}{reader}", **style)
            top = max(top, *(100 * value.high for value in values))
            if reader == "strict" and not several:
                for x, share in zip(at, shares, strict=True):
                    label = f"{share:.1f}"
                    panel.annotate(
                        label, (x, share), xytext=(-8, 6), textcoords="offset points", ha="right", color=colour
                    )
    rounds = sorted({row.round for row in rows})
    panel.set_xticks(rounds, ["base" if not round else str(round) for round in rounds])
    panel.set_xlim(rounds[0] - 0.45, rounds[-1] + 0.3)
    panel.set_ylim(0, min(100.0, top * 1.15) or 1.0)
    panel.set_xlabel("round")
    panel.set_ylabel("problems solved, %" if k > 1 else "samples correct, %")
    panel.set_title(f"pass@{k}", loc="left", fontweight="bold")


def _colours() -> list[str]:
    return list(COLOURS) * 20
