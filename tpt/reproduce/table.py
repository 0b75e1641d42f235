"""An experiment's table beside the paper's, for a terminal, as Markdown and as CSV."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS
from tpt.report.table import DESIGN, PLAIN, TROUBLES, all_ks, csv_of
from tpt.reproduce.lines import Line
from tpt.terminal import unfolded

Cells = dict[str, str]
AGAINST = "against another"


def figures(line: Line, lines: Sequence[Line], columns: Sequence[str]) -> Cells:
    """What was measured, and the paper's figures beside it, by column."""
    row, ks = line.row, all_ks([one.row for one in lines])
    cells = {"kept": "" if row.kept is None else str(row.kept)}
    shown = ks if "pass@k" in columns else ks[:1]
    for k in shown:
        cells[f"pass@{k} strict"] = row.interval("strict", "pass@k", k).in_percent() if k in row.ks else ""
        if k == ks[0]:
            cells[f"pass@{k} lenient"] = row.interval("lenient", "pass@k", k).in_percent() if k in row.ks else ""
    if "correct@k" in columns:
        count = _count(row.metrics["strict"]["correct@k"].get(str(ks[-1])))
        cells[f"correct@{ks[-1]}"] = f"{count} of {row.metrics['problems']}" if count else ""
    if "well formed" in columns:
        cells["well formed"] = f"{100 * row.metrics['well_formed']:.1f}"
    for figure in ("pass@1", *(one for one in columns if one.endswith("@k"))):
        cells[f"paper {figure}"] = line.paper_cell(figure)
    return cells | {DESIGN: row.design}


def comparisons(line: Line) -> Cells:
    """What the line is compared with, in points, by column."""
    k = line.row.ks[0]
    gains = line.row.gains.get("baseline") if line.arm else None
    return {
        "gain strict": _points(line.gain),
        "gain lenient": _points(gains["lenient"][k] if gains else None),
        "against": line.against,
        "difference": line.differences[k]["strict"].in_points() if line.against else "",
        "paper gain": "" if line.paper_gain is None else f"{line.paper_gain:+.1f}",
    }


def all_cells(lines: Sequence[Line], columns: Sequence[str]) -> list[Cells]:
    """Every line's cells with its name; a column that no line fills is left out."""
    return _filled([_named(line) | figures(line, lines, columns) | comparisons(line) for line in lines])


def rich_tables(lines: Sequence[Line], columns: Sequence[str], confidence: str) -> list[Table]:
    """For a terminal of 80 columns, 100 where problems are counted; the page and the CSV have more."""
    tables = [_rich(f"%, with {confidence}", lines, [_short(one, lines, columns) for one in lines])]
    compared = [one for one in lines if one.gain or one.against]
    if compared:
        title = f"pass@{all_ks([one.row for one in lines])[0]}, points, paired by problem"
        tables.append(_rich(title, compared, [_short_gains(one) for one in compared]))
    return tables


def _short(line: Line, lines: Sequence[Line], columns: Sequence[str]) -> Cells:
    cells = figures(line, lines, columns)
    lenient = next(name for name in cells if name.endswith("lenient"))
    cells[lenient] = cells[lenient].split(" [")[0]
    cells.pop(DESIGN)  # too wide
    papers = [cells.pop(name) for name in list(cells) if name.startswith("paper")]
    return cells | {"paper": "\n".join(one.replace("(k=", "@").replace(")", "") for one in papers if one)}


def _short_gains(line: Line) -> Cells:
    cells = comparisons(line)
    against = f"{cells['difference']}\n{line.against}" if line.against else ""
    wanted = ("gain strict", "gain lenient", "paper gain")
    return {name: cells[name] for name in wanted} | {AGAINST: against}


def to_csv(lines: Sequence[Line]) -> str:
    """Plain numbers, shares between 0 and 1, a column for each end of each interval; the paper's in percent."""
    return csv_of([_numbers(line) for line in lines])


def _numbers(line: Line) -> dict[str, str | float]:
    row = line.row
    record: dict[str, str | float] = {"arm": line.arm or "baseline", "label": line.label, "run": row.run}
    record |= {"trainings": row.trainings, "sd_between_trainings": "" if row.spread is None else row.spread}
    record |= {"steps": "" if row.steps is None else row.steps}
    record |= {"round": row.round, "kept": "" if row.kept is None else row.kept, "confidence": row.confidence}
    for reader in READERS:
        for k in row.ks:
            record |= row.interval(reader, "pass@k", k).columns(f"{reader}_pass@{k}")
            record[f"{reader}_correct@{k}"] = row.metrics[reader]["correct@k"][str(k)]
    record |= {name: row.metrics[name] for name in (*PLAIN, *TROUBLES)}
    for reader, gains in row.gains.get("baseline", {}).items() if line.arm else ():
        for k, gain in gains.items():
            record |= gain.columns(f"{reader}_gain_pass@{k}")
    record["against"] = line.against
    for k, both in line.differences.items():
        for reader, one in both.items():
            record |= one.columns(f"{reader}_difference_pass@{k}")
    record |= {f"paper_{name}": value for name, value in line.paper.items()}
    return record | ({} if line.paper_gain is None else {"paper_gain": round(line.paper_gain, 4)})


def _named(line: Line) -> Cells:
    return {"arm": line.label, "round": line.row.name}


def _count(value: float | None) -> str:
    return "" if value is None else f"{round(value, 1):g}"


def _points(value: Interval | None) -> str:
    return "" if value is None else value.in_points()


def _filled(cells: list[Cells]) -> list[Cells]:
    empty = [name for name in cells[0] if not any(one[name] for one in cells)]
    return [{name: cell for name, cell in one.items() if name not in empty} for one in cells]


def _rich(title: str, lines: Sequence[Line], cells: list[Cells]) -> Table:
    table = Table(title=unfolded(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    table.add_column("round", no_wrap=True)
    shown = _filled(cells)
    for heading in shown[0]:
        named = heading == AGAINST  # holds another arm's label
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=not named, overflow="fold")
    several = len({line.arm for line in lines}) < len(lines)
    before: str | None = None
    for line, one in zip(lines, shown, strict=True):
        if several and before not in (None, line.arm):
            table.add_section()
        label = line.label if line.arm != before else ""
        found = [cell.replace(" [", "\n[") for cell in one.values()]
        table.add_row(*map(Text, (label, str(line.row.round or "base"), *found)))
        before = line.arm
    return table
