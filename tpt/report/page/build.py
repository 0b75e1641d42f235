"""Builds the page: one file that requests nothing from the network."""

import base64
import hashlib
from pathlib import Path

import jinja2
from markupsafe import Markup

from tpt import __version__, files
from tpt.report import table
from tpt.report.page import samples, view
from tpt.report.rows import Row
from tpt.runs.folder import Run

HERE = Path(__file__).parent


def fill(template: Path, style: str, script: str = "", **values: object) -> str:
    """A page: a template that extends `base.html`, which lies in this folder.

    What is filled in is escaped, and a name that is missing is an error.

    Args:
        style, script: files of ours, so nothing of a run is in them; the page allows no others.
        values: what the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(
        version=__version__, policy=policy(style, script), style=Markup(style), script=Markup(script), **values
    )


def write(
    path: Path,
    runs: list[Run],
    rows: list[Row],
    said: list[tuple[str, int]],
    notes: list[str],
    methods: list[Row] | None = None,
) -> None:
    """Write the page of some runs, from their folders alone.

    Args:
        rows: of the report.
        said: the gains in words, each with 1 for a rise, -1 for a fall, 0 if neither can be told.
        notes: what is not evaluated yet, and warnings.
        methods: rows that are means over trainings.
    """
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    data = samples.collect(runs, runs[0].config.seed)
    text = fill(
        HERE / "page.html",
        style,
        script,
        title=rows[0].run if len(view.by_run(rows)) == 1 else f"{len(view.by_run(rows))} runs",
        data=Markup(samples.encode(data).decode()),
        sets=data.sets,
        said=said,
        notes=notes,
        interval_words=table.interval_words(rows),
        runs=[(view.style_of(number), run[0].label) for number, run in enumerate(view.by_run(rows).values())],
        tiles=view.tiles(rows),
        panels=view.panels(rows),
        gaps=view.gaps(rows),
        prunings=view.prunings(rows, runs),
        diversity=view.diversity(rows),
        times=view.times(rows),
        costs=view.costs(rows, runs),
        stages=table.timed(rows),
        differences=view.differences(rows),
        parts=table.parts(rows, methods),
    )
    files.write_text(path, text)


def policy(style: str, script: str) -> str:
    """A content security policy that allows this style and this script and nothing else, requests included."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
