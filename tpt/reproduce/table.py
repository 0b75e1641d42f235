"""An experiment's table beside the paper's, for a terminal, as Markdown and as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from tpt.evaluate.bootstrap import Interval
from tpt.report.table import all_ks, percent, points
from tpt.reproduce.lines import Line

Cells = dict[str, str]


def figures(line: Line, lines: Sequence[Line], columns: Sequence[str]) -> Cells:
    """What was measured, and the paper's figures beside it, by column."""
    row, ks = line.row, all_ks([one.row for one in lines])
    cells = {"kept": "" if row.kept is None else str(row.kept)}
    shown = ks if "pass@k" in columns else ks[:1]
    for k in shown:
        cells[f"pass@{k} strict"] = percent(row.interval("strict", "pass@k", k)) if k in row.ks else ""
        if k == ks[0]:
            cells[f"pass@{k} lenient"] = percent(row.interval("lenient", "pass@k", k)) if k in row.ks else ""
    if "correct@k" in columns:
        cells[f"correct@{ks[-1]}"] = f"{row.metrics['strict']['correct@k'].get(str(ks[-1]), '')}"
    if "well formed" in columns:
        cells["well formed"] = f"{100 * row.metrics['well_formed']:.1f}"
    for figure in ("pass@1", *(one for one in columns if one.endswith("@k"))):
        cells[f"paper {figure}"] = line.paper_cell(figure)
    return cells


def comparisons(line: Line) -> Cells:
    """What the line is compared with, in points, by column."""
    k = line.row.ks[0]
    lenient = line.row.gains.get("baseline", {}).get("lenient") if line.arm else None
    return {
        "gain strict": _points(line.gain),
        "gain lenient": _points(lenient),
        "against": line.against,
        "difference": points(line.differences[k]["strict"]) if line.against else "",
        "paper gain": "" if line.paper_gain is None else f"{line.paper_gain:+.1f}",
        "gain - paper": _points(line.beyond_paper),
    }


def all_cells(lines: Sequence[Line], columns: Sequence[str]) -> list[Cells]:
    """Every line's cells with its name; a column that no line fills is left out."""
    return _filled([_named(line) | figures(line, lines, columns) | comparisons(line) for line in lines])


def rich_tables(lines: Sequence[Line], columns: Sequence[str], confidence: str) -> list[Table]:
    """For a terminal: the figures, then the comparisons."""
    measured = _rich(
        f"%, with {confidence}", lines, _filled([_named(one) | figures(one, lines, columns) for one in lines])
    )
    compared = [one for one in lines if one.gain or one.against]
    if not compared:
        return [measured]
    title = "pass@1 in points, paired by problem: over the baseline, against another arm, and the paper's"
    return [measured, _rich(title, compared, _filled([_named(one) | comparisons(one) for one in compared]))]


def markdown(cells: Sequence[Cells]) -> str:
    """A Markdown table of cells."""
    table = [list(cells[0]), ["---"] * len(cells[0]), *(list(one.values()) for one in cells)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in table)


def to_csv(lines: Sequence[Line]) -> str:
    """Plain numbers, shares between 0 and 1, a column for each end of each interval; the paper's in percent."""
    return csv_of([_numbers(line) for line in lines])


def csv_of(records: Iterable[dict[str, str | float]]) -> str:
    """CSV of records that need not have the same columns."""
    records = list(records)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for one in records for name in one)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _numbers(line: Line) -> dict[str, str | float]:
    row = line.row
    record: dict[str, str | float] = {"arm": line.arm or "baseline", "label": line.label, "run": row.run}
    record |= {"round": row.round, "kept": "" if row.kept is None else row.kept, "confidence": row.confidence}
    for reader in ("strict", "lenient"):
        for k in row.ks:
            record |= _ends(f"{reader}_pass@{k}", row.interval(reader, "pass@k", k))
            record[f"{reader}_correct@{k}"] = row.metrics[reader]["correct@k"][str(k)]
    record |= {name: row.metrics[name] for name in ("well_formed", "cut_off", "mean_tokens", "problems", "samples")}
    for reader, gain in row.gains.get("baseline", {}).items() if line.arm else ():
        record |= _ends(f"{reader}_gain", gain)
    record["against"] = line.against
    for k, both in line.differences.items():
        for reader, one in both.items():
            record |= _ends(f"{reader}_difference_pass@{k}", one)
    record |= {f"paper_{name}": value for name, value in line.paper.items()}
    return record | ({} if line.paper_gain is None else {"paper_gain": round(line.paper_gain, 4)})


def _ends(name: str, value: Interval) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _named(line: Line) -> Cells:
    return {"arm": line.label, "round": line.row.name}


def _points(value: Interval | None) -> str:
    return "" if value is None else points(value)


def _filled(cells: list[Cells]) -> list[Cells]:
    empty = [name for name in cells[0] if not any(one[name] for one in cells)]
    return [{name: cell for name, cell in one.items() if name not in empty} for one in cells]


def _rich(title: str, lines: Sequence[Line], cells: Sequence[Cells]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    wrapped: Callable[[str], str] = lambda text: text.replace(" ", "\n").replace("\n-\n", " -\n")  # noqa: E731
    for heading in cells[0]:
        words = heading in ("arm", "against")
        table.add_column(
            heading if words else wrapped(heading),
            justify="left" if words else "right",
            no_wrap=not words,
            max_width=26 if words else None,
        )
    before = ""
    for line, one in zip(lines, cells, strict=True):
        if before and line.arm != before:
            table.add_section()
        label = one["arm"] if line.arm != before or not line.arm else ""
        shown = (one | {"arm": label}).items()
        table.add_row(
            *(
                escape(cell if name in ("arm", "against") else cell.replace(" [", "\n[").replace(" (", "\n("))
                for name, cell in shown
            )
        )
        before = line.arm
    return table
