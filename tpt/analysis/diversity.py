"""Does training on its own correct solutions make a model's samples more alike, and when does that cost?

A model that is right more often has samples that are more alike by that alone, since right solutions resemble each
other more than wrong ones do. So each measure is also taken among the right solutions only, at equal numbers: of each
problem that has enough right ones in every round, the same number is drawn in every round. Beside that, as many are
drawn from all samples of the same problems.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tpt import files
from tpt.analysis import curves, options, picture, structure, variety
from tpt.analysis.compare import FEWEST, ByProblem, Compared, compare, in_words, same_problems
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import Judged, evaluated_rounds, evaluation, is_right
from tpt.evaluate.intervals import interval_words
from tpt.evaluate.metrics import Reader
from tpt.judges.code.program import extract
from tpt.records import Status
from tpt.report.figure import COLOURS, GREY
from tpt.report.rows import round_name
from tpt.runs.folder import Run
from tpt.setting import setting
from tpt.tasks.code import CodeTask

Measure = Callable[[list[Judged]], float | None]  # of one problem's samples
Values = dict[str, dict[int, ByProblem]]  # by what is measured, and by round

DIGITS = {"self-BLEU": 1, "distinct-1": 3, "distinct-2": 3, "distinct-3": 3}  # behind the point; 2 of the others
COLUMNS = 2  # a measure of all samples, and beside it of equal numbers
DRAWS = 5  # of equal numbers of samples, of which the mean is taken
ALL, ANY, RIGHT = "all samples", "{} of all", "{} right ones"
ANSWERS = "distinct answers"


@dataclass
class Options:
    """The settings of this analysis."""

    right: int = setting(
        4, "Right solutions drawn from each problem, which has to have so many in every round to be compared.", low=2
    )


def analyse(run: Run, out: Path, seed: int, given: Sequence[str] = ()) -> Outcome:
    """Compare the evaluations' samples, problem by problem.

    Args:
        given: settings that differ from those of `Options`.

    Raises:
        ConfigError: a setting is unknown or not allowed.
        DataError: there are no two evaluations to compare.
    """
    chosen = options.read(Options, given)
    rounds = evaluated_rounds(run)
    config = run.config.evaluate
    kinds = measures(run, seed)
    counts = {round: _counts(evaluation(run, round)) for round in rounds}
    same_problems({round: of_round["strict"] for round, of_round in counts.items()})
    solved = _solved(run, rounds, chosen.right)
    values: Values = {}
    for round in rounds:
        problems = evaluation(run, round)
        for name, of_problem in _of_round(run, problems, kinds, solved, chosen.right, seed).items():
            values.setdefault(name, {})[round] = of_problem
    values = {name: by_round for name, by_round in values.items() if all(by_round.values())}
    compared = {name: compare(by_round, config) for name, by_round in values.items()}
    passing = curves.by_reader(counts, config)
    _write(out / "diversity.json", run, seed, chosen, compared, values, passing)
    return Outcome(
        _sentences(compared, passing, rounds[-1], len(solved), chosen.right),
        _sheets(compared, passing, config.confidence),
        _figures(out, run, compared, passing),
    )


def _counts(problems: dict[str, list[Judged]]) -> dict[Reader, curves.Counts]:
    """How many samples each problem has, and how many of them are right to either reader."""
    found: dict[Reader, curves.Counts] = {"strict": {}, "lenient": {}}
    for problem, judged in problems.items():
        found["strict"][problem] = len(judged), sum(verdict.strict is Status.CORRECT for _, verdict in judged)
        found["lenient"][problem] = len(judged), sum(verdict.lenient is Status.CORRECT for _, verdict in judged)
    return found


def _solved(run: Run, rounds: list[int], least: int) -> set[str]:
    """The problems that have at least so many right solutions in every round."""
    found: list[set[str]] = []
    for round in rounds:
        problems = evaluation(run, round, ("problem_id", "index"))
        found.append({name for name, judged in problems.items() if len(_right(run, judged)) >= least})
    return set.intersection(*found)


def _right(run: Run, judged: list[Judged]) -> list[Judged]:
    return [(sample, verdict) for sample, verdict in judged if is_right(verdict, run.config.prune)]


def _of_round(
    run: Run, problems: dict[str, list[Judged]], kinds: dict[str, Measure], solved: set[str], k: int, seed: int
) -> dict[str, ByProblem]:
    """Every measure of one round's samples: of all, and of equal numbers of those of the problems in `solved`."""
    equal = {name: judged for name, judged in problems.items() if name in solved}
    right = {name: _right(run, judged) for name, judged in equal.items()}
    found: dict[str, ByProblem] = {}
    for name, measure in kinds.items():
        found[f"{name}, {ALL}"] = _valued({problem: measure(judged) for problem, judged in problems.items()})
        if name != ANSWERS:  # right ones have one answer
            for words, some in ((ANY, equal), (RIGHT, right)):
                drawn = {problem: mean_of_draws(measure, problem, judged, k, seed) for problem, judged in some.items()}
                found[f"{name}, {words.format(k)}"] = _valued(drawn)
    return found


def mean_of_draws(measure: Measure, problem: str, judged: list[Judged], k: int, seed: int) -> float | None:
    """The mean of a measure over seeded draws of `k` of a problem's samples; None if a draw has no value."""
    draws = [random.Random(f"{seed} {problem} {number}").sample(judged, k) for number in range(DRAWS)]
    values = [value for draw in draws if (value := measure(draw)) is not None]
    return float(np.mean(values)) if len(values) == DRAWS else None


def _valued(found: dict[str, float | None]) -> ByProblem:
    return {problem: value for problem, value in found.items() if value is not None}


def measures(run: Run, seed: int) -> dict[str, Measure]:
    """What is measured of each problem's samples, by name; which depends on the kind of task."""
    found: dict[str, Measure] = {
        "distinct-1": lambda judged: variety.distinct_n(_texts(judged), 1),
        "distinct-2": lambda judged: variety.distinct_n(_texts(judged), 2),
        "distinct-3": lambda judged: variety.distinct_n(_texts(judged), 3),
        # The same seed for each problem and round: the samples of the same numbers are drawn.
        "self-BLEU": lambda judged: variety.self_bleu(_texts(judged), seed),
    }
    task = run.config.task
    if isinstance(task, CodeTask):
        language = task.spoken

        def shapes(judged: list[Judged]) -> float:
            programs = (extract(text, language) for text in _texts(judged))
            return variety.distinct(structure.shape(one.source, language) for one in programs if one)

        return found | {"distinct program shapes": shapes}
    return found | {
        "distinct sequences of operations": lambda judged: _or_none(
            variety.distinct(structure.operations(text) for text in _texts(judged))
        ),
        ANSWERS: lambda judged: _or_none(variety.distinct_answers(verdict.lenient_answer for _, verdict in judged)),
    }


def _texts(judged: list[Judged]) -> list[str]:
    return [sample.text for sample, _ in judged]


def _or_none(count: int) -> float | None:
    """A problem without a single equation, or answer, has no variety of them that could be compared."""
    return float(count) if count else None


def _digits(name: str) -> int:
    return DIGITS.get(name.partition(",")[0], 2)


def _sentences(
    compared: dict[str, list[Compared]], passing: list[curves.Curves], last: int, solved: int, k: int
) -> list[str]:
    found = [in_words(name, of_rounds[-1], of_rounds[0], _digits(name)) for name, of_rounds in compared.items()]
    found += [curves.sentence(one, last) for one in passing]
    found.append(
        f"{solved} problems have at least {k} right solutions in every round; right ones are compared on these alone, "
        f"at {k} a problem"
    )
    found.append(
        "a model that is right more often has samples that are more alike by that alone: what is said of all samples "
        f"is no narrowing of what it can do; and of {len(found)} intervals some miss by chance"
    )
    return found


def _sheets(compared: dict[str, list[Compared]], passing: list[curves.Curves], confidence: float) -> list[Sheet]:
    words = interval_words(confidence)
    per_problem = [
        {
            "measure": name.partition(", ")[0],
            "among": name.partition(", ")[2],
            "round": round_name(one.round),
            "problems": str(one.problems),
            "mean": one.words(_digits(name)),
            "change, paired": one.change_words(_digits(name)),
        }
        for name, of_rounds in compared.items()
        for one in of_rounds
    ]
    title = (
        f"diversity of a problem's samples, with {words}, of at least {FEWEST} problems; equal numbers are the mean of "
        f"{DRAWS} draws; self-BLEU is of at most {variety.HYPOTHESES} samples a problem against all others, and the "
        "higher, the more alike"
    )
    return [Sheet(title, per_problem), Sheet(f"pass@k in %, with {words}", curves.rows(passing))]


def _figures(out: Path, run: Run, compared: dict[str, list[Compared]], passing: list[curves.Curves]) -> list[Path]:
    words = f"{run.name}\n{interval_words(run.config.evaluate.confidence)}"
    curve, measured = out / "pass_at_k_curve.png", out / "diversity.png"
    with picture.panels(curve, len(passing), len(passing), words) as axes:
        for panel, one in zip(axes, passing, strict=True):
            curves.draw(panel, one)
    together = _panels(compared)
    with picture.panels(measured, len(together), COLUMNS, words) as axes:
        for panel, (name, lines) in zip(axes, together.items(), strict=True):
            _draw(panel, name, lines)
    return [curve, measured]


def _panels(compared: dict[str, list[Compared]]) -> dict[str, dict[str, list[Compared]]]:
    """The lines of each panel, by what they are taken among; equal numbers of all and of right ones share one."""
    found: dict[str, dict[str, list[Compared]]] = {}
    for name, of_rounds in compared.items():
        measure, _, among = name.partition(", ")
        panel = f"{measure}, {ALL}" if among == ALL else f"{measure}, equal numbers"
        found.setdefault(panel, {})[among] = of_rounds
    return found


def _draw(panel: Axes, name: str, lines: dict[str, list[Compared]]) -> None:
    rounds = [one.round for of_rounds in lines.values() for one in of_rounds]
    top = 0.0
    for number, (among, of_rounds) in enumerate(lines.items()):
        colour = GREY if among == ALL else COLOURS[number]
        at = [one.round + 0.06 * number for one in of_rounds]
        panel.plot(at, [one.value.value for one in of_rounds], color=colour, linewidth=2, marker="o", label=among)
        told = [(place, one.value) for place, one in zip(at, of_rounds, strict=True) if one.problems >= FEWEST]
        panel.vlines(
            [place for place, _ in told], [one.low for _, one in told], [one.high for _, one in told], color=colour
        )
        top = max([top, *(one.high for _, one in told), *(one.value.value for one in of_rounds)])
    panel.set_ylim(0, 1.1 * top or 1.0)
    if len(lines) > 1:  # of one line, the heading says what it is
        panel.legend(frameon=False, fontsize=8.5, loc="lower left")
    picture.round_ticks(panel, sorted(set(rounds)))
    picture.name(panel, name + (" (higher: more alike)" if name.startswith("self-BLEU") else ""))


def _write(
    path: Path,
    run: Run,
    seed: int,
    chosen: Options,
    compared: dict[str, list[Compared]],
    values: Values,
    passing: list[curves.Curves],
) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "options": vars(chosen),
        "confidence": run.config.evaluate.confidence,
        "self_bleu_hypotheses": variety.HYPOTHESES,
        "measures": {name: {str(one.round): one.to_dict() for one in rounds} for name, rounds in compared.items()},
        "pass@k": {one.reader: one.to_dict() for one in passing},
        "per_problem": {name: {str(round): of for round, of in rounds.items()} for name, rounds in values.items()},
    }
    files.write_json(path, found)
