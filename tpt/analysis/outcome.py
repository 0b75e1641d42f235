"""What an analysis found, in words, tables and pictures, for a terminal and for a page."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_SIGNS = re.compile(r"([\\`*_<>|$~])")  # that mean something in Markdown; a model's text may hold any of them


@dataclass
class Sheet:
    """A table.

    Attributes:
        title: what it shows, and what the brackets are.
        rows: cells as text, by column; the same columns in each row, in the same order.
    """

    title: str
    rows: list[dict[str, str]]

    def rich(self) -> "Table":
        """For a terminal."""
        from rich.table import Table  # here, so that `tpt --help` costs nothing
        from rich.text import Text

        from tpt.terminal import unfolded

        table = Table(title=unfolded(self.title), title_justify="left")
        for heading in self.rows[0] if self.rows else ():
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell.replace(" [", "\n[")) for cell in row.values()))
        return table

    def markdown(self) -> str:
        """For a page."""
        if not self.rows:
            return f"{self.title}: nothing.\n"
        lines = [list(self.rows[0]), ["---"] * len(self.rows[0]), *(list(row.values()) for row in self.rows)]
        cells = ("| " + " | ".join(_SIGNS.sub(r"\\\1", cell) for cell in line) + " |\n" for line in lines)
        return f"{self.title}.\n\n{''.join(cells)}"


@dataclass
class Outcome:
    """What an analysis found.

    Attributes:
        sentences: one each, which claim no more than the intervals do.
        sheets: tables.
        figures: PNG files; each has an SVG of the same name beside it.
    """

    sentences: list[str]
    sheets: list[Sheet]
    figures: list[Path]

    def markdown(self, title: str) -> str:
        """As a page that lies in the folder of its figures."""
        parts = [f"# {title}\n", *(f"- {sentence}" for sentence in self.sentences), ""]
        parts += [sheet.markdown() for sheet in self.sheets]
        parts += [f"![{figure.stem.replace('_', ' ')}]({figure.name})\n" for figure in self.figures]
        return "\n".join(parts)
