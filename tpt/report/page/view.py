"""What the page shows next to its samples: charts and tables, each made from the rows of the report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tpt.evaluate.metrics import READERS
from tpt.report.page import charts
from tpt.report.rows import Row
from tpt.report.table import all_ks, timed
from tpt.runs.folder import Run

# The counts of tokens in a stage's manifest, and what the page calls them.
TOKENS = {"tokens": "{stage} tokens", "label_tokens": "tokens trained on"}


@dataclass(frozen=True)
class Panel:
    """One chart of pass@k."""

    title: str
    chart: Markup


@dataclass(frozen=True)
class Line:
    """A name, a horizontal bar, and its figures in words."""

    run: str
    name: str
    chart: Markup
    words: str


@dataclass(frozen=True)
class Tile:
    """A figure shown large at the top."""

    title: str
    figure: str
    words: str


def tiles(rows: list[Row]) -> list[Tile]:
    """For a single run: where it began, where it is now, and the gain between the two."""
    first, last = rows[0], rows[-1]
    if first.root != last.root:
        return []
    k = last.ks[0]
    found = []
    for row in (first, last) if first is not last else (last,):
        value, interval = row.interval("strict", "pass@k", k).in_percent().split(" ", 1)
        found.append(Tile(f"pass@{k} strict, {row.name}", f"{value} %", interval))
    if "baseline" in last.gains:
        found.append(Tile("gain, in points", *last.gains["baseline"]["strict"][k].in_points().split(" ", 1)))
    return found


def panels(rows: list[Row]) -> list[Panel]:
    """A chart for each k: both readers of a single run, or the strict reader of each of several."""
    top, runs = charts.top_of(rows), by_run(rows)
    found = []
    for k in all_ks(rows):
        measured = [[row for row in run if k in row.ks] for run in runs.values()]
        if len(runs) == 1:
            series = [
                (style, [(row, row.interval(reader, "pass@k", k)) for row in measured[0]])
                for style, reader in zip(("s0", "s1 dashed"), READERS, strict=True)
            ]
        else:
            series = [
                (style_of(number), [(row, row.interval("strict", "pass@k", k)) for row in run])
                for number, run in enumerate(measured)
            ]
        said = "; ".join(
            f"{row.label} {row.name} {figure.in_percent()} %" for _, run in series[:1] for row, figure in run
        )
        title = f"pass@{k}"
        found.append(Panel(title, charts.pass_at_k(series, top, f"{title} by round. {said}")))
    return found


def by_run(rows: list[Row]) -> dict[Path, list[Row]]:
    """The rows of each run."""
    found: dict[Path, list[Row]] = {}
    for row in rows:
        found.setdefault(row.root, []).append(row)
    return found


def style_of(number: int) -> str:
    """The classes of a run's lines; from the ninth run on the colours repeat, dashed."""
    return f"s{number % charts.COLOURS}" + (" dashed" if number // charts.COLOURS % 2 else "")


def gaps(rows: list[Row]) -> list[Line]:
    """Strict against lenient, at each row's smallest k, which is named."""
    top = charts.top_of(rows)
    found = []
    for row in rows:
        strict, lenient = (row.interval(reader, "pass@k", row.ks[0]) for reader in READERS)
        words = (
            f"{100 * strict.value:.1f} strict, {100 * lenient.value:.1f} lenient, "
            f"{100 * row.metrics['well_formed']:.1f} well formed"
        )
        name = f"{row.name}, pass@{row.ks[0]}"
        found.append(Line(row.label, name, charts.gap(strict, lenient, top, words), words))
    return found


def prunings(rows: list[Row], runs: list[Run]) -> list[Line]:
    """What each round's pruning kept of the samples, and what it added from other sources."""
    found = []
    for row, manifests in _with_manifests(rows, runs):
        counts = next((one for _, one in manifests if one.get("available")), None)
        if counts is None:
            continue
        kept = counts.get("kept_by_source", {"self": counts["kept"]})
        own, available = kept.get("self", 0), counts["available"]
        words = f"{own:,} kept of {available:,} samples"
        words += f"; {counts['correct']:,} were correct" if "correct" in counts else ""
        others = {**kept, "earlier rounds": counts.get("earlier", 0)}
        words += "".join(f"; {count:,} from {name}" for name, count in others.items() if name != "self" and count)
        found.append(Line(row.label, row.name, charts.bar([("s2", own / available)], words), words))
    return found


def diversity(rows: list[Row]) -> list[Line]:
    """Distinct texts among the samples of a problem."""
    found = []
    for row in rows:
        drawn = row.metrics["samples"] / row.metrics["problems"]
        words = f"{row.metrics['distinct']:.2f} distinct of {drawn:g}"
        found.append(Line(row.label, row.name, charts.bar([("s3", row.metrics["distinct"] / drawn)], words), words))
    return found


def times(rows: list[Row]) -> list[Line]:
    """How long each stage of each round took."""
    stages = timed(rows)
    longest = max(sum(row.seconds.get(stage, 0) for stage in stages) for row in rows) or 1.0
    found = []
    for row in rows:
        took = [(stage, row.seconds[stage]) for stage in stages if stage in row.seconds]
        bars = [(f"s{stages.index(stage) % charts.COLOURS}", seconds / longest) for stage, seconds in took]
        words = duration(sum(seconds for _, seconds in took))
        detail = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in took)
        found.append(Line(row.label, row.name, charts.bar(bars, detail), words))
    return found


def costs(rows: list[Row], runs: list[Run]) -> list[dict[str, str]]:
    """Time and tokens of each stage of each round, by column."""
    both = _with_manifests(rows, runs)
    counted = {(name, key) for _, manifests in both for name, one in manifests for key in TOKENS if key in one}
    found = []
    for row, manifests in both:
        line = row.labels | {"round": row.name}
        for stage in timed(rows):
            line[stage] = duration(row.seconds[stage]) if stage in row.seconds else ""
            for key, words in TOKENS.items():
                if (stage, key) in counted:
                    tokens = sum(one.get(key, 0) for name, one in manifests if name == stage)
                    line[words.format(stage=stage)] = f"{tokens:,}" if tokens else ""
        found.append(line)
    return found


def differences(rows: list[Row]) -> list[dict[str, str]]:
    """The settings in which the runs differ, a line for each run; empty if there is one run."""
    return [run[0].labels for run in by_run(rows).values() if run[0].labels]


def duration(seconds: float) -> str:
    """Seconds in words, no finer than is useful: `4.2 s`, `12 min 3 s`, `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _with_manifests(rows: list[Row], runs: list[Run]) -> list[tuple[Row, list[tuple[str, dict[str, Any]]]]]:
    """Each row with the names and the manifests of its round's finished stages."""
    by_root = {run.root: run for run in runs}
    found = []
    for row in rows:
        run = by_root[row.root]
        stages = [stage for stage in run.stages() if stage.round == row.round and run.done(stage)]
        found.append((row, [(stage.name, run.results(stage, dict[str, Any])) for stage in stages]))
    return found
