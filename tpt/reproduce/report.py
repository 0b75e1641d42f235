"""Writing an experiment's report: the table beside the paper's, what it says, the figure, the analysis."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from tpt import files, markdown
from tpt.analysis import ANALYSES
from tpt.analysis.outcome import Outcome
from tpt.artefacts import Manifest
from tpt.errors import DataError
from tpt.evaluate.metrics import doubts
from tpt.report.rows import ends
from tpt.report.table import UNSAFE, interval_words
from tpt.reproduce import figure, table
from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.experiment import Experiment, Scale
from tpt.reproduce.lines import Line, lines
from tpt.reproduce.paper import Paper, load_paper
from tpt.reproduce.words import sentences
from tpt.run import table as stages
from tpt.run.folder import Run

MANY = "Each interval stands for itself: where there are many, some lie beside 0 by chance alone."


def report(
    name: str,
    experiment: Experiment,
    scale: Scale,
    arms: Sequence[PlannedArm],
    runs: dict[str, Run],
    folder: Path,
    command: str,
) -> list[RenderableType]:
    """Write `table.md`, `table.csv`, the figure and the analysis of an experiment to `folder`.

    Args:
        scale: whose note and settings of the analysis are used.
        runs: those with at least one evaluation, by arm.
        command: the command that was given, for the page.

    Returns:
        what a terminal shows, the path last.
    """
    paper = load_paper(name, experiment)
    found = lines(arms, runs, experiment.rounds, paper)
    confidence = interval_words([line.row for line in found])
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figure.draw(found, experiment.title, confidence, folder)
    ended = [f"{arm.label}: {one}" for arm in arms if arm.name in runs for one in ends([runs[arm.name]])]
    said = [*sentences(found), *ended]
    analysed = _analyse(experiment, scale.analysis, arms, runs, folder)
    notes = [one for one in (scale.note, _paper_note(paper), MANY, _unsafe(found), *_doubtful(found)) if one]
    parts = [
        f"# {experiment.title}\n",
        f"{experiment.question}\n",
        f"    {command}\n",
        f"{_made_by(list(runs.values()))}\n",
        f"Shares in %, with {confidence}; gains and differences in points, paired by problem.\n",
        markdown.table(table.all_cells(found, experiment.columns)),
        f"![{experiment.title}]({drawn[0].name})\n",
        *[f"- {one}" for one in said],
        "",
        *[f"{one}\n" for one in notes],
        *[f"- {one}" for one in _found(analysed)],
    ]
    files.write_text(folder / "table.md", "\n".join(parts).rstrip() + "\n")
    files.write_text(folder / "table.csv", table.to_csv(found))
    told: list[RenderableType] = [*table.rich_tables(found, experiment.columns, confidence)]
    told += [Text(one) for one in said]
    told += [sheet.rich() for outcome in analysed.values() for sheet in outcome.sheets]
    told += [Text(one) for one in _found(analysed)]
    told += [Text(one) for one in notes]
    return [*told, Text(f"table: {folder / 'table.md'}\nfigure: {drawn[0]}", no_wrap=True, overflow="ignore")]


def _analyse(
    experiment: Experiment, asked: Sequence[str], arms: Sequence[PlannedArm], runs: dict[str, Run], folder: Path
) -> dict[str, Outcome]:
    """The experiment's analysis of each finished arm, by label; each is a page in a folder of its own."""
    if not experiment.analysis:
        return {}
    found: dict[str, Outcome] = {}
    for arm in arms:
        run = runs.get(arm.name)
        if not arm.label or run is None or run.owed():
            continue
        out = folder / arm.name
        try:
            outcome = ANALYSES[experiment.analysis](run, out, run.config.seed, asked)
        except DataError as error:  # nothing to compare, e.g. if no sample is right; the table remains
            outcome = Outcome([f"{experiment.analysis} has nothing to say: {error.message}"], [], [])
        title = f"{experiment.analysis.replace('_', ' ').capitalize()}: {arm.label}"
        files.write_text(out / f"{experiment.analysis}.md", outcome.markdown(title))
        found[arm.label] = outcome
    return found


def _found(analysed: dict[str, Outcome]) -> list[str]:
    return [f"{label}: {one}" for label, outcome in analysed.items() for one in outcome.sentences]


def _made_by(runs: Sequence[Run]) -> str:
    """Seeds, engines, versions, time and machine, as recorded in the run folders."""
    seconds: dict[str, float] = {}
    for run in runs:
        for stage in run.stages():
            if run.done(stage) and stages.of(stage).shared:
                seconds[run.fingerprint(stage)] = run.results(stage, Manifest)["seconds"]
    versions = runs[0].results(stages.evaluation(0), Manifest)["versions"]
    seeds = ", ".join(sorted({str(run.config.seed) for run in runs}))
    engines = ", ".join(sorted({run.config.sampler.engine for run in runs}))
    return (
        f"Seed {seeds}; sampled by {engines}; tpt {versions['tpt']}, torch {versions.get('torch', '-')}; written on "
        f"{os.cpu_count()} cores ({platform.machine()}). The stages of all arms took "
        f"{sum(seconds.values()) / 60:.0f} minutes, those that arms share counted once."
    )


def _paper_note(paper: Paper | None) -> str:
    return f"The paper's figures are of {paper.setting} ({paper.source})." if paper else ""


def _doubtful(found: Sequence[Line]) -> list[str]:
    return [f"{line.label}, {line.row.name}: {words}." for line in found for words in doubts(line.row.metrics)]


def _unsafe(found: Sequence[Line]) -> str:
    return UNSAFE if any(line.row.unsafe for line in found) else ""
