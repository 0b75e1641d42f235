"""Does training on its own correct solutions make a model's samples more alike, and when does that cost?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from tpt import files
from tpt.analysis import curves, picture, structure, variety
from tpt.analysis.compare import ByProblem, Compared, compare, in_words, same_problems, shown
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.samples import Judged, evaluated_rounds, evaluation
from tpt.evaluate.intervals import interval_words
from tpt.evaluate.metrics import Reader
from tpt.judge.code.program import extract
from tpt.records import Status
from tpt.report.figure import COLOURS
from tpt.report.rows import round_name
from tpt.run.folder import Run
from tpt.tasks.code import CodeTask

Measure = Callable[[list[Judged]], float | None]  # of one problem's samples

DIGITS = {"self-BLEU": 1, "distinct-1": 3, "distinct-2": 3, "distinct-3": 3}  # behind the point; 2 of the others
COLUMNS = 3


def analyse(run: Run, out: Path, seed: int) -> Outcome:
    """Compare the evaluations' samples, problem by problem.

    Raises:
        DataError: there are no two evaluations to compare.
    """
    rounds = evaluated_rounds(run)
    config = run.config.evaluate
    kinds = measures(run, seed)
    values: dict[str, dict[int, ByProblem]] = {name: {} for name in kinds}
    counts: dict[int, dict[Reader, curves.Counts]] = {}
    for round in rounds:
        problems = evaluation(run, round)
        counts[round] = {"strict": {}, "lenient": {}}
        for problem, judged in problems.items():
            strict = sum(verdict.strict is Status.CORRECT for _, verdict in judged)
            lenient = sum(verdict.lenient is Status.CORRECT for _, verdict in judged)
            counts[round]["strict"][problem] = len(judged), strict
            counts[round]["lenient"][problem] = len(judged), lenient
        for name, measure in kinds.items():
            found = ((problem, measure(judged)) for problem, judged in problems.items())
            values[name][round] = {problem: value for problem, value in found if value is not None}
    same_problems({round: of_round["strict"] for round, of_round in counts.items()})
    values = {name: by_round for name, by_round in values.items() if all(by_round.values())}
    compared = {name: compare(by_round, config) for name, by_round in values.items()}
    passing = curves.by_reader(counts, config)
    _write(out / "diversity.json", run, seed, compared, values, passing)
    return Outcome(
        _sentences(compared, passing, rounds[-1]),
        _sheets(compared, passing, config.confidence),
        _figures(out, run, compared, passing),
    )


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
        "distinct answers": lambda judged: _or_none(
            variety.distinct_answers(verdict.lenient_answer for _, verdict in judged)
        ),
    }


def _texts(judged: list[Judged]) -> list[str]:
    return [sample.text for sample, _ in judged]


def _or_none(count: int) -> float | None:
    """A problem without a single equation, or answer, has no variety of them that could be compared."""
    return float(count) if count else None


def _sentences(compared: dict[str, list[Compared]], passing: list[curves.Curves], last: int) -> list[str]:
    found = [in_words(name, of_rounds[-1], of_rounds[0], DIGITS.get(name, 2)) for name, of_rounds in compared.items()]
    found += [curves.sentence(one, last) for one in passing]
    found.append(
        "a model that is right more often has fewer different answers and sequences by that alone; each interval "
        f"stands by itself: of {len(found)} one may miss by chance"
    )
    return found


def _sheets(compared: dict[str, list[Compared]], passing: list[curves.Curves], confidence: float) -> list[Sheet]:
    words = interval_words(confidence)
    per_problem = [
        {
            "measure": name,
            "round": round_name(one.round),
            "problems": str(one.problems),
            "mean": shown(one.value, DIGITS.get(name, 2)),
            "change, paired": shown(one.change, DIGITS.get(name, 2), sign=True) if one.change else "",
        }
        for name, of_rounds in compared.items()
        for one in of_rounds
    ]
    title = (
        f"diversity of a problem's samples, with {words}; self-BLEU is of at most {variety.HYPOTHESES} samples a "
        "problem (a seeded draw) against all others, and the higher, the more alike"
    )
    return [Sheet(title, per_problem), Sheet(f"pass@k in %, with {words}", curves.rows(passing))]


def _figures(out: Path, run: Run, compared: dict[str, list[Compared]], passing: list[curves.Curves]) -> list[Path]:
    words = f"{run.name}\n{interval_words(run.config.evaluate.confidence)}"
    curve, measured = out / "pass_at_k_curve.png", out / "diversity.png"
    with picture.panels(curve, len(passing), len(passing), words) as axes:
        for panel, one in zip(axes, passing, strict=True):
            curves.draw(panel, one)
    with picture.panels(measured, len(compared), COLUMNS, words) as axes:
        for panel, (name, of_rounds) in zip(axes, compared.items(), strict=True):
            _draw(panel, name, of_rounds)
    return [curve, measured]


def _draw(panel: Axes, name: str, of_rounds: list[Compared]) -> None:
    at = [one.round for one in of_rounds]
    means = [one.value.value for one in of_rounds]
    panel.plot(at, means, color=COLOURS[0], linewidth=2, marker="o")
    panel.vlines(at, [one.value.low for one in of_rounds], [one.value.high for one in of_rounds], color=COLOURS[0])
    for round, mean in zip(at, means, strict=True):
        panel.annotate(
            f"{mean:.{DIGITS.get(name, 2)}f}", (round, mean), xytext=(6, 4), textcoords="offset points", fontsize=9
        )
    panel.set_ylim(0, 1.1 * max(one.value.high for one in of_rounds) or 1.0)
    picture.round_ticks(panel, at)
    picture.name(panel, name + (" (higher: more alike)" if name == "self-BLEU" else ""))


def _write(
    path: Path,
    run: Run,
    seed: int,
    compared: dict[str, list[Compared]],
    values: dict[str, dict[int, ByProblem]],
    passing: list[curves.Curves],
) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "confidence": run.config.evaluate.confidence,
        "self_bleu_hypotheses": variety.HYPOTHESES,
        "measures": {name: {str(one.round): one.to_dict() for one in rounds} for name, rounds in compared.items()},
        "pass@k": {one.reader: one.to_dict() for one in passing},
        "per_problem": {name: {str(round): of for round, of in rounds.items()} for name, rounds in values.items()},
    }
    files.write_json(path, found)
