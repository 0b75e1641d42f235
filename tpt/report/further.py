"""What a round's model does on anything but the test split: further sets of problems, benchmarks, commands."""

from collections.abc import Iterable
from dataclasses import dataclass

from tpt.artefacts import Measured
from tpt.evaluate import measured
from tpt.evaluate.intervals import Interval, independent_difference
from tpt.evaluate.metrics import READERS, difference, doubts
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


@dataclass(frozen=True)
class Further:
    """One figure of one round.

    Attributes:
        of: the set of problems, the benchmark or the command.
        name: of the figure, e.g. `pass@1 strict`.
        key: its column in a table of plain numbers.
        value: a share, or whatever the command measures.
        interval: None: the command gives neither a standard error nor a count.
        gain: over the base model; None: it is the base model, or not measured there.
        paired: whether the gain is paired by problem.
        share: whether it is shown in percent, and its gain in points.
        benchmark: whether it is of a benchmark or a command, on which a run may forget something.
        doubtful: whether samples of it or of the base model could not be judged.
    """

    of: str
    name: str
    key: str
    value: float
    interval: Interval | None
    gain: Interval | None = None
    paired: bool = True
    share: bool = True
    benchmark: bool = True
    doubtful: bool = False

    @property
    def title(self) -> str:
        """The heading of its column."""
        return f"{self.name} ({self.of})"

    @property
    def shown(self) -> str:
        """The figure with its interval, as a person reads it."""
        if self.interval is None:
            return f"{self.value:.4g}"
        return self.interval.in_percent() if self.share else _plain(self.interval, "")

    @property
    def gain_shown(self) -> str:
        """The gain with its interval; "" if there is none."""
        if self.gain is None:
            return ""
        return self.gain.in_points() if self.share else _plain(self.gain, "+")

    @property
    def numbers(self) -> dict[str, str | float]:
        """Plain numbers by the name of their column."""
        found: dict[str, str | float] = {self.key: self.value}
        if self.interval is not None:
            found |= self.interval.columns(self.key)
        return found | (self.gain.columns(f"{self.key}_gain_over_baseline") if self.gain else {})

    @property
    def words(self) -> str:
        """The gain as a sentence without its subject, which claims no more than the interval does."""
        how = "paired by problem" if self.paired else "not paired, so wider than it need be"
        over = f"{self.gain_shown}{' points' if self.share else ''} over the baseline, {how}"
        if self.doubtful:
            return f"{self.title}: samples could not be judged, so it says nothing of a change: {over}"
        said = {
            1: f"{self.title} rose by {over}",
            -1: f"{self.title} FELL: {over}",
            0: f"no change in {self.title} that can be told from noise: {over}",
        }
        return said[self.gain.direction if self.gain else 0]


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
    for reader in READERS:
        figure = Interval(**metrics[reader]["pass@k"][str(k)])
        yield Further(
            of=stage.which,
            name=f"pass@{k} {reader}",
            key=f"{stage.which}_{reader}_pass@{k}",
            value=figure.value,
            interval=figure,
            gain=difference(metrics, before, reader, k, settings) if before else None,
            benchmark=stage.which in run.config.benchmarks,
            doubtful=doubtful,
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
            gain=independent_difference(interval, other) if interval and other else None,
            paired=False,
            share=False,
        )


def without_interval(found: Iterable[Further]) -> list[str]:
    """A line for each figure that has no interval."""
    return [
        f"{title} has no interval: its command gives neither a standard error above 0 nor a count of outcomes"
        for title in dict.fromkeys(one.title for one in found if one.interval is None)
    ]
