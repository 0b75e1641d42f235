"""Tables in Markdown."""

import re
from collections.abc import Callable, Mapping, Sequence

_SIGNS = re.compile(r"([\\`*_<>|$~])")  # that mean something in Markdown


def table(rows: Sequence[Mapping[str, str]], escape: Callable[[str], str] | None = None, numbers: bool = False) -> str:
    """A table with a line for each row.

    Args:
        rows: at least one; cells by column, the same columns in each row, in the same order.
        escape: what is done with each cell; None: `bars`, which leaves other Markdown in cells as it is.
        numbers: align all cells to the right.
    """
    escape = escape or bars
    rule = ["---:" if numbers else "---"] * len(rows[0])
    lines = [[escape(name) for name in rows[0]], rule, *([escape(cell) for cell in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def bars(text: str) -> str:
    """A text that ends no cell of a table."""
    return text.replace("|", "\\|")


def plain(text: str) -> str:
    """A text in which nothing means anything to Markdown: for what a model wrote."""
    return _SIGNS.sub(r"\\\1", text)
