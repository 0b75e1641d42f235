"""Writing a report and saying what it says."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from tpt import files
from tpt.errors import RunError
from tpt.report import figure, table
from tpt.report.rows import Row, collect
from tpt.run import Run


@dataclass
class Report:
    """What was written.

    Attributes:
        paths: `table.md`, `table.csv`, `pass_at_k.svg`, `pass_at_k.png`.
        renderables: what a terminal shows: the table, the gains in words, the figure's path.
    """

    paths: list[Path]
    renderables: list[RenderableType]


def report(runs: list[Run], out: Path) -> Report:
    """Write the tables and figures of some runs to `out`, from the run folders alone.

    Raises:
        RunError: no run has an evaluation yet.
    """
    rows = collect(runs)
    if not rows:
        names = ", ".join(run.name for run in runs)
        raise RunError(f"nothing is evaluated yet in {names}", "`tpt run` with the same settings goes on")
    out.mkdir(parents=True, exist_ok=True)
    files.write_text(out / "table.md", table.markdown(rows))
    files.write_text(out / "table.csv", table.to_csv(rows))
    png, svg = figure.draw(rows, out)
    told: list[RenderableType] = [*table.rich_tables(rows), *(Text(gain_in_words(row)) for row in rows if row.gains)]
    told.append(Text(f"table: {out / 'table.md'}\nfigure: {png}", no_wrap=True, overflow="ignore"))
    return Report([out / "table.md", out / "table.csv", svg, png], told)


def gain_in_words(row: Row) -> str:
    """The paired gain over the baseline as a sentence that claims no more than the interval does."""
    gain = row.gains["baseline"]
    label = ", ".join(row.labels.values())
    where = f"{label}: {row.name}" if label else row.name
    figures = f"{table.points(gain)} points over the baseline"
    if gain.low > 0:
        return f"{where}: pass@1 strict rose by {figures}"
    if gain.high < 0:
        return f"{where}: pass@1 strict FELL: {figures}"
    return f"{where}: no change in pass@1 strict that can be told from noise: {figures}"
