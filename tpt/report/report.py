"""Writes a report, and says in words what its figures show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tpt import files
from tpt.artefacts import TABLE, TABLE_CSV, TABLE_TEX
from tpt.errors import Damaged, RunError
from tpt.report import figure, page, table
from tpt.report.chosen import best_arm
from tpt.report.further import without_interval
from tpt.report.latex import latex
from tpt.report.rows import Row, as_text, collect, doubtful, ends, unevaluated
from tpt.report.sentences import EXPLORATORY, EXPLORATORY_NOTE, ONE_TRAINING, further_in_words, gain_in_words
from tpt.report.trainings import method_rows, without_mean
from tpt.runs.folder import Run

SEVERAL = "tpt run -m seed=0,1,2"


@dataclass
class Report:
    """What was written.

    Attributes:
        table: `table.csv`.
        figure: `pass_at_k.png`.
        page: `report.html`, or the path that was given.
        paths: every file: these, the table as Markdown and LaTeX, and the figure as SVG and PDF.
        renderables: what a terminal shows: the tables, the gains in words, why `rounds=auto`
            stopped, what is not evaluated yet, the paths.
        rows: one for each evaluated round of each run.
        sentences: the gains in words.
        notes: why `rounds=auto` stopped, which arm is best on dev, what could not be judged, what is not evaluated yet.
    """

    table: Path
    figure: Path
    page: Path
    paths: list[Path]
    renderables: list[RenderableType]
    rows: list[Row]
    sentences: list[str]
    notes: list[str]

    def record(self) -> dict[str, Any]:
        """The report as JSON; `tpt report --help` explains the keys."""
        rows = [{"folder": str(row.root), **table.numbers(row)} for row in self.rows]
        return {
            "rows": [{key: None if value == "" else value for key, value in row.items()} for row in rows],
            "sentences": self.sentences,
            "notes": self.notes,
            "files": [str(path) for path in self.paths],
        }


def report(runs: list[Run], out: Path, html: Path | None = None) -> Report:
    """Write the tables, figures and page of some runs to `out`, from the run folders alone.

    Args:
        runs: a run that is given twice counts once; if one of several has a file that cannot be read, it is left out
            and named in the notes.
        html: where the page goes instead of `out/report.html`.

    Raises:
        RunError: no run has an evaluation yet.
        Damaged: the only run has a file that cannot be read.
        FileError: a file cannot be written; in that case none is.
    """
    html = html or out / "report.html"
    for path in (*_tables(out), *figure.paths(out), html):
        files.check_writable(path)
    runs = list({run.root.resolve(): run for run in runs}.values())
    left_out: list[str] = []
    while True:
        try:
            return _write(runs, left_out, out, html)
        except Damaged as error:
            others = [run for run in runs if not error.path.is_relative_to(run.root)]
            if not others or others == runs:
                raise
            runs = others
            left_out.append(f"left out: {error.message} ({error.hint})")


def _write(runs: list[Run], left_out: list[str], out: Path, html: Path) -> Report:
    """Write a report.

    Args:
        left_out: why other runs are not in it.

    Raises:
        RunError: no run has an evaluation yet.
        Damaged: a file of a run cannot be read.
    """
    rows = collect(runs)
    notes = [*left_out, *doubtful(rows), *ends(runs), *best_arm(runs, rows), *as_text(runs), *unevaluated(runs)]
    if any(row.unsafe for row in rows):
        notes.insert(0, table.UNSAFE)
    if not rows:
        names = ", ".join(run.name for run in runs)
        raise RunError(f"nothing is evaluated yet in {names}", "`tpt run` with the same settings continues")
    methods = method_rows(runs, rows)
    words = sentences(runs, rows, methods)
    notes += without_interval(one for row in rows for one in row.further.values())
    notes += without_mean(runs, rows, methods)
    notes += [EXPLORATORY_NOTE] if any(one.startswith(EXPLORATORY) for one, _ in words) else []
    notes += [ONE_TRAINING.format(SEVERAL)] if words and not methods else []
    out.mkdir(parents=True, exist_ok=True)
    page.write(html, runs, rows, words, notes, methods)  # first: it reads the most, and so finds what cannot be read
    files.write_text(out / TABLE, table.markdown(rows, notes, methods))
    files.write_text(out / TABLE_CSV, table.to_csv(rows))
    files.write_text(out / TABLE_TEX, latex(rows, notes, methods))
    png, *drawings = figure.draw(rows, out)
    told: list[RenderableType] = [*table.rich_tables(rows, methods)]
    told += [Text(one) for one, _ in words]
    told += [Text(note) for note in notes]
    told.append(Text(f"table: {out / TABLE}\npage: {html}\nfigure: {png}", no_wrap=True, overflow="ignore"))
    paths = [*_tables(out), *drawings, png, html]
    return Report(out / TABLE_CSV, png, html, paths, told, rows, [one for one, _ in words], notes)


def sentences(runs: list[Run], rows: list[Row], methods: list[Row]) -> list[tuple[str, int]]:
    """The gains in words, each with 1 for a rise, -1 for a fall, 0 if neither can be told.

    Where runs are compared, there are sentences on the last round of each; the table has the others. On other problems,
    a sentence on a method stands for those on its checkpoints.
    """
    single = rows if len(runs) == 1 else list({row.root: row for row in rows}.values())
    several = list({tuple(row.labels.items()): row for row in methods}.values())
    words = [
        (gain_in_words(row), 0 if row.unjudged else row.gains["baseline"]["strict"][row.ks[0]].direction)
        for row in (*single, *several)
        if "baseline" in row.gains
    ]
    for row in (*single, *several):
        known = {title for one in several if row.root in one.roots and row.round == one.round for title in one.further}
        found = further_in_words(row, known if row.trainings == 1 else ())
        words += [(f"{EXPLORATORY}{text}", direction) for text, direction in found]
    return words


def _tables(out: Path) -> list[Path]:
    return [out / name for name in (TABLE, TABLE_CSV, TABLE_TEX)]
