"""The report's tables as LaTeX, for a paper: `\\usepackage{booktabs}`, then `\\input{table}`."""

import re

from tpt.report.rows import Row
from tpt.report.table import parts

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}
INTERVAL = re.compile(r" (\[[^\]]*\])$")


def latex(rows: list[Row], notes: list[str], methods: list[Row] | None = None) -> str:
    """A `table` environment for each table, the notes as comments above."""
    comments = [f"% {' '.join(note.split())}." for note in notes]
    return "\n".join([*comments, *(_table(part.title, part.lines) for part in parts(rows, methods))])


def _table(title: str, lines: list[dict[str, str]]) -> str:
    # Settings and the round are words, what follows them are figures.
    words = list(lines[0]).index("round") + 1
    columns = "l" * words + "r" * (len(lines[0]) - words)
    body = [" & ".join(_cell(cell) for cell in line) for line in ([*lines[0]], *(line.values() for line in lines))]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape(title)}.}}",
            r"\centering",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            rf"{body[0]} \\",
            r"\midrule",
            *(rf"{line} \\" for line in body[1:]),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """A text in which LaTeX reads no command."""
    return "".join(SPECIAL.get(one, one) for one in text)


def _cell(text: str) -> str:
    """A cell; an interval is set smaller than the figure before it."""
    figure, *interval = INTERVAL.split(text)[:2]
    # After the end of a row, a bracket would open that row's height.
    apart = "{}" if text.startswith("[") else ""
    return apart + escape(figure) + (rf" {{\scriptsize {escape(interval[0])}}}" if interval else "")
