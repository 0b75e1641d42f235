"""The rows of the report: one for each evaluated round of each run."""

from dataclasses import dataclass, field
from typing import Any

from tpt import config, files
from tpt.evaluate.bootstrap import Interval
from tpt.evaluate.metrics import difference
from tpt.loop import Stage
from tpt.run import Run


@dataclass
class Row:
    """One evaluated round.

    Attributes:
        run: the run's name.
        labels: the settings in which this run differs from the others of the report.
        round: 0 is the base model.
        metrics: what `evaluate.metrics.summarise` gave.
        kept: examples trained on in this round; None for the base model.
        seconds: of each stage of the round.
        gains: paired difference in strict pass@1, to the baseline and to the round before.
    """

    run: str
    labels: dict[str, str]
    round: int
    metrics: dict[str, Any]
    kept: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    gains: dict[str, Interval] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the row is called."""
        return f"round {self.round}" if self.round else "baseline"

    def interval(self, reader: str, figure: str, k: int | str) -> Interval:
        """A figure with its interval, e.g. `interval("strict", "pass@k", 1)`."""
        return Interval(**self.metrics[reader][figure][str(k)])


def collect(runs: list[Run]) -> list[Row]:
    """The rows of some runs; a round that is not evaluated yet has none."""
    labels = distinguishing(runs)
    return [row for run, label in zip(runs, labels, strict=True) for row in _of_run(run, label)]


def _of_run(run: Run, labels: dict[str, str]) -> list[Row]:
    rows: list[Row] = []
    for round in range(run.config.rounds + 1):
        stage = Stage(round, "evaluate")
        if not run.done(stage):
            continue
        row = Row(run.name, labels, round, files.read_json(run.folder(stage) / "metrics.json"))
        for one in run.stages():
            if one.round == round and run.done(one):
                row.seconds[one.name] = run.manifest(one)["seconds"]
        prune = Stage(round, "prune")
        if round and run.done(prune):
            row.kept = run.manifest(prune)["examples"]
        if rows:
            settings, seed = run.config.evaluate, run.config.seed
            k = min(settings.ks)
            row.gains["baseline"] = difference(row.metrics, rows[0].metrics, "strict", k, settings, seed)
            row.gains["previous"] = difference(row.metrics, rows[-1].metrics, "strict", k, settings, seed)
        rows.append(row)
    return rows


def distinguishing(runs: list[Run]) -> list[dict[str, str]]:
    """For each run, the settings in which the runs differ; where there is one run, none."""
    flat = [_flatten(config.to_dict(run.config, runtime=False)) for run in runs]
    keys = [key for key in flat[0] if len({one.get(key, "") for one in flat}) > 1]
    # A model's name says its path and learning rate; the settings that follow from it would only widen the table.
    implied = ("model.path", "model.source", "model.learning_rate", "train.learning_rate")
    if "model.name" in keys:
        keys = [key for key in keys if key not in implied]
    return [{key: one.get(key, "") for key in keys} for one in flat]


def _flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, one in value.items():
        if isinstance(one, dict):
            found |= _flatten(one, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(one)
    return found
