"""The table of an experiment: what stands beside what, and that its sentences claim no more than the intervals."""

import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluations import finish_evaluation

from tpt.artefacts import Figures, Metrics, PerProblem
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS, difference
from tpt.evaluate.passk import pass_at_k
from tpt.report.further import Further
from tpt.report.rows import Gains, Row
from tpt.reproduce import figure, table
from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.lines import Line, lines, trained
from tpt.reproduce.paper import Paper
from tpt.reproduce.words import sentences
from tpt.runs.folder import Run
from tpt.settings.sampling import EvaluateConfig
from tpt.settings.stop import StopConfig

SETTINGS = EvaluateConfig(samples_per_problem=4, ks=[1, 4])


def metrics(*right: int) -> Metrics:
    """Figures of problems with four samples each, so many of them right under either reader."""
    n, c = np.full(len(right), 4), np.array(right)
    figures: Figures = {
        "pass@k": {str(k): {"value": v, "low": v - 0.1, "high": v + 0.1} for k in (1, 4) for v in [_mean(n, c, k)]},
        "correct@k": {str(k): _mean(n, c, k) * len(right) for k in (1, 4)},
        "maj@k": {},
    }
    per_problem: PerProblem = {
        "id": [f"p{one}" for one in range(len(right))],
        "n": [4] * len(right),
        "strict": right,
        "lenient": right,
    }
    return {
        "problems": len(right),
        "samples": 4 * len(right),
        "well_formed": 1.0,
        "cut_off": 0.0,
        "mean_tokens": 9.0,
        "judge_error": 0.0,
        "gold_unreadable": 0.0,
        "unfinished_thinking": 0.0,
        "distinct": 4.0,
        "statuses": {},
        "strict": figures,
        "lenient": figures,
        "per_problem": per_problem,
    }


def _mean(n: Any, c: Any, k: int) -> float:
    return float(pass_at_k(n, c, k).mean())


BASE = metrics(*[1] * 20)
BETTER = metrics(*[3] * 20)
SAME = metrics(*[0, 2] * 10)


def row(round: int, found: Metrics, kept: int | None = None) -> Row:
    gained: Gains = {reader: {k: difference(found, BASE, reader, k, SETTINGS) for k in (1, 4)} for reader in READERS}
    return Row("run", Path("run"), {}, round, found, 0.95, kept, gains={"baseline": gained} if round else {})


def lines_of(paper: Paper | None = None) -> list[Line]:
    better, same = Line("better", "much", row(1, BETTER, 40)), Line("same", "nothing", row(1, SAME, 20))
    same.against = "much"
    same.differences = {
        k: {reader: difference(SAME, BETTER, reader, k, SETTINGS) for reader in READERS} for k in (1, 4)
    }
    if paper:
        better.paper, better.paper_gain = paper.figures("better", 1), paper.gain("better", 1)
    return [Line("", "tiny", row(0, BASE), paper={"pass@1": 25.0} if paper else {}), better, same]


PAPER = Paper("table 0", "a model", {"better": {0: {"pass@1": 25.0}, 1: {"pass@1": 35.0, "pass@20": 80.0}}})


def test_a_line_shows_what_was_measured_and_what_it_rests_on_beside_the_papers_figures() -> None:
    [baseline, better, same] = table.all_cells(lines_of(PAPER), ["pass@k"])
    assert better["arm"] == "much"
    assert (better["kept"], baseline["kept"]) == ("40", "")
    assert better["pass@1 strict"].startswith("75.0 [")
    assert better["gain strict"].startswith("+50.0 [+")
    assert (better["paper pass@1"], better["paper pass@k"]) == ("35", "80 (k=20)")
    assert better["paper gain"] == "+10.0"
    assert better["problems x samples x trainings x steps"] == "20 x 4 x 1"
    assert same["against"] == "much"
    assert same["difference"].startswith("-50.0 [")
    assert baseline["gain strict"] == ""


def test_columns_that_nothing_fills_are_left_out() -> None:
    assert not [name for name in table.all_cells(lines_of(), ["pass@k"])[0] if name.startswith("paper")]


def test_a_difference_within_its_interval_is_not_called_one() -> None:
    [much, nothing, against] = sentences(lines_of(PAPER))
    assert "pass@1 strict rose by +50.0" in much
    assert "paper" not in much, "nothing is said of figures of another task and model"
    assert all(one.startswith("exploratory, ") for one in (much, nothing, against))
    assert "this checkpoint" in much and "these checkpoints" in against
    assert "no change in pass@1 strict that can be told from noise" in nothing
    assert "nothing against much, these checkpoints: pass@1 strict is lower: -50.0" in against


def test_what_was_lost_elsewhere_is_said_of_each_arm_and_never_called_declared() -> None:
    lost = Further("ifeval", "acc", "ifeval_acc", 0.3, None, 0.95, Interval(-0.2, -0.3, -0.1), rests="figures")
    last = dataclasses.replace(row(1, BETTER), further={lost.title: lost})
    [_, said] = sentences([Line("a", "arm", last)], declared={("a", "baseline")})
    assert said.startswith("exploratory, arm: round 1, this checkpoint: acc (ifeval) FELL: -0.2 [-0.3, -0.1] over")


def test_only_the_last_round_of_an_arm_is_put_in_words() -> None:
    rounds = [Line("a", "arm", row(round, BETTER)) for round in (1, 2, 3)]
    assert [one.split(":")[1] for one in sentences(rounds)] == [" round 3, this checkpoint"]


def test_the_csv_holds_plain_numbers_for_every_line() -> None:
    [baseline, better, same] = list(csv.DictReader(io.StringIO(table.to_csv(lines_of(PAPER)))))
    assert (baseline["arm"], better["arm"]) == ("baseline", "better")
    assert float(better["strict_gain_pass@1"]) == pytest.approx(0.5)
    assert float(better["paper_pass@20"]) == 80.0
    assert float(same["strict_difference_pass@1"]) == pytest.approx(-0.5)


def test_the_figure_is_the_same_file_for_the_same_lines(tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        drawn.append(figure.draw(lines_of(PAPER), "A title", "95 % intervals", tmp_path / name)[1].read_bytes())
    assert drawn[0] == drawn[1]
    assert b"much" in drawn[0]


def test_an_arm_of_rounds_auto_stands_with_the_round_to_take_and_others_are_compared_with_it(
    make_run: Callable[..., Run],
) -> None:
    fixed = make_run(rounds=2)
    # No round gains 100 points on dev: the base model is to be taken.
    stopping = StopConfig(auto=True, most=2, minimum=100.0, patience=1)
    auto = Run(fixed.root, dataclasses.replace(fixed.config, stop=stopping), fixed.contents)
    for round in range(3):
        finish_evaluation(auto, round, 10 + 5 * round, which="dev")
    end = auto.stopped()
    assert end is not None
    assert (end.after, end.take) == (1, 0)
    arms = [PlannedArm("auto", "auto", []), PlannedArm("fixed", "two rounds", [], against="auto")]
    of_arms = trained(arms, {"auto": auto, "fixed": fixed})
    found = lines(of_arms, "last", None)
    assert [(one.arm, one.row.round) for one in found] == [("", 0), ("auto", 0), ("fixed", 2)]
    assert found[-1].against == "auto"
    assert found[-1].differences[1]["strict"] == found[-1].gain  # from the base model, that is
    of_all = lines(of_arms, "all", None)
    assert [one.differences != {} for one in of_all if one.arm == "fixed"] == [True, False]  # auto has no second round
