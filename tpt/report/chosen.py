"""The best of several arms: chosen on dev, reported on test."""

from typing import cast

from tpt.evaluate.metrics import Reader
from tpt.report.rows import Row
from tpt.runs import rounds, table
from tpt.runs.folder import Run


def best_arm(runs: list[Run], rows: list[Row]) -> list[str]:
    """A line that names the best of several arms, with its figure on the test split.

    It is chosen by the figure of each arm's best round on dev. There is no line for a single run, nor if an arm is not
    evaluated on dev as far as it goes, or on other dev problems than the rest: the test split chooses nothing.

    Args:
        rows: of the report on these runs.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    chosen = [_best_round(run) for run in runs]
    if len(runs) < 2 or None in chosen or not _comparable(runs):
        return []
    pairs = [(run, round) for run, round in zip(runs, chosen, strict=True) if round is not None]
    run, round = max(pairs, key=lambda pair: rounds.dev_score(*pair))  # the first of equals
    on_dev = 100 * rounds.dev_score(run, round)
    for row in rows:
        if (row.root, row.round) == (run.root, round):
            on_test = row.interval(cast(Reader, run.config.stop.reader), "pass@k", row.ks[0]).in_percent()
            figure = rounds.figure_name(run)
            return [f"best on dev: {row.label}: {row.name}: {figure} {on_dev:.1f} on dev, {on_test} on test"]
    return []


def _best_round(run: Run) -> int | None:
    """The round that `rounds=auto` takes, or else the best on dev; None: that is not known yet."""
    stop = run.stopped()
    return stop.take if stop else rounds.best(run, range(run.rounds + 1))


def _comparable(runs: list[Run]) -> bool:
    """Whether all are judged by one figure on the same dev problems."""
    figures = {rounds.figure_name(run) for run in runs}
    problems = {frozenset(map(str, run.figures(table.choosing(0))["per_problem"]["id"])) for run in runs}
    return len(figures) == len(problems) == 1
