"""The page's charts as inline SVG.

Horizontal positions are in percent of the width, vertical ones in pixels: text keeps its size at every window width.
Colours are classes (`s0` .. `s7`), to which the page's style gives values for light and dark.
"""

from itertools import pairwise

from markupsafe import Markup

from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS
from tpt.report.rows import Row

COLOURS = 8
HEIGHT = 240
TOP, BOTTOM = 18, 212  # pixels: where the axis ends and begins
LEFT, RIGHT = 20.0, 92.0  # percent: the first and the last round
STEPS = (1, 2, 5, 10, 20, 25)  # between the lines of a grid, in percent
LINES = 5


def top_of(rows: list[Row]) -> float:
    """The upper end of a percent axis that holds every interval of pass@k: a whole number of the grid's steps."""
    highest = max(row.interval(reader, "pass@k", k).high for row in rows for reader in READERS for k in row.ks)
    step = next(one for one in STEPS if 100 * highest <= one * LINES)
    return float(max(step, -(-100 * highest // step) * step))


def pass_at_k(series: list[tuple[str, list[tuple[Row, Interval]]]], top: float, label: str) -> Markup:
    """Shares by round with their intervals.

    Args:
        series: a class and, for each of its rounds, the row and its figure.
        top: the upper end of the axis, in percent.
        label: what a screen reader says about the chart.
    """
    rounds = sorted({row.round for _, found in series for row, _ in found})
    step = (RIGHT - LEFT) / max(len(rounds) - 1, 1)
    places = {round: LEFT + step * at if len(rounds) > 1 else 50.0 for at, round in enumerate(rounds)}
    drawn = [_grid(top), *(_tick(places[round], "base" if not round else f"round {round}") for round in rounds)]
    values = []
    apart = min(2.0, step / (2 * len(series)))
    for number, (style, found) in enumerate(series):
        aside = apart * (number - (len(series) - 1) / 2)
        points = [(places[row.round] + aside, row, figure) for row, figure in found]
        drawn.append(_line(points, top, style))
        if number == 0 and len(series) <= len(READERS):
            values.append(_values(points, top, style))
    return Markup('<svg class="plot" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        HEIGHT, label, Markup("").join([*drawn, *values])
    )


def _height(share: float, top: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share / top, 1)


def _grid(top: float) -> Markup:
    step = next((one for one in STEPS if top <= one * LINES), STEPS[-1])
    ticks = range(0, int(top) + 1, step)
    lines = Markup('<line x1="0" x2="100%" y1="{0}" y2="{0}"/><text x="0" y="{1}">{2}</text>')
    drawn = [lines.format(_height(one, top), _height(one, top) - 4, f"{one} %") for one in ticks]
    return Markup('<g class="grid">{}</g>').format(Markup("").join(drawn))


def _tick(place: float, name: str) -> Markup:
    return Markup('<text class="tick" x="{}%" y="{}" text-anchor="middle">{}</text>').format(
        round(place, 2), BOTTOM + 20, name
    )


def _line(points: list[tuple[float, Row, Interval]], top: float, style: str) -> Markup:
    at = [(round(place, 2), row, figure, _height(100 * figure.value, top)) for place, row, figure in points]
    drawn = [
        Markup('<line class="run" x1="{}%" y1="{}" x2="{}%" y2="{}"/>').format(one[0], one[3], two[0], two[3])
        for one, two in pairwise(at)
    ]
    for place, row, figure, height in at:
        ends = _height(100 * figure.low, top), _height(100 * figure.high, top)
        drawn.append(Markup('<line class="interval" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>').format(place, *ends))
        title = f"{row.label + ': ' if row.label else ''}{row.name}: {figure.in_percent()} %"
        drawn.append(Markup('<circle cx="{}%" cy="{}" r="5"><title>{}</title></circle>').format(place, height, title))
    return Markup('<g class="{}">{}</g>').format(style, Markup("").join(drawn))


def _values(points: list[tuple[float, Row, Interval]], top: float, style: str) -> Markup:
    """The figures in words, drawn last so that no line covers them."""
    words = Markup('<text class="value" x="{:.2f}%" y="{}" dx="8" dy="{}">{:.1f}</text>')
    drawn = []
    for place, _, one in points:
        height = _height(100 * one.value, top)
        below = height + 16 < BOTTOM  # otherwise it would cover the names of the rounds
        drawn.append(words.format(place, height, 16 if below else -8, 100 * one.value))
    return Markup('<g class="{}">{}</g>').format(style, Markup("").join(drawn))


def bar(parts: list[tuple[str, float]], label: str) -> Markup:
    """A horizontal bar of several parts.

    Args:
        parts: the class of each part and its share of the whole width.
    """
    drawn, start = [], 0.0
    for style, share in parts:
        rectangle = Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="14"/>')
        drawn.append(rectangle.format(style, 100 * start, 100 * share))
        start += share
    return _strip(Markup("").join(drawn), label)


def gap(strict: Interval, lenient: Interval, top: float, label: str) -> Markup:
    """What the strict reader sees, what the lenient reader sees, and the distance between them."""
    one, other = (round(100 * 100 * figure.value / top, 2) for figure in (strict, lenient))
    drawn = Markup(
        '<line class="way" x1="{0}%" x2="{1}%" y1="7" y2="7"/>'
        '<circle class="s1 hollow" cx="{1}%" cy="7" r="5.5"/><circle class="s0" cx="{0}%" cy="7" r="4"/>'
    )
    return _strip(drawn.format(one, other), label)


def _strip(drawn: Markup, label: str) -> Markup:
    track = Markup('<rect class="track" width="100%" height="14"/>')
    return Markup('<svg class="strip" width="100%" height="14" role="img" aria-label="{}">{}{}</svg>').format(
        label, track, drawn
    )
