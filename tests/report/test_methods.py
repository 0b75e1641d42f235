"""Runs that differ only in their seed: what the report says of the method, and what it does not say of one training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from evaluations import PROBLEMS, finish_evaluation, finish_round
from scipy import stats

from tpt.errors import DataError
from tpt.evaluate import trainings
from tpt.evaluate.intervals import Floats, Interval
from tpt.report import report
from tpt.report.rows import collect
from tpt.report.trainings import compared, method_rows, over_trainings, without_mean
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.repetitions import repetitions
from tpt.runs.stage import Stage
from tpt.settings.config import Config

Make = Callable[..., Run]


def test_runs_are_grouped_by_all_but_their_seed(make_run: Make) -> None:
    one, other, pruned = make_run("seed=1"), make_run("seed=0"), make_run("prune=ground_truth", "seed=1")
    assert repetitions([one, other, pruned]) == [[other, one], [pruned]]


def test_a_method_is_spoken_of_only_from_several_trainings(make_run: Make, tmp_path: Path) -> None:
    alone = report([make_run("seed=0")], tmp_path / "alone")
    assert all("this checkpoint" in one and "method" not in one for one in alone.sentences)
    assert any("one training says nothing about how much another would gain" in note for note in alone.notes)

    several = report([make_run(f"seed={seed}") for seed in range(3)], tmp_path / "several")
    [method] = [one for one in several.sentences if "this method over 3 trainings" in one]
    assert "trainings differ by" in method
    assert not any("one training says" in note for note in several.notes)
    for name in ("table.md", "table.tex", "report.html"):
        text = (tmp_path / "several" / name).read_text()
        assert "intervals over trainings and problems" in text
    assert "| round 2 | 3 |" in (tmp_path / "several" / "table.md").read_text()
    assert "40 x 4 x 3 x 9" in (tmp_path / "several" / "table.md").read_text()


def test_a_methods_figure_is_the_mean_and_its_interval_is_wider_than_a_checkpoints(make_run: Make) -> None:
    runs = [make_run(f"seed={seed}", lift=lift) for seed, lift in enumerate((0.0, 0.1, 0.05))]
    rows = collect(runs)
    [first, last] = method_rows(runs, rows)
    of_last = [row for row in rows if row.round == 2]
    values = [row.interval("strict", "pass@k", 1).value for row in of_last]
    found = last.interval("strict", "pass@k", 1)
    assert (first.round, last.round, last.trainings) == (1, 2, 3)
    assert found.value == pytest.approx(sum(values) / 3)
    assert found.low < min(values) and found.high > max(values)
    assert last.spread is not None and 0.01 < last.spread < 0.2
    votes = [row.interval("strict", "maj@k", 4).value for row in of_last]
    assert last.interval("strict", "maj@k", 4).value == pytest.approx(sum(votes) / 3)
    assert isinstance(last.gains["baseline"]["strict"][last.ks[0]], Interval)


WP = ("+task@benchmarks.wp=word_problems", "benchmarks.wp.evaluate.samples_per_problem=2")
ECHO = (
    "commands.mine.command=echo {checkpoint} {out}",
    "commands.mine.figures.acc=acc",
    "commands.mine.figures.loss=l",
)
ALSO = (*WP, "benchmarks.wp.evaluate.ks=[1]", *ECHO, "evaluate.also=[wp,mine]", "rounds=1")
SOLVED = {0: (30, 30, 30), 1: (9, 14, 11)}  # of 40 problems of the benchmark, by round, for each training
ACC, LOSS, ERROR = {0: (0.5, 0.5, 0.5), 1: (0.62, 0.7, 0.66)}, {0: (2.5, 2.5, 2.5), 1: (1.9, 2.2, 2.0)}, 0.02


def beside(tiny_config: Callable[..., Config], seed: int, *more: str) -> Run:
    """A training that was also measured on a benchmark and by a command, which gives no standard error of the loss."""
    run = Run.create(tiny_config(*ALSO, f"seed={seed}", *more))
    run.finish(table.benchmark("wp"), {"problems": PROBLEMS}, 1.0)
    for round in (0, 1):
        finish_round(run, round, SOLVED[round][seed], 10 + 10 * round)
        figures = {
            "acc": {"value": ACC[round][seed], "error": ERROR, "count": None},
            "loss": {"value": LOSS[round][seed], "error": None, "count": None},
        }
        run.finish(Stage(round, "command", "mine"), {"figures": figures, "command": [], "json": "out"}, 7.0)
    return run


def solving(counts: tuple[int, ...]) -> list[Floats]:
    """Of each training the share of each problem that is solved."""
    return [np.repeat([1.0, 0.0], [count, PROBLEMS - count]) for count in counts]


def test_a_method_has_means_on_benchmarks_and_of_commands(tiny_config: Callable[..., Config], tmp_path: Path) -> None:
    runs = [beside(tiny_config, seed) for seed in range(3)]
    [method] = method_rows(runs, collect(runs))
    wp, acc, loss = (method.further[name] for name in ("pass@1 strict (wp)", "acc (mine)", "loss (mine)"))
    assert wp.interval == trainings.level(solving(SOLVED[1]), 0.95).interval
    assert wp.gain == trainings.paired(solving(SOLVED[1]), solving(SOLVED[0]), 0.95).interval

    students = stats.t.interval(0.95, 2, np.mean(ACC[1]), stats.sem(ACC[1]))
    assert acc.value == pytest.approx(np.mean(ACC[1]))
    assert acc.interval and acc.interval.low < students[0] and acc.interval.high > students[1], (
        "there are other questions, too"
    )
    changed = np.subtract(LOSS[1], LOSS[0])
    expected = stats.t.interval(0.95, 2, changed.mean(), stats.sem(changed))
    assert loss.gain and (loss.gain.low, loss.gain.high) == pytest.approx(expected)
    assert method.seconds["command"] == 3 * 7.0

    said = report(runs, tmp_path).sentences
    [of_wp] = [one for one in said if "pass@1 strict (wp)" in one]
    assert of_wp.startswith("exploratory, round 1, this method over 3 trainings: pass@1 strict (wp) FELL: -46.7 [")
    [of_loss] = [one for one in said if "loss (mine) FELL: -0.4667 [" in one]
    assert of_loss.startswith("exploratory, ") and "over trainings alone, so of these questions only" in of_loss
    text = (tmp_path / "table.md").read_text()
    for words in (
        "loss (mine), over trainings alone |",
        "acc (mine), not paired | loss (mine), over trainings alone |",
    ):
        assert words in text
    assert "Means over trainings of the gain over the baseline on other problems" in text


def test_figures_that_do_not_differ_between_trainings_claim_no_certainty(
    tiny_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LOSS, 1, (1.9, 1.9, 1.9))
    runs = [beside(tiny_config, seed) for seed in range(3)]
    [method] = method_rows(runs, collect(runs))
    loss = method.further["loss (mine)"]
    assert loss.value == pytest.approx(1.9)
    assert loss.interval is None and loss.gain is None


def test_what_was_measured_otherwise_has_no_mean_and_the_report_says_so(
    tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    plain = Run.create(tiny_config("rounds=1", "seed=2"))
    for round in (0, 1):
        finish_evaluation(plain, round, 10)
    first, shares, figures = (
        beside(tiny_config, 0),
        "pass@1 strict (wp), pass@1 lenient (wp)",
        "acc (mine), loss (mine)",
    )
    for other, titles in (
        (beside(tiny_config, 1, "commands.mine.options=--fast", f"run_root={tmp_path / 'one'}"), figures),
        (beside(tiny_config, 1, "benchmarks.wp.evaluate.temperature=0.3", f"run_root={tmp_path / 'two'}"), shares),
        (plain, f"{shares}, {figures}"),
    ):
        runs = [first, other]
        rows = collect(runs)
        [note] = without_mean(runs, rows, method_rows(runs, rows))
        assert note.startswith(f"no mean over trainings of {titles}: not every training has been measured on it")
    made = report(runs, tmp_path)
    assert note in made.notes
    assert any("seed=0: round 1, this checkpoint: acc (mine)" in one for one in made.sentences)


def test_one_training_stands_for_itself_and_other_problems_are_refused(make_run: Make) -> None:
    one, other = (collect([make_run(f"seed={seed}", problems=problems)]) for seed, problems in ((0, 40), (1, 30)))
    settings = make_run("seed=0").config.evaluate
    assert over_trainings(one[1:2], one[:1], settings) is one[1]
    assert compared(one[2:], one[:1], "strict", 1, settings, same=True).trainings == 1
    with pytest.raises(DataError, match="different problems"):
        over_trainings([one[1], other[1]], [one[0], other[0]], settings)
