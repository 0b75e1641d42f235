"""Where does a wrong solution go wrong? The step at which its chance of success falls, before training and after.

Wrong solutions of the evaluations of the base model and of the last round are cut between their steps, and the
model that wrote them continues each prefix anew, as the evaluation sampled. `locate` says at which step the chance
falls; `alignment` says how the solution differs from the nearest right one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tpt import files
from tpt.analysis import options, picture
from tpt.analysis.compare import FEWEST, Compared, compare, in_words
from tpt.analysis.continuing import continue_all, unheeded
from tpt.analysis.locality_page import write_page
from tpt.analysis.locate import locate
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import evaluated_rounds, is_right
from tpt.analysis.solution import GRID, MEASURES, Solution, by_problem
from tpt.analysis.steps import UNITS
from tpt.analysis.wrong import Drawn, draw_wrong
from tpt.evaluate.intervals import interval_words
from tpt.report.rows import round_name
from tpt.runs.folder import Run
from tpt.setting import setting
from tpt.terminal import PlainConsole

BINS = np.linspace(0, 1, 11)


@dataclass
class Options:
    """The settings of this analysis."""

    solutions: int = setting(100, "Wrong solutions of the base model, and of the last round.", low=1)
    continuations: int = setting(
        32, "Continuations of each prefix: one half chooses the step, the other half tests it.", low=4
    )
    unit: str = setting("sentences", "What a step is: lines, sentences within lines, or tokens.", choices=UNITS)


@dataclass(frozen=True)
class Looked:
    """The solutions of one round that were looked at, and what they were drawn from."""

    drawn: Drawn
    solutions: list[Solution]


def analyse(run: Run, out: Path, seed: int, given: Sequence[str], console: PlainConsole) -> Outcome:
    """Find the step at which wrong solutions of the base model and of the last round go wrong.

    Continuations are kept in `out/error_locality`, and are not drawn again by another call.

    Args:
        given: settings that differ from those of `Options`.
        console: for progress, and for settings of the run that do not apply here.

    Raises:
        ConfigError: a setting is unknown or not allowed; or the engine is not installed.
        DataError: there are no two evaluations to compare, or a round has no problem with right and wrong samples.
        EngineError, ModelError: the engine cannot load a model, or died; finished shards stay.
    """
    chosen = options.read(Options, given)
    if words := unheeded(run.config.sampler):
        console.print(f"note {words}")
    compared_rounds = evaluated_rounds(run)
    ends = (compared_rounds[0], compared_rounds[-1])
    drawn = {round: draw_wrong(run, round, chosen.solutions, seed) for round in ends}
    looked = {
        round: Looked(one, _solutions(run, round, one, out, seed, chosen, console)) for round, one in drawn.items()
    }
    compared = _compared(run, looked)
    _write(out / "error_locality.json", run, seed, chosen, looked, compared)
    page = out / "error_locality.html"
    write_page(page, run.name, chosen.unit, {round: one.solutions for round, one in looked.items()})
    return Outcome(
        _sentences(looked, compared, run.config.evaluate.confidence),
        [_figures_sheet(run, looked, compared)],
        [_draw(out / "error_locality.png", run, looked)],
        [page],
    )


def _solutions(
    run: Run, round: int, drawn: Drawn, out: Path, seed: int, chosen: Options, console: PlainConsole
) -> list[Solution]:
    """Cut the solutions, continue every prefix, and locate the step in each."""
    continued = continue_all(run, round, [one.wrong for one in drawn.pairs], out, seed, chosen, console)
    found = []
    for pair, one in zip(drawn.pairs, continued, strict=True):
        succeeded = [[is_right(verdict, run.config.prune) for verdict in of_one] for of_one in one.verdicts]
        where = locate(succeeded, lost=True, confidence=run.config.evaluate.confidence)
        found.append(Solution(pair, one.question, one.ends, one.texts, succeeded, where))
    return found


def _compared(run: Run, looked: dict[int, Looked]) -> dict[str, list[Compared]]:
    """Each measure of both rounds; one that a round has no value of is left out."""
    values = {one.name: {round: by_problem(of.solutions, one) for round, of in looked.items()} for one in MEASURES}
    return {name: compare(by_round, run.config.evaluate) for name, by_round in values.items() if all(by_round.values())}


def _sentences(looked: dict[int, Looked], compared: dict[str, list[Compared]], confidence: float) -> list[str]:
    found = []
    for round, of in looked.items():
        told = [one for one in of.solutions if one.located.told]
        several = [one for one in told if len(one.ends) > 1]
        found.append(
            f"{round_name(round)}: of {of.drawn.wrong:,} wrong solutions {of.drawn.eligible:,} are to problems that "
            f"are solved sometimes; {len(of.solutions):,} of these, to {of.drawn.problems} problems, were looked at. "
            f"The step at which they go wrong is located in {len(told)} with {confidence:.0%} confidence "
            f"({len(several)} of them have more than one step); in {len(of.solutions) - len(told)} it cannot be told"
        )
    digits = {one.name: one.digits for one in MEASURES}
    found += [in_words(name, of[-1], of[0], digits[name]) for name, of in compared.items()]
    if missing := [one.name for one in MEASURES if one.name not in compared]:
        found.append(f"not of both rounds, since too little was located: {'; '.join(missing)}")
    return found


def _figures_sheet(run: Run, looked: dict[int, Looked], compared: dict[str, list[Compared]]) -> Sheet:
    digits = {one.name: one.digits for one in MEASURES}
    rows = [
        {
            "measure": name,
            "round": round_name(one.round),
            "solutions": str(len(looked[one.round].solutions)),
            "problems": str(one.problems),
            "mean": one.words(digits[name]),
            "change, paired": one.change_words(digits[name]),
            "problems of both": str(one.pairs) if one.round else "",
        }
        for name, of in compared.items()
        for one in of
    ]
    words = interval_words(run.config.evaluate.confidence)
    return Sheet(f"where wrong solutions go wrong, with {words}, of at least {FEWEST} problems", rows)


def _draw(path: Path, run: Run, looked: dict[int, Looked]) -> Path:
    title = f"{run.name}\nwrong solutions to problems that are solved sometimes"
    with picture.panels(path, 3, 3, title) as axes:
        for round, of in looked.items():
            colour = picture.colour(round, list(looked))
            label = f"{round_name(round)} ({len(of.solutions)})"
            mean = np.mean([one.along() for one in of.solutions], axis=0)
            axes[0].plot(GRID, 100 * mean, color=colour, linewidth=2, label=label)
            told = [one for one in of.solutions if one.located.told and len(one.ends) > 1]
            _histogram(axes[1], [one.begins / one.ends[-1] for one in told], BINS, colour, round_name(round))
            stretch = [one.ends[-1] - one.begins for one in of.solutions if one.located.told]
            _histogram(axes[2], stretch, _token_bins(looked), colour, round_name(round))
        picture.name(axes[0], "chance of success along the way")
        axes[0].set(xlabel="share of the tokens", ylabel="continuations that succeed, %")
        picture.name(axes[1], "tokens before the step")
        axes[1].set(xlabel="share of the tokens", ylabel="located, of several steps")
        picture.name(axes[2], "wrong stretch")
        axes[2].set(xlabel="tokens", ylabel="located")
        for panel in axes:
            panel.legend(frameon=False, fontsize=9)
            panel.set_ylim(0, max(1.0, panel.get_ylim()[1]))  # where all is 0, no tiny fractions of a solution
    return path


def _token_bins(looked: dict[int, Looked]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.linspace(0, max(one.ends[-1] for of in looked.values() for one in of.solutions), 11)


def _histogram(
    panel: Axes, values: Sequence[float], edges: "np.ndarray[Any, np.dtype[np.float64]]", colour: str, label: str
) -> None:
    heights, _ = np.histogram(values, edges)
    panel.stairs(heights, edges, fill=True, color=colour, alpha=0.35, label=f"{label} ({len(values)})")
    panel.stairs(heights, edges, color=colour, linewidth=1.2)
    panel.locator_params(axis="y", integer=True)


def _write(
    path: Path, run: Run, seed: int, chosen: Options, looked: dict[int, Looked], compared: dict[str, list[Compared]]
) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "reader": run.config.prune.reader,
        "confidence": run.config.evaluate.confidence,
        "options": vars(chosen),
        "measures": {name: {str(one.round): one.to_dict() for one in of} for name, of in compared.items()},
        "rounds": {
            str(round): {
                "wrong": of.drawn.wrong,
                "eligible": of.drawn.eligible,
                "solutions": [_numbers(one) for one in of.solutions],
            }
            for round, of in looked.items()
        },
    }
    files.write_json(path, found)


def _numbers(one: Solution) -> dict[str, Any]:
    return {
        "problem": one.pair.wrong.problem_id,
        "wrong": one.pair.wrong.index,
        "right": one.pair.right.index,
        "ends": one.ends,
        "succeeded": [sum(some) for some in one.succeeded],
        "located": vars(one.located),
        **{measure.name: measure.of(one) for measure in MEASURES},
    }
