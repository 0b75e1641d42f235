"""What an analysis found, in words, tables and pictures, for a terminal and for a page."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import markdown

if TYPE_CHECKING:
    from rich.table import Table


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
        # A cell may be a model's own text, which may hold any sign.
        return f"{self.title}.\n\n{markdown.table(self.rows, escape=markdown.plain)}"


@dataclass
class Outcome:
    """What an analysis found.

    Attributes:
        sentences: one each, which claim no more than the intervals do.
        sheets: tables.
        figures: PNG files; each has an SVG of the same name beside it.
        pages: HTML files for a browser.
    """

    sentences: list[str]
    sheets: list[Sheet]
    figures: list[Path]
    pages: list[Path] = field(default_factory=list)

    def markdown(self, title: str) -> str:
        """As a page, to be written to the folder of its figures."""
        parts = [f"# {title}\n", *(f"- {sentence}" for sentence in self.sentences), ""]
        parts += [f"[{page.stem.replace('_', ' ')}, for a browser]({page.name})\n" for page in self.pages]
        parts += [sheet.markdown() for sheet in self.sheets]
        parts += [f"![{figure.stem.replace('_', ' ')}]({figure.name})\n" for figure in self.figures]
        return "\n".join(parts)
