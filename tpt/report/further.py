"""What a round's model does on anything but the test split: further sets of problems, benchmarks, commands."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tpt.artefacts import Measured, Metrics
from tpt.evaluate import measured
from tpt.evaluate.intervals import Interval, independent_difference
from tpt.evaluate.metrics import READERS, Reader, difference, doubts
from tpt.runs import identity, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import config
from tpt.tasks.base import DEV

Rests = Literal["samples", "figures", "trainings"]
# How a gain was computed, in a sentence and in a heading, by what it rests on.
HOW: dict[Rests, str] = {
    "samples": "paired by problem",
    "figures": "not paired, so wider than it needs to be",
    "trainings": "over trainings alone, so of these questions only",
}
UNPAIRED: dict[Rests, str] = {"samples": "", "figures": ", not paired", "trainings": ", over trainings alone"}
# What a sentence on a set of the run's own adds, since nothing of it was held out.
OWN = {table.TRAIN_SET: "these problems are trained on", DEV: "rounds and arms may be chosen by these problems"}


@dataclass(frozen=True)
class Samples:
    """The evaluation that a figure is of.

    Attributes:
        metrics: what `metrics.summarise` gave.
        reader, k: the figure is pass@k by this reader.
    """

    metrics: Metrics
    reader: Reader
    k: int


@dataclass(frozen=True)
class Further:
    """One figure of one round.

    Attributes:
        of: the set of problems, the benchmark or the command.
        name: of the figure, e.g. `pass@1 strict`.
        key: its column in a table of plain numbers.
        value: a share, or whatever the command measures.
        interval: None: the command gives neither a standard error nor a count.
        confidence: of the intervals, e.g. 0.95.
        gain: over the base model; None: it is the base model, or not measured there.
        rests: what the intervals rest on: samples by problem; a command's figures, each with an interval of its own;
            or, over several trainings, their figures alone.
        benchmark: whether it is of a benchmark or a command, on which a run may forget something.
        doubtful: whether samples of it or of the base model could not be judged.
        samples: None: a command's figure.
        measured_as: equal where the same was measured in the same way.
    """

    of: str
    name: str
    key: str
    value: float
    interval: Interval | None
    confidence: float
    gain: Interval | None = None
    rests: Rests = "samples"
    benchmark: bool = True
    doubtful: bool = False
    samples: Samples | None = None
    measured_as: str = ""

    @property
    def title(self) -> str:
        """The figure and what it is of."""
        return f"{self.name} ({self.of})"

    @property
    def reader(self) -> Reader | None:
        """Whose verdicts it is of; None: a command's figure."""
        return self.samples.reader if self.samples else None

    @property
    def heading(self) -> str:
        """The heading of its column."""
        return self.title + (UNPAIRED[self.rests] if self.rests == "trainings" else "")

    @property
    def gain_heading(self) -> str:
        """The heading of its gain's column, which says if that is not paired by problem."""
        return self.title + UNPAIRED[self.rests]

    @property
    def shown(self) -> str:
        """The figure with its interval, as a person reads it."""
        if self.interval is None:
            return f"{self.value:.4g}"
        return self.interval.in_percent() if self.samples else _plain(self.interval, "")

    @property
    def gain_shown(self) -> str:
        """The gain with its interval; "" if there is none."""
        if self.gain is None:
            return ""
        return self.gain.in_points() if self.samples else _plain(self.gain, "+")

    @property
    def numbers(self) -> dict[str, str | float]:
        """Plain numbers by the name of their column."""
        found: dict[str, str | float] = {self.key: self.value}
        if self.interval is not None:
            found |= self.interval.columns(self.key)
        return found | (self.gain.columns(f"{self.key}_gain_over_baseline") if self.gain else {})


def _plain(one: Interval, sign: str) -> str:
    value, low, high = (format(end, f"{sign}.4g") for end in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"


def of_round(run: Run, round: int) -> dict[str, Further]:
    """The figures of a round beside those on the test split, by the heading of their column.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    stages = [one for one in run.stages() if one.round == round and one.which and run.done(one)]
    found: list[Further] = []
    for stage in stages:
        if stage.name == table.EVALUATE.name:
            found += _evaluated(run, stage)
        elif stage.name == table.COMMAND.name:
            found += _measured(run, stage)
    return {one.title: one for one in found}


def _evaluated(run: Run, stage: Stage) -> Iterable[Further]:
    settings, first = table.evaluation_settings(run.config, stage), Stage(0, stage.name, stage.which)
    metrics = run.figures(stage)
    before = run.figures(first) if stage.round and run.done(first) else None
    k = min(int(one) for one in metrics["strict"]["pass@k"])
    doubtful = any(doubts(one) for one in (metrics, before) if one)
    measured_as = _measured_as(run, stage)
    for reader in READERS:
        figure = Interval(**metrics[reader]["pass@k"][str(k)])
        yield Further(
            of=stage.which,
            name=f"pass@{k} {reader}",
            key=f"{stage.which}_{reader}_pass@{k}",
            value=figure.value,
            interval=figure,
            confidence=settings.confidence,
            gain=difference(metrics, before, reader, k, settings) if before else None,
            benchmark=stage.which in run.config.benchmarks,
            doubtful=doubtful,
            samples=Samples(metrics, reader, k),
            measured_as=measured_as,
        )


def _measured(run: Run, stage: Stage) -> Iterable[Further]:
    confidence, first = run.config.evaluate.confidence, Stage(0, stage.name, stage.which)
    before = run.results(first, Measured)["figures"] if stage.round and run.done(first) else {}
    for name, one in run.results(stage, Measured)["figures"].items():
        interval = measured.interval(one, confidence)
        other = measured.interval(before[name], confidence) if name in before else None
        yield Further(
            of=stage.which,
            name=name,
            key=f"{stage.which}_{name}",
            value=one["value"],
            interval=interval,
            confidence=confidence,
            gain=independent_difference(interval, other) if interval and other else None,
            rests="figures",
            measured_as=_measured_as(run, stage),
        )


def _measured_as(run: Run, stage: Stage) -> str:
    """What was measured and how, as a hash, which runs of one method may differ in; "" of the task's own sets."""
    if stage.name == table.COMMAND.name:
        return identity.digest(config.to_dict(run.config.commands[stage.which], runtime=False))
    prepared = run.record(table.benchmark(stage.which))
    return prepared.fingerprint if prepared else ""


def without_interval(found: Iterable[Further]) -> list[str]:
    """A line for each figure that has no interval."""
    return [
        f"{title} has no interval: its command gives neither a standard error above 0 nor a count of outcomes"
        for title in dict.fromkeys(one.title for one in found if one.interval is None)
    ]
