"""The report's table, for a terminal, for Markdown and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from tpt import markdown as tables
from tpt.evaluate import intervals
from tpt.evaluate.metrics import FIGURES, READERS, Reader
from tpt.report.rows import Cell, Row, stage_names
from tpt.report.trainings import SOMETIMES
from tpt.runs import table as stages
from tpt.terminal import unfolded

UNSAFE = "NOT SANDBOXED: solutions were judged with task.sandbox=none, with this user's rights"
THRESHOLD_TITLE = "samples that each threshold of soft-positive pruning keeps"
GAIN_TITLE = "gain in pass@{}, points, paired by problem"
COST_TITLE = "what each round took"
METHOD_TITLE = "means over trainings, %, and gains in points, with intervals over trainings and problems"
DESIGN = "problems x samples x trainings x steps"
FURTHER = tuple(spec.name for spec in stages.FURTHER)  # stages that only some runs have
FURTHER_TITLES = (
    "on other problems: pass@k in %, figures of commands as they give them",
    "gain over the baseline on other problems: pass@k in points, paired by problem",
)
METHOD_FURTHER_TITLES = tuple(
    f"means over trainings{title}, with intervals over trainings and problems"
    for title in (f" {FURTHER_TITLES[0]}", f" of the {FURTHER_TITLES[1]}")
)
EXTRA_TITLE = "what else the stages of each round report"
Trouble = Literal["judge_error", "gold_unreadable", "unfinished_thinking"]
Plain = Literal["well_formed", "cut_off", "mean_tokens", "distinct", "problems", "samples"]
PLAIN: tuple[Plain, ...] = ("well_formed", "cut_off", "mean_tokens", "distinct", "problems", "samples")
# Shares that have a column only where some row has them.
TROUBLES: dict[Trouble, str] = {
    "judge_error": "judge errors",
    "gold_unreadable": "unreadable golds",
    "unfinished_thinking": "unfinished thinking",
}


def interval_words(rows: list[Row]) -> str:
    """What the brackets are, e.g. `95 % intervals over problems`."""
    confidences = {row.confidence for row in rows}
    return intervals.interval_words(confidences.pop()) if len(confidences) == 1 else "intervals"


def all_ks(rows: list[Row]) -> list[int]:
    """Every k of pass@k that some row has, ascending."""
    return sorted({k for row in rows for k in row.ks})


def figure_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """A row's figures by column, as a person reads them; "" if this run did not measure what another did."""
    found = {
        f"pass@{k} strict": row.interval("strict", "pass@k", k).in_percent() if k in row.ks else ""
        for k in all_ks(rows)
    }
    for k in dict.fromkeys(one.ks[0] for one in rows):
        found[f"pass@{k} lenient"] = row.interval("lenient", "pass@k", k).in_percent() if k in row.ks else ""
    found["well formed"] = f"{100 * row.metrics['well_formed']:.1f}"
    return found | ending_cells(row, rows) | trouble_cells(row, rows)


def ending_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """How a row's samples end, and how many tokens they spend thinking, by column; only what some row has."""
    cut, stopped = row.metrics["cut_off"], row.metrics.get("stopped", 0.0)
    found = {"cut off": f"{100 * cut:.1f}"}
    if any(one.metrics.get("stopped") for one in rows):
        found |= {"stop string": f"{100 * stopped:.1f}", "ended by itself": f"{100 * (1 - cut - stopped):.1f}"}
    if any(one.metrics.get("thinking_tokens") for one in rows):
        found["thinking tokens"] = f"{row.metrics.get('thinking_tokens', 0.0):.0f}"
    return found


def trouble_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """The shares of a row's samples that could not be judged or never came to an answer, by column."""
    shown = [name for name in TROUBLES if any(one.metrics[name] for one in rows)]
    return {TROUBLES[name]: f"{100 * row.metrics[name]:.1f}" for name in shown}


def majority_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """A row's majority votes by column, strict, with as many votes as samples were drawn."""
    drawn = dict.fromkeys(n for one in rows for n in one.metrics["strict"]["maj@k"])
    votes = row.metrics["strict"]["maj@k"]
    return {f"maj@{n} strict": row.interval("strict", "maj@k", n).in_percent() if n in votes else "" for n in drawn}


def timed(rows: list[Row]) -> list[str]:
    """The stages whose time is shown: those of a round, and what only some runs have beside them."""
    return [*stage_names(), *(name for name in FURTHER if any(name in row.seconds for row in rows))]


def cost_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """What a row took, by column; "" for a stage that is not part of the round or was not done."""
    kept = {"kept examples": "" if row.kept is None else str(row.kept)}
    return kept | {f"{name} seconds": f"{row.seconds[name]:.0f}" if name in row.seconds else "" for name in timed(rows)}


def threshold_cells(row: Row) -> dict[str, str]:
    """How many of a round's samples each threshold of soft-positive pruning keeps, by column."""
    words = {"one": "at least 1 test", "all_but_one": "all but 1 test", "1.0": "all tests"}
    return {words.get(name, f"{name} of tests"): f"{count:,}" for name, count in row.by_threshold.items()}


def extra_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """What else the stages of a row's round report, by column; "" where this row has no such figure."""
    columns = dict.fromkeys(name for one in rows for name in one.extra)
    return {name: _shown(row.extra.get(name, "")) for name in columns}


def further_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """A row's figures on other sets, benchmarks and commands, by column."""
    headings = {title: one.heading for of in rows for title, one in of.further.items()}
    return {words: row.further[title].shown if title in row.further else "" for title, words in headings.items()}


def further_gain_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """Their gains over the baseline, by column; a heading says which are not paired."""
    headings = {title: one.gain_heading for of in rows for title, one in of.further.items() if one.gain}
    return {words: row.further[title].gain_shown if title in row.further else "" for title, words in headings.items()}


def _further(rows: list[Row], titles: Sequence[str]) -> list[tuple[str, list[Row], list[dict[str, str]]]]:
    """The tables of other problems: title, rows and cells of each that has any.

    Args:
        titles: of the figures, and of the gains.
    """
    having = [row for row in rows if row.further]
    gained = [row for row in having if any(one.gain for one in row.further.values())]
    found = []
    if having:
        found.append((titles[0], having, [further_cells(row, having) for row in having]))
    if gained:
        found.append((titles[1], gained, [further_gain_cells(row, gained) for row in gained]))
    return found


def _shown(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}"


def gain_cells(row: Row, k: int) -> dict[str, str]:
    """A row's paired gains in pass@k, in points, by column; "" where it has none."""
    compared: list[tuple[Reader, str, str]] = [
        ("strict", "baseline", "baseline"),
        ("lenient", "baseline", "baseline"),
        ("strict", "previous", "round before"),
    ]
    found = {}
    for reader, name, words in compared:
        gain = row.gains[name][reader].get(k) if name in row.gains else None
        found[f"{reader} over {words}"] = gain.in_points() if gain else ""
    return found


def gained(rows: list[Row]) -> dict[int, list[Row]]:
    """The rows that have a paired gain in pass@k, by k."""
    having = {k: [row for row in rows if row.gains and k in row.ks] for k in all_ks(rows)}
    return {k: some for k, some in having.items() if some}


def method_cells(row: Row, rows: list[Row]) -> dict[str, str]:
    """A method's means over its trainings by column, for the smallest k."""
    k = row.ks[0]
    found = {"trainings": str(row.trainings), f"pass@{k} strict": row.interval("strict", "pass@k", k).in_percent()}
    found["sd between trainings"] = "" if row.spread is None else f"{100 * row.spread:.1f}"
    gains = row.gains.get("baseline", {})
    return found | {f"{one} over baseline": gains[one][k].in_points() if one in gains else "" for one in READERS}


def rich_tables(rows: list[Row], methods: list[Row] | None = None) -> list[Table]:
    """For a terminal of 80 columns, 100 if runs are compared: the figures, the gains, what they cost, and the rest."""
    tables = [_rich(f"%, with {interval_words(rows)}", rows, [figure_cells(row, rows) for row in rows])]
    if methods:
        tables.append(_rich(METHOD_TITLE, methods, [method_cells(row, methods) for row in methods]))
    tables += [
        _rich(GAIN_TITLE.format(k), some, [gain_cells(row, k) for row in some]) for k, some in gained(rows).items()
    ]
    others = [*_further(rows, FURTHER_TITLES), *_further(methods or [], METHOD_FURTHER_TITLES)]
    tables += [_rich(*one) for one in others]
    counted = [row for row in rows if row.by_threshold]
    if counted:
        tables.append(_rich(THRESHOLD_TITLE, counted, [threshold_cells(row) for row in counted]))
    tables.append(_rich(COST_TITLE, rows, [cost_cells(row, rows) for row in rows]))
    if any(row.extra for row in rows):
        tables.append(_rich(EXTRA_TITLE, rows, [extra_cells(row, rows) for row in rows]))
    return tables


def _rich(title: str, rows: list[Row], cells: list[dict[str, str]]) -> Table:
    several = any(row.labels for row in rows)
    table = Table(title=unfolded(title), title_justify="left")
    if several:
        # All settings in one column: a column each would leave no room for the figures.
        table.add_column("run", overflow="fold")
    table.add_column("round", no_wrap=True)
    for heading in cells[0]:
        table.add_column(
            heading.replace(" over ", " over\n") if " over " in heading else heading.replace(" ", "\n"),
            justify="right",
            no_wrap=True,
        )
    before: Path | None = None
    for row, found in zip(rows, cells, strict=True):
        if before not in (None, row.root):
            table.add_section()
        label = "\n".join(f"{key}={value}" for key, value in row.labels.items()) if row.root != before else ""
        shown = [cell.replace(" [", "\n[") for cell in found.values()]
        table.add_row(*([Text(label)] if several else []), row.name, *map(Text, shown))
        before = row.root
    return table


@dataclass(frozen=True)
class Part:
    """One table of a report.

    Attributes:
        title: what its figures are, without a full stop.
        lines: for each row of the report that is in it, its cells by column.
    """

    title: str
    lines: list[dict[str, str]]


def parts(rows: list[Row], methods: list[Row] | None = None) -> list[Part]:
    """The tables for a page or a paper: figures, gains, the thresholds of pruning, what it all took, and the rest.

    Args:
        methods: rows that are means over trainings, which get a table of their own.
    """
    figures = [figure_cells(row, rows) | majority_cells(row, rows) | {DESIGN: row.design} for row in rows]
    found = [_part(f"Shares in %, with {interval_words(rows)}", rows, figures)]
    if methods:
        cells = [method_cells(row, methods) | {DESIGN: row.design} for row in methods]
        found.append(_part(METHOD_TITLE, methods, cells))
    for k, some in gained(rows).items():
        title = f"{GAIN_TITLE.format(k)}, with {interval_words(rows)}"
        found.append(_part(title, some, [gain_cells(row, k) for row in some]))
    titles = [f"{title}, with {interval_words(rows)}" for title in FURTHER_TITLES]
    others = [*_further(rows, titles), *_further(methods or [], METHOD_FURTHER_TITLES)]
    found += [_part(*one) for one in others]
    if counted := [row for row in rows if row.by_threshold]:
        found.append(_part(THRESHOLD_TITLE, counted, [threshold_cells(row) for row in counted]))
    found.append(_part(COST_TITLE, rows, [cost_cells(row, rows) for row in rows]))
    if any(row.extra for row in rows):
        found.append(_part(EXTRA_TITLE, rows, [extra_cells(row, rows) for row in rows]))
    return found


def _part(title: str, rows: list[Row], cells: list[dict[str, str]]) -> Part:
    lines = [row.labels | {"round": row.name} | found for row, found in zip(rows, cells, strict=True)]
    return Part(f"{title[0].upper()}{title[1:]}", lines)


def markdown(rows: list[Row], notes: list[str], methods: list[Row] | None = None) -> str:
    """The tables for a page, each under its title, then the notes."""
    written = [text for part in parts(rows, methods) for text in (f"{part.title}.\n", tables.table(part.lines))]
    return "\n".join([*written, *(f"{note}.\n" for note in notes)])


def to_csv(rows: list[Row]) -> str:
    """For a spreadsheet: plain numbers, shares between 0 and 1, a column for each end of each interval."""
    return csv_of([numbers(row) for row in rows])


def csv_of(records: Sequence[Mapping[str, str | float]]) -> str:
    """CSV of records that need not have the same columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for one in records for name in one)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def numbers(row: Row) -> dict[str, str | float]:
    """A row's plain numbers by the name of their column; "" if there is none."""
    record: dict[str, str | float] = {"run": row.run, "confidence": row.confidence, **row.labels, "round": row.round}
    for reader in READERS:
        for figure in FIGURES:
            for k in row.metrics[reader][figure]:
                record |= row.interval(reader, figure, k).columns(f"{reader}_{figure.replace('@k', f'@{k}')}")
        record |= {f"{reader}_correct@{k}": count for k, count in row.metrics[reader]["correct@k"].items()}
    record |= {name: row.metrics[name] for name in (*PLAIN, *TROUBLES)}
    record |= {name: row.metrics[name] for name in SOMETIMES if name in row.metrics}
    record["kept"] = "" if row.kept is None else row.kept
    record |= {f"kept_at_{name}": count for name, count in row.by_threshold.items()}
    record |= {"sandbox": "none"} if row.unsafe else {}
    for name, gains in row.gains.items():
        for reader, by_k in gains.items():
            for number, gain in by_k.items():
                record |= gain.columns(f"{reader}_pass@{number}_gain_over_{name}")
    for one in row.further.values():
        record |= one.numbers
    return record | {f"seconds_{name}": row.seconds.get(name, "") for name in timed([row])} | row.extra
