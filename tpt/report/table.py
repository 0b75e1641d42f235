"""The report's table, for a terminal, for Markdown and as CSV."""

import csv
import io

from rich.table import Table

from tpt.evaluate.bootstrap import Interval
from tpt.report.rows import Row

STAGES = ("think", "prune", "train", "evaluate")


def percent(value: Interval) -> str:
    """A share with its interval: `29.5 [25.1, 33.9]`, in percent."""
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def points(value: Interval) -> str:
    """A difference with its interval: `+15.5 [+11.0, +20.2]`, in percentage points."""
    return f"{100 * value.value:+.1f} [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


def cells(row: Row) -> dict[str, str]:
    """A row's cells by column, as a person reads them."""
    ks = sorted(int(k) for k in row.metrics["strict"]["pass@k"])
    found = dict(row.labels)
    found["round"] = row.name
    for k in ks:
        found[f"pass@{k} strict, %"] = percent(row.interval("strict", "pass@k", k))
    found[f"pass@{ks[0]} lenient, %"] = percent(row.interval("lenient", "pass@k", ks[0]))
    (n,) = row.metrics["strict"]["maj@k"]
    found[f"maj@{n} strict, %"] = percent(row.interval("strict", "maj@k", n))
    found["well formed, %"] = f"{100 * row.metrics['well_formed']:.1f}"
    found["cut off, %"] = f"{100 * row.metrics['cut_off']:.1f}"
    found["kept"] = "" if row.kept is None else str(row.kept)
    found["seconds: " + ", ".join(STAGES)] = " + ".join(f"{row.seconds.get(name, 0):.0f}" for name in STAGES)
    return found


def rich_tables(rows: list[Row]) -> list[Table]:
    """For a terminal of 80 columns: the figures, and what they cost."""
    names = [*rows[0].labels, "round"]
    ks = sorted(int(k) for k in rows[0].metrics["strict"]["pass@k"])
    figures = Table(title="% of problems, with intervals over problems", title_justify="left", title_style="bold")
    costs = Table(title="what each round took", title_justify="left", title_style="bold")
    for name in names:
        figures.add_column(name)
        costs.add_column(name)
    for heading in (*(f"pass@{k}\nstrict" for k in ks), f"pass@{ks[0]}\nlenient", "well\nformed", "cut\noff"):
        figures.add_column(heading, justify="right", no_wrap=True)
    for heading in ("kept\nexamples", *(f"{name}\nseconds" for name in STAGES)):
        costs.add_column(heading, justify="right")
    for row in rows:
        found = cells(row)
        shown = [found[f"pass@{k} strict, %"] for k in ks]
        shown += [found[f"pass@{ks[0]} lenient, %"], found["well formed, %"], found["cut off, %"]]
        figures.add_row(*(found.get(name, "") for name in names), *(cell.replace(" [", "\n[") for cell in shown))
        seconds = (f"{row.seconds[name]:.0f}" if name in row.seconds else "" for name in STAGES)
        costs.add_row(*(found.get(name, "") for name in names), found["kept"], *seconds)
    return [figures, costs]


def markdown(rows: list[Row]) -> str:
    """For a page; the gains are a table of their own."""
    parts = [[cells(row) for row in rows], _gains(rows)]
    return "\n".join(_markdown(part) for part in parts if part)


def _gains(rows: list[Row]) -> list[dict[str, str]]:
    return [
        row.labels
        | {
            "round": row.name,
            "gain over the baseline, points": points(row.gains["baseline"]),
            "over the round before, points": points(row.gains["previous"]),
        }
        for row in rows
        if row.gains
    ]


def _markdown(rows: list[dict[str, str]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([row.get(column, "") for column in columns] for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def to_csv(rows: list[Row]) -> str:
    """For a spreadsheet: plain numbers, shares between 0 and 1, a column for each end of each interval."""
    records = [_numbers(row) for row in rows]
    columns = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _numbers(row: Row) -> dict[str, str | float]:
    record: dict[str, str | float] = {"run": row.run, **row.labels, "round": row.round}
    for reader in ("strict", "lenient"):
        for figure in ("pass@k", "maj@k"):
            for k in row.metrics[reader][figure]:
                record |= _ends(f"{reader}_{figure.replace('@k', f'@{k}')}", row.interval(reader, figure, k))
        for k, count in row.metrics[reader]["correct@k"].items():
            record[f"{reader}_correct@{k}"] = count
    for name in ("well_formed", "cut_off", "mean_tokens", "distinct", "problems", "samples"):
        record[name] = row.metrics[name]
    record["kept"] = "" if row.kept is None else row.kept
    for name, gain in row.gains.items():
        record |= _ends(f"gain_over_{name}", gain)
    return record | {f"seconds_{name}": row.seconds.get(name, "") for name in STAGES}


def _ends(name: str, value: Interval) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
