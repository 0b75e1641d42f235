"""What is a gain made of, which problems were won and lost, and what would have told how many rounds to do?"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import binomtest

from tpt import files
from tpt.analysis import parts, picture
from tpt.analysis.compare import FEWEST, same_problems
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.parts import Part
from tpt.analysis.samples import Judged, evaluated_rounds, evaluation, thought
from tpt.evaluate.intervals import interval_words
from tpt.evaluate.passk import pass_at_k
from tpt.records import Status
from tpt.report.figure import COLOURS
from tpt.report.rows import round_name
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

COLUMNS = ("problem_id", "index", "completion_ids", "finish_reason")

Counts = dict[str, tuple[int, int]]  # by problem: samples, right ones


@dataclass(frozen=True)
class Moves:
    """Problems whose samples changed from one round to another.

    Attributes:
        won: never solved before, solved at least once after.
        lost: solved at least once before, never after.
        better, worse: with a higher and with a lower share of right samples.
        chance: of a split of `better` and `worse` at least as uneven if both were equally likely (exact sign test).
    """

    won: int
    lost: int
    better: int
    worse: int
    chance: float


@dataclass(frozen=True)
class Outlook:
    """What is known after a round that may tell whether another one is worth it.

    Attributes:
        headroom: pass@k - pass@1 on the evaluated problems, k being all samples: what a model can do at times.
        mixed: share of the evaluated problems that are solved by some samples and not by others.
        new: training problems solved in this round and in none before it; None where nothing was sampled.
        next_gain: in pass@1, by the next round; None: there is none.
    """

    headroom: float
    mixed: float
    new: int | None
    next_gain: float | None


def analyse(run: Run, out: Path, seed: int) -> Outcome:
    """Compare each evaluated round with the base model.

    Raises:
        DataError: there are no two evaluations to compare.
    """
    rounds = evaluated_rounds(run)
    judged = {round: evaluation(run, round, COLUMNS) for round in rounds}
    same_problems(judged)
    order = list(judged[0])
    config = run.config.evaluate
    made = {
        round: parts.split(
            [judged[0][one] for one in order], [judged[round][one] for one in order], config.confidence, seed
        )
        for round in rounds[1:]
    }
    counts = {round: counted(of_round) for round, of_round in judged.items()}
    moved = {round: moves(counts[0], counts[round]) for round in rounds[1:]}
    seen = outlooks(counts, newly_solved(run, rounds))
    enough = len(order) >= FEWEST
    _write(out / "gain.json", run, seed, made, moved, seen)
    words = interval_words(config.confidence)
    figure = out / "gain.png"
    with picture.panels(figure, 1, 1, f"{run.name}\n{words}" if enough else run.name) as [panel]:
        _draw(panel, made, enough)
    return Outcome(
        _sentences(made[rounds[-1]], moved[rounds[-1]], rounds[-1], len(order)),
        [_parts_sheet(made, words, enough), _moves_sheet(moved, len(order)), _outlook_sheet(seen)],
        [figure],
    )


def counted(by_problem: Mapping[str, list[Judged]]) -> Counts:
    """Samples and right ones (strict) of each problem."""
    return {
        problem: (len(judged), sum(verdict.strict is Status.CORRECT for _, verdict in judged))
        for problem, judged in by_problem.items()
    }


def moves(before: Counts, after: Counts) -> Moves:
    """Which problems were won and lost; both have the same problems."""
    pairs = [(*before[one], *after[one]) for one in before]
    better = sum(c2 * n1 > c1 * n2 for n1, c1, n2, c2 in pairs)
    worse = sum(c2 * n1 < c1 * n2 for n1, c1, n2, c2 in pairs)
    chance = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    won = sum(not c1 and c2 > 0 for _, c1, _, c2 in pairs)
    return Moves(won, sum(c1 > 0 and not c2 for _, c1, _, c2 in pairs), better, worse, chance)


def outlooks(counts: dict[int, Counts], new: Mapping[int, int]) -> dict[int, Outlook]:
    """What each round's evaluation says of the next round, and what that then gained.

    Args:
        counts: by round, of the same problems.
        new: training problems that a round solved first.
    """
    found = {}
    rates = {}
    for round, of_round in counts.items():
        n, c = (np.array(one) for one in zip(*of_round.values(), strict=True))
        rates[round] = float(pass_at_k(n, c, 1).mean())
        headroom = float(pass_at_k(n, c, int(n.min())).mean()) - rates[round]
        found[round] = Outlook(headroom, float(((c > 0) & (c < n)).mean()), new.get(round), None)
    return {
        round: dataclasses.replace(one, next_gain=rates[round + 1] - rates[round]) if round + 1 in rates else one
        for round, one in found.items()
    }


def newly_solved(run: Run, rounds: list[int]) -> dict[int, int]:
    """How many training problems each round solved that no round before it did, as pruning reads it."""
    solved: set[str] = set()
    found = {}
    for round in rounds[1:]:
        if run.done(table.judged_in(Stage(round, table.THINK.name))):
            right = {problem for problem, (_, c) in counted(thought(run, round, COLUMNS)).items() if c}
            found[round] = len(right - solved)
            solved |= right
    return found


def _sentences(made: list[Part], moved: Moves, last: int, problems: int) -> list[str]:
    gain = sum(one.value for one in made)
    listed = ", ".join(f"{one.name} {100 * one.value:+z.1f}" for one in made)
    few = "" if problems >= FEWEST else f"; {problems} problems are too few for intervals"
    return [
        f"{round_name(last)}: of {100 * gain:+z.1f} points in pass@1 strict over the baseline: {listed}{few}",
        f"{round_name(last)}: {moved.better} problems better and {moved.worse} worse than at baseline "
        f"(p = {moved.chance:.2g}, sign test); {moved.won} solved for the first time, {moved.lost} no longer solved",
    ]


def _parts_sheet(made: dict[int, list[Part]], words: str, enough: bool) -> Sheet:
    title = "parts of the gain in pass@1 strict over the baseline, in points" + (f", with {words}" if enough else "")
    rows = [
        {"round": round_name(round), "gain": f"{100 * sum(one.value for one in of_round):+z.1f}"}
        | {one.name: _in_points(one, enough) for one in of_round}
        for round, of_round in made.items()
    ]
    return Sheet(title, rows)


def _in_points(part: Part, enough: bool) -> str:
    ends = f" [{100 * part.low:+z.1f}, {100 * part.high:+z.1f}]" if enough else ""
    return f"{100 * part.value:+z.1f}{ends}"


def _moves_sheet(moved: dict[int, Moves], problems: int) -> Sheet:
    rows = [
        {
            "round": round_name(round),
            "better": str(one.better),
            "worse": str(one.worse),
            "p, sign test": f"{one.chance:.2g}",
            "won": str(one.won),
            "lost": str(one.lost),
        }
        for round, one in moved.items()
    ]
    return Sheet(f"problems won and lost since the baseline, of {problems}", rows)


def _outlook_sheet(seen: dict[int, Outlook]) -> Sheet:
    rows = [
        {
            "round": round_name(round),
            "pass@k - pass@1": f"{100 * one.headroom:.1f}",
            "solved at times": f"{100 * one.mixed:.0f} %",
            "training problems solved first": "" if one.new is None else str(one.new),
            "next round's gain": "" if one.next_gain is None else f"{100 * one.next_gain:+z.1f}",
        }
        for round, one in seen.items()
    ]
    return Sheet("what may tell whether another round is worth it, and what it gained (exploratory)", rows)


def _draw(panel: Axes, made: dict[int, list[Part]], enough: bool) -> None:
    """The parts of each round beside each other, with their intervals."""
    width = 0.8 / len(parts.PARTS)
    for at, name in enumerate(parts.PARTS):
        places = [round + (at - 1.5) * width for round in made]
        of_part = [of_round[at] for of_round in made.values()]
        panel.bar(places, [100 * one.value for one in of_part], width=0.9 * width, color=COLOURS[at], label=name)
        if enough:
            lows, highs = [100 * one.low for one in of_part], [100 * one.high for one in of_part]
            panel.vlines(places, lows, highs, color="black", linewidth=1)
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set_ylabel("points of pass@1")
    picture.round_ticks(panel, list(made))
    panel.legend(frameon=False, fontsize=9)
    picture.name(panel, "parts of the gain")


def _write(
    path: Path,
    run: Run,
    seed: int,
    made: dict[int, list[Part]],
    moved: dict[int, Moves],
    seen: dict[int, Outlook],
) -> None:
    found: dict[str, Any] = {
        "run": run.name,
        "seed": seed,
        "parts": {str(round): [dataclasses.asdict(one) for one in of_round] for round, of_round in made.items()},
        "moves": {str(round): dataclasses.asdict(one) for round, one in moved.items()},
        "outlook": {str(round): dataclasses.asdict(one) for round, one in seen.items()},
    }
    files.write_json(path, found)
