"""How many rounds a run has: a number, or, with `rounds=auto`, as many as its evaluations call for."""

import contextlib
import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from tpt import files
from tpt.artefacts import Metrics
from tpt.errors import Damaged
from tpt.evaluate.stop import Stop, model_name, rule
from tpt.settings import config
from tpt.settings.config import Config

if TYPE_CHECKING:
    from tpt.evaluate.intervals import Interval
    from tpt.evaluate.metrics import Reader


class Evaluations(Protocol):
    """What is needed of a run to say where it stops."""

    def __hash__(self) -> int:
        """As every object has one."""

    config: Config

    @property
    def stopped_path(self) -> Path:
        """Where the decision is written down."""

    @property
    def rounds(self) -> int:
        """How many rounds there are, as far as is known."""

    def evaluated(self, round: int) -> int | None:
        """When a round's evaluation was written, in nanoseconds; None: it is not done."""

    def evaluation(self, round: int) -> Metrics:
        """All figures of a finished evaluation."""


def stopped(run: Evaluations) -> Stop | None:
    """Where and why a run stops, from its evaluations; None: that is not known yet, or the number is fixed.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    if not run.config.stop.auto:
        return None
    with contextlib.suppress(Damaged):  # the evaluations say the same, if more slowly
        found = files.read_json(run.stopped_path, {"after": int, "take": int, "reason": str, "basis": dict})
        if found["basis"] == _basis(run, found["after"]):
            return Stop(found["after"], found["take"], found["reason"])
    evaluated = 0
    while run.evaluated(0) and run.evaluated(evaluated + 1):
        evaluated += 1
    return rule(evaluated, lambda after, before: _gain(run, after, before), run.config.stop)


def record(run: Evaluations) -> None:
    """Write down where and why a run stopped, if it has; the caller holds the folder, or its books."""
    stop = stopped(run)
    if stop:
        files.write_json(run.stopped_path, dataclasses.asdict(stop) | {"basis": _basis(run, stop.after)})
    elif run.config.stop.auto:
        run.stopped_path.unlink(missing_ok=True)  # other settings once stopped where these go on


def in_words(run: Evaluations) -> str:
    """What `rounds=auto` does with a run, in a sentence; "" if the number of rounds is fixed."""
    settings, stop = run.config.stop, stopped(run)
    if not settings.auto:
        return ""
    figure = f"pass@{min(run.config.evaluate.ks)} {settings.reader}"
    if stop is None:
        few = "a round" if settings.patience == 1 else f"{settings.patience} rounds in a row"
        return f"rounds=auto: up to {run.rounds} rounds; stops after {few} without a clear gain in {figure}"
    ended = "stopped" if run.rounds == stop.after else "would have stopped"
    best = f"the last with a clear gain in {figure}" if stop.take else f"no round gained clearly in {figure}"
    return f"rounds=auto {ended} after round {stop.after}: {stop.reason}. Take {model_name(stop.take)}: {best}"


def _basis(run: Evaluations, after: int) -> dict[str, Any]:
    """What a decision rests on: a record of one that rests on something else counts for nothing."""
    settings = config.to_dict(run.config.stop)
    del settings["least"]  # says how many rounds are done, not where the rule stops
    return {"stop": settings, "evaluations": [run.evaluated(round) for round in range(after + 1)]}


def _gain(run: Evaluations, after: int, before: int) -> "Interval":
    return _difference(run, after, before, (run.evaluated(after), run.evaluated(before)))


@lru_cache(maxsize=128)
def _difference(run: Evaluations, after: int, before: int, written: tuple[int | None, int | None]) -> "Interval":
    """As the report computes it, but only once: every listing of a run's stages needs it."""
    from tpt.evaluate.metrics import difference  # slow to import; a decision that is written down needs none of it

    reader, settings = cast("Reader", run.config.stop.reader), run.config.evaluate
    metrics = run.evaluation(after), run.evaluation(before)
    return difference(*metrics, reader, min(settings.ks), settings)
