"""Runs that differ only in their seed: what the report says of the method, and what it does not say of one training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.errors import DataError
from tpt.evaluate.intervals import Interval
from tpt.report import report
from tpt.report.rows import collect
from tpt.report.trainings import compared, method_rows, over_trainings
from tpt.runs.folder import Run
from tpt.runs.repetitions import repetitions

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


def test_one_training_stands_for_itself_and_other_problems_are_refused(make_run: Make) -> None:
    one, other = (collect([make_run(f"seed={seed}", problems=problems)]) for seed, problems in ((0, 40), (1, 30)))
    settings = make_run("seed=0").config.evaluate
    assert over_trainings(one[1:2], one[:1], settings) is one[1]
    assert compared(one[2:], one[:1], "strict", 1, settings, same=True).trainings == 1
    with pytest.raises(DataError, match="different problems"):
        over_trainings([one[1], other[1]], [one[0], other[0]], settings)
