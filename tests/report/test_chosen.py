"""The best of several arms is chosen on dev and reported on test."""

from collections.abc import Callable
from pathlib import Path

from evaluations import finish_round

from tpt.report import report
from tpt.runs.folder import Run
from tpt.settings.config import Config

Make = Callable[..., Config]


def arm(config: Config, *solved: tuple[int, int]) -> Run:
    """A run whose rounds solve so many of the 40 dev problems and of the 40 test problems."""
    run = Run.create(config)
    for round, (dev, test) in enumerate(solved):
        finish_round(run, round, dev, tested=test)
    return run


def notes(runs: list[Run], out: Path) -> str:
    return "\n".join(report(runs, out).notes)


def test_the_arm_that_is_best_on_dev_is_named_with_its_figure_on_test(tiny_config: Make, tmp_path: Path) -> None:
    low = arm(tiny_config("rounds=1", "evaluate.also=[dev]"), (10, 10), (14, 40))
    high = arm(tiny_config("rounds=2", "evaluate.also=[dev]", "prune=none", "seed=1"), (10, 10), (20, 12), (16, 30))
    text = notes([low, high], tmp_path)
    assert "best on dev: " in text
    assert "seed=1: round 1: pass@1 strict 50.0 on dev, 30.0 [" in text


def test_no_arm_is_named_as_the_best_where_one_is_not_evaluated_on_dev(tiny_config: Make, tmp_path: Path) -> None:
    on_dev = arm(tiny_config("rounds=1", "evaluate.also=[dev]"), (10, 10), (14, 40))
    plain = arm(tiny_config("rounds=1", "seed=1"), (10, 10), (14, 40))
    assert "best" not in notes([on_dev, plain], tmp_path)
    assert "best" not in notes([on_dev], tmp_path)
