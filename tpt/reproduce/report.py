"""Writing an experiment's report: the table beside the paper's, what it says, the figure, the analysis."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from tpt import files, markdown
from tpt.analysis import ANALYSES
from tpt.analysis.outcome import Outcome
from tpt.artefacts import TABLE, TABLE_CSV, Manifest
from tpt.errors import DataError
from tpt.evaluate.metrics import doubts
from tpt.report.rows import ends
from tpt.report.sentences import EXPLORATORY_NOTE, ONE_TRAINING
from tpt.report.table import UNSAFE, interval_words
from tpt.reproduce import differs, figure, table
from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.asked import Asked
from tpt.reproduce.declared import examined
from tpt.reproduce.experiment import Experiment
from tpt.reproduce.lines import Line, Trained, lines, trained
from tpt.reproduce.paper import Paper, load_paper
from tpt.reproduce.words import sentences
from tpt.runs import table as stages
from tpt.runs.folder import Run
from tpt.terminal import PlainConsole

DECLARED = "Declared contrasts, in points, with Holm's correction for their number"
DIFFERS = "Differs from the paper"


def report(asked: Asked, runs: dict[str, Run], folder: Path, console: PlainConsole) -> list[RenderableType]:
    """Write `table.md`, `table.csv`, the figure and the analysis of an experiment to `folder`.

    Args:
        runs: those with at least one evaluation, by arm.
        console: for the progress of the analysis.

    Returns:
        what a terminal shows, the path last.
    """
    experiment, paper = asked.experiment, load_paper(asked.name, asked.experiment)
    arms = trained(asked.arms, runs)
    found = lines(arms, experiment.rounds, paper)
    declared = examined(experiment.contrasts, arms, paper if asked.scale_name == differs.AT_PAPER_SCALE else None)
    confidence = _intervals(found)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figure.draw(found, experiment.title, confidence, folder)
    said = [*(one.sentence() for one in declared), *sentences(found, _declared(experiment)), *_ended(arms)]
    analysed = _analyse(experiment, asked.scale.analysis, asked.arms, runs, folder, console)
    notes = [asked.scale.note, _paper_note(paper), *_kinds(found, asked.name), _unsafe(found), *_doubtful(found)]
    notes = [one for one in notes if one]
    tests = [one.cells() for one in declared]
    parts = [
        f"# {experiment.title}\n",
        f"{experiment.question}\n",
        f"    {asked.command}\n",
        f"{_made_by(list(runs.values()))}\n",
        f"Shares in %, with {confidence}; gains and differences in points, paired by problem, and exploratory except "
        "where they are declared below.\n",
        markdown.table(table.all_cells(found, experiment.columns)),
        *_titled(DECLARED, tests),
        *_titled(DIFFERS, differs.rows(asked, runs)),
        f"![{experiment.title}]({drawn[0].name})\n",
        *[f"- {one}" for one in said],
        "",
        *[f"{one}\n" for one in notes],
        *[f"- {one}" for one in _found(analysed)],
    ]
    files.write_text(folder / TABLE, "\n".join(parts).rstrip() + "\n")
    files.write_text(folder / TABLE_CSV, table.to_csv(found))
    told: list[RenderableType] = [*table.rich_tables(found, experiment.columns, confidence)]
    told += [Text(one) for one in said]
    told += [sheet.rich() for outcome in analysed.values() for sheet in outcome.sheets]
    told += [Text(one) for one in _found(analysed)]
    told += [Text(one) for one in notes]
    return [*told, Text(f"table: {folder / TABLE}\nfigure: {drawn[0]}", no_wrap=True, overflow="ignore")]


def _titled(title: str, rows: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{title}:\n", markdown.table(rows)] if rows else []


def _intervals(found: Sequence[Line]) -> str:
    """What the brackets are: over problems, and over trainings too where an arm has several."""
    words = interval_words([line.row for line in found])
    return f"{words} and trainings" if any(line.row.trainings > 1 for line in found) else words


def _ended(arms: Mapping[str, Trained]) -> list[str]:
    """Where and why each training of `rounds=auto` stopped."""
    return [f"{arm.label}: {one}" for arm in arms.values() for run in arm.runs for one in ends([run])]


def _declared(experiment: Experiment) -> set[tuple[str, str]]:
    """The pairs that sentences on the last round's pass@1, strict, compare as declared."""
    return {
        (one.arm, one.against)
        for one in experiment.contrasts
        if (one.measure, one.reader, one.round, one.against_round) == ("pass@1", "strict", None, None)
    }


def _kinds(found: Sequence[Line], name: str) -> list[str]:
    """What the sentences are of, and which of them were not declared."""
    alone = any(line.arm and line.row.trainings == 1 for line in found)
    return [ONE_TRAINING.format(f"tpt reproduce {name} seeds=3") + "." if alone else "", f"{EXPLORATORY_NOTE}."]


def _analyse(
    experiment: Experiment,
    asked: Sequence[str],
    arms: Sequence[PlannedArm],
    runs: dict[str, Run],
    folder: Path,
    console: PlainConsole,
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
            outcome = ANALYSES[experiment.analysis](run, out, run.config.seed, asked, console)
        except DataError as error:  # nothing to compare, e.g. if no sample is right; the table remains
            outcome = Outcome([f"{experiment.analysis} has nothing to say: {error.message}"], [], [])
        label = arm.label if arm.of == arm.name else f"{arm.label}, {arm.overrides[-1]}"
        title = f"{experiment.analysis.replace('_', ' ').capitalize()}: {label}"
        files.write_text(out / f"{experiment.analysis}.md", outcome.markdown(title))
        found[label] = outcome
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
