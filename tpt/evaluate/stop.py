"""When `rounds=auto` stops: a rule over the gains of the rounds so far, and what it says of a run."""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from tpt import config, files
from tpt.config import StopConfig
from tpt.errors import Damaged
from tpt.evaluate.bootstrap import Interval
from tpt.evaluate.metrics import Reader, difference
from tpt.loop import Stage

if TYPE_CHECKING:
    from tpt.run import Run

Gain = Callable[[int, int], Interval]


@dataclass(frozen=True)
class Stop:
    """Where `rounds=auto` stops.

    Attributes:
        after: the last round that it does.
        take: the round whose model to take: the last with a clear gain; 0: the base model.
        reason: why it stops, in words.
    """

    after: int
    take: int
    reason: str


def rule(evaluated: int, gain: Gain, settings: StopConfig) -> Stop | None:
    """Where to stop, given the evaluations of the rounds so far; later ones never change it.

    Each round is compared with the one that is to be taken so far, not with the one before it: a round that wins back
    what another lost has gained nothing.

    Args:
        evaluated: rounds 1 to `evaluated`, and the base model, are evaluated.
        gain: the paired gain of one round over an earlier one, as a difference of shares.
        settings: `stop.*`.

    Returns:
        None: there is to be another round.
    """
    take, without = 0, list[str]()
    for round in range(1, min(evaluated, settings.most) + 1):
        shortfall = _shortfall(round, take, gain(round, take), settings.minimum)
        take, without = (take, [*without, shortfall]) if shortfall else (round, [])
        if len(without) == settings.patience:
            return Stop(round, take, "; ".join(without))
    if evaluated < settings.most:
        return None
    return Stop(settings.most, take, f"stop.most={settings.most} rounds are done")


def _shortfall(number: int, take: int, gain: Interval, minimum: float) -> str:
    """What the gain of a round over the round to take lacks, in words; "": nothing."""
    over = f"{gain.in_points()} points over {_name(take)}"
    if gain.high < 0:
        return f"round {number} fell: {over}"
    if gain.low <= 0:
        return f"round {number} gained {over}: the interval covers 0"
    if round(100 * gain.value, 9) < minimum:  # 29 problems of 100 are 29 points, and not a bit less
        return f"round {number} gained {over}: less than stop.minimum={minimum:g}"
    return ""


def stopped(run: "Run") -> Stop | None:
    """Where and why a run of `rounds=auto` stops, from its evaluations; None: that is not known yet.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    with contextlib.suppress(Damaged):  # the evaluations say the same, if more slowly
        found = files.read_json(run.stopped_path, {"after": int, "take": int, "reason": str, "basis": dict})
        if found["basis"] == _basis(run, found["after"]):
            return Stop(found["after"], found["take"], found["reason"])
    evaluated = 0
    while _written(run, 0) and _written(run, evaluated + 1):
        evaluated += 1
    return rule(evaluated, lambda after, before: _gain(run, after, before), run.config.stop)


def record(run: "Run") -> None:
    """Write down in the run folder where and why `rounds=auto` stopped; the caller holds the folder, or its books."""
    stop = run.stopped()
    if stop:
        files.write_json(run.stopped_path, dataclasses.asdict(stop) | {"basis": _basis(run, stop.after)})
    elif run.config.stop.auto:
        run.stopped_path.unlink(missing_ok=True)  # other settings once stopped where these go on


def in_words(run: "Run") -> str:
    """What `rounds=auto` does with a run, in a sentence; "" where the number of rounds is fixed."""
    settings, stop = run.config.stop, run.stopped()
    if not settings.auto:
        return ""
    figure = f"pass@{min(run.config.evaluate.ks)} {settings.reader}"
    if stop is None:
        few = "a round" if settings.patience == 1 else f"{settings.patience} rounds in a row"
        return f"rounds=auto: up to {run.rounds} rounds; stops after {few} without a clear gain in {figure}"
    ended = "stopped" if run.rounds == stop.after else "would have stopped"
    best = f"the last with a clear gain in {figure}" if stop.take else f"no round gained clearly in {figure}"
    return f"rounds=auto {ended} after round {stop.after}: {stop.reason}. Take {_name(stop.take)}: {best}"


def _name(round: int) -> str:
    return f"round {round}" if round else "the base model"


def _written(run: "Run", round: int) -> int | None:
    """When a round's evaluation was written, in nanoseconds; None: it is not done."""
    stage = Stage(round, "evaluate")
    return run.manifest_path(stage).stat().st_mtime_ns if run.done(stage) else None


def _basis(run: "Run", after: int) -> dict[str, Any]:
    """What a decision rests on: a record of one that rests on something else counts for nothing."""
    settings = config.to_dict(run.config.stop)
    del settings["least"]  # says how many rounds are done, not where the rule stops
    return {"stop": settings, "evaluations": [_written(run, round) for round in range(after + 1)]}


def _gain(run: "Run", after: int, before: int) -> Interval:
    return _difference(run, after, before, (_written(run, after), _written(run, before)))


@lru_cache(maxsize=128)
def _difference(run: "Run", after: int, before: int, written: tuple[int | None, int | None]) -> Interval:
    """As the report's, and reckoned once: whoever asks for a run's stages asks for this."""
    reader, settings = cast(Reader, run.config.stop.reader), run.config.evaluate
    metrics = run.evaluation(after), run.evaluation(before)
    return difference(*metrics, reader, min(settings.ks), settings, run.config.seed)
