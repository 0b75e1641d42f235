"""The rows of the report: one for each evaluated round of each run."""

from dataclasses import dataclass, field
from pathlib import Path

from tpt.artefacts import Manifest, Marks, Metrics, Prepared, Pruned, Trained
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS, Figure, Reader, difference, doubts
from tpt.nested import flatten
from tpt.report import further
from tpt.report.further import Further
from tpt.runs import rounds, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import config

Cell = str | float  # of a column that a stage adds to the report
Gains = dict[Reader, dict[int, Interval]]


def stage_names() -> list[str]:
    """The stages of a round, in order."""
    return [spec.name for spec in table.ROUND]


def extra_columns(run: Run, round: int) -> dict[str, Cell]:
    """What else the stages of a round report, by column: shown in every table of the report if any row has it."""
    found: dict[str, Cell] = {}
    for stage in run.stages():
        if stage.round == round and run.done(stage):
            found |= table.of(stage).columns(stage, run.manifest(stage))
    return found


def round_name(round: int) -> str:
    """The name of a round."""
    return f"round {round}" if round else "baseline"


@dataclass
class Row:
    """One evaluated round.

    Attributes:
        run: the run's name.
        root: its folder, which tells apart runs of one config in several places.
        labels: the settings in which this run differs from the others in the report.
        round: 0 is the base model.
        metrics: what `evaluate.metrics.summarise` gave.
        confidence: of every interval, e.g. 0.95.
        kept: examples trained on in this round; None for the base model.
        steps: of the optimizer in this round; None for the base model.
        trainings: how many trainings it is the mean of; 1 is a single checkpoint.
        roots: the folders of the runs that it is the mean of; none of a single checkpoint.
        spread: the standard deviation between the trainings of strict pass@k, for the smallest k; None of one.
        seconds: of each stage of the round.
        by_threshold: usable samples of the round that each `prune.threshold` would keep, where that was counted.
        unsafe: whether solutions of this round were judged without a sandbox.
        gains: paired differences in pass@k over the "baseline" and over the "previous" round, by reader and k; a round
            that is not evaluated is left out.
        unjudged: whether samples of this round or of the baseline could not be judged, which may explain the gains.
        extra: what else the stages of the round report, by column, see `extra_columns`.
        further: figures on other sets of problems, benchmarks and commands, by the heading of their column.
    """

    run: str
    root: Path
    labels: dict[str, str]
    round: int
    metrics: Metrics
    confidence: float
    kept: int | None = None
    steps: int | None = None
    trainings: int = 1
    roots: tuple[Path, ...] = ()
    spread: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    by_threshold: dict[str, int] = field(default_factory=dict)
    unsafe: bool = False
    gains: dict[str, Gains] = field(default_factory=dict)
    unjudged: bool = False
    extra: dict[str, Cell] = field(default_factory=dict)
    further: dict[str, Further] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the round."""
        return round_name(self.round)

    @property
    def label(self) -> str:
        """The run's distinguishing settings in one line; "" if the report is of one run."""
        return _label(self.labels)

    @property
    def design(self) -> str:
        """What the figures rest on: problems x samples of each x trainings x optimizer steps."""
        problems, samples = self.metrics["problems"], self.metrics["samples"]
        counts = [problems, f"{samples / problems:g}", self.trainings, *([] if self.steps is None else [self.steps])]
        return " x ".join(map(str, counts))

    @property
    def ks(self) -> list[int]:
        """The k of pass@k, ascending."""
        return sorted(int(k) for k in self.metrics["strict"]["pass@k"])

    def interval(self, reader: Reader, figure: Figure, k: int | str) -> Interval:
        """A figure with its interval, e.g. `interval("strict", "pass@k", 1)`."""
        return Interval(**self.metrics[reader][figure][str(k)])


def collect(runs: list[Run]) -> list[Row]:
    """The rows of some different runs; a round that is not evaluated yet has none.

    Raises:
        RunError: the figures of a finished evaluation are missing.
    """
    return [row for run, label in zip(runs, distinguishing(runs), strict=True) for row in _of_run(run, label)]


def doubtful(rows: list[Row]) -> list[str]:
    """A line for each row with samples that could not be judged, and for each reason."""
    named = [(f"{row.label}: {row.name}" if row.label else row.name, row) for row in rows]
    return [f"{name}: {words}" for name, row in named for words in doubts(row.metrics)]


def unevaluated(runs: list[Run]) -> list[str]:
    """A line for each run with rounds that have no row yet, which says how far they have got."""
    lines = []
    for run, labels in zip(runs, distinguishing(runs), strict=True):
        rounds = [_how_far(run, one) for one in range(run.rounds + 1) if _is_awaited(run, one)]
        if rounds:
            name = f"{_label(labels)}: " if labels else ""
            lines.append(f"{name}not evaluated yet: {', '.join(rounds)}")
    return lines


def as_text(runs: list[Run]) -> list[str]:
    """A line for each run whose server exchanged text, so that its tokens are not those that were sampled."""
    lines = []
    for run, labels in zip(runs, distinguishing(runs), strict=True):
        served = run.results(table.PREPARED, Prepared).get("served") if run.done(table.PREPARED) else None
        if served and not served["ids"]:
            sampled = (run.config.think.teacher or run.config.model).name
            name = f"{_label(labels)}: " if labels else ""
            lines.append(
                f"{name}{sampled} was sampled as text from a server ({served['model']}), which was encoded again here: "
                "its tokens may differ from those sampled"
            )
    return lines


def ends(runs: list[Run]) -> list[str]:
    """A line for each run of `rounds=auto`: where and why it stopped, and the round to take."""
    found = [(rounds.in_words(run), _label(labels)) for run, labels in zip(runs, distinguishing(runs), strict=True)]
    return [f"{label}: {words}" if label else words for words, label in found if words]


def _is_awaited(run: Run, round: int) -> bool:
    """Whether a round's evaluation is missing; with `rounds=auto`, only a round that has begun is sure to come."""
    auto, least = run.config.stop.auto, run.config.stop.least
    sure = not auto or round <= least or any(run.done(stage) for stage in run.stages() if stage.round == round)
    return sure and not run.done(table.evaluation(round))


def _how_far(run: Run, round: int) -> str:
    done = [stage.name for stage in run.stages() if stage.round == round and run.done(stage)]
    kept = _kept(run, round)
    examples = "" if kept is None else f"; {kept} examples kept"
    return round_name(round) + (f" (done: {', '.join(done)}{examples})" if done else "")


def _label(labels: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _of_run(run: Run, labels: dict[str, str]) -> list[Row]:
    rows: dict[int, Row] = {}
    for round in range(run.rounds + 1):
        if not run.done(table.evaluation(round)):
            continue
        row = Row(run.name, run.root, labels, round, run.evaluation(round), run.config.evaluate.confidence)
        row.kept, row.steps = _kept(run, round), _steps(run, round)
        row.extra, row.further = extra_columns(run, round), further.of_round(run, round)
        for stage in run.stages():
            if stage.round == round and run.done(stage):
                row.seconds[stage.name] = row.seconds.get(stage.name, 0.0) + run.results(stage, Manifest)["seconds"]
                row.unsafe = row.unsafe or run.results(stage, Marks).get("sandbox") == "none"
                row.by_threshold |= run.results(stage, Pruned).get("by_threshold", {})
        for name, earlier in (("baseline", 0), ("previous", round - 1)):
            if earlier in rows:
                row.gains[name] = _gains(run, row, rows[earlier])
        rows[round] = row
        row.unjudged = any(doubts(one.metrics) for one in (row, rows.get(0, row)))
    return list(rows.values())


def _gains(run: Run, row: Row, earlier: Row) -> Gains:
    settings = run.config.evaluate
    return {
        reader: {k: difference(row.metrics, earlier.metrics, reader, k, settings) for k in row.ks} for reader in READERS
    }


def _kept(run: Run, round: int) -> int | None:
    prune = Stage(round, table.PRUNE.name)
    return run.results(prune, Pruned)["examples"] if round and run.done(prune) else None


def _steps(run: Run, round: int) -> int | None:
    train = table.training(round)
    return run.results(train, Trained).get("steps") if round and run.done(train) else None


def distinguishing(runs: list[Run]) -> list[dict[str, str]]:
    """For each run, the settings in which the runs differ; none if there is one run.

    A setting that a run does not have (of another task, say) is "". Runs of one config have their folders instead.
    """
    settings = [config.to_dict(run.config, runtime=False) for run in runs]
    flat = [{name: str(value) for name, value in flatten(one)} for one in settings]
    keys = [key for key in dict.fromkeys(key for one in flat for key in one) if len({one.get(key) for one in flat}) > 1]
    # If only some of the runs have a teacher, its settings say it all.
    keys = [key for key in keys if not any(other.startswith(f"{key}.") for other in keys)]
    # A model's name says its path and learning rate; the settings that follow from it would only widen the table.
    implied = ("model.path", "model.source", "model.learning_rate", "train.learning_rate")
    short = [key for key in keys if "model.name" not in keys or key not in implied]
    labels = [{key: one.get(key, "") for key in short} for one in flat]
    if not _distinct(labels):
        labels = [{key: one.get(key, "") for key in keys} for one in flat]
    if not _distinct(labels):
        labels = [one | {"folder": str(run.root)} for one, run in zip(labels, runs, strict=True)]
    return labels


def _distinct(labels: list[dict[str, str]]) -> bool:
    return len({tuple(one.values()) for one in labels}) == len(labels)
