"""What the analyses' figures share."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tpt.report.figure import COLOURS, GREY, STYLE, save
from tpt.report.rows import round_name

WIDTH, HEIGHT = 3.7, 3.0  # of a panel, in inches
HEADING = 34  # characters of a heading that fit on a line above a panel


@contextmanager
def panels(path: Path, count: int, columns: int, title: str) -> Iterator[list[Axes]]:
    """Yield `count` panels to draw on, in rows of `columns`; then write `path`, a PNG, and an SVG beside it."""
    lines = -(-count // columns)
    with mpl.rc_context(STYLE):
        size = (WIDTH * columns, HEIGHT * lines + 0.5)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
        everything = list(figure.subplots(lines, columns, squeeze=False).flatten())
        for unused in everything[count:]:
            unused.set_axis_off()
        figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, color=GREY)
        yield everything[:count]
        save(figure, path, dpi=160)
        save(figure, path.with_suffix(".svg"), metadata={"Date": None})


def colour(round: int, rounds: list[int]) -> str:
    """The base model is grey; the rounds after it have the palette's colours in turn."""
    at = rounds.index(round)
    return GREY if at == 0 else COLOURS[(at - 1) % len(COLOURS)]


def round_ticks(panel: Axes, rounds: list[int]) -> None:
    """Name the rounds below a panel."""
    words = ["base" if not round else str(round) if len(rounds) > 3 else round_name(round) for round in rounds]
    panel.set_xticks(rounds, words)
    panel.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.5)


def name(panel: Axes, title: str) -> None:
    """A panel's heading, on as many lines as it needs."""
    panel.set_title(textwrap.fill(title, HEADING), loc="left", fontweight="bold", fontsize=11)
