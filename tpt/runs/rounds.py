"""How many rounds a run has: a number, or, with `rounds=auto`, as many as its evaluations on the dev set call for."""

import contextlib
import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from tpt import files
from tpt.artefacts import Metrics
from tpt.errors import Damaged
from tpt.evaluate.stop import Stop, look_confidence, model_name, rule
from tpt.runs import table
from tpt.runs.stage import Stage
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

    def written(self, stage: Stage) -> int | None:
        """When a finished stage was written, in nanoseconds; None: it is not done."""

    def figures(self, stage: Stage) -> Metrics:
        """All figures of a finished evaluation."""


def stopped(run: Evaluations) -> Stop | None:
    """Where and why a run stops, from its evaluations; None: that is not known yet, or the number is fixed.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    if not run.config.stop.auto:
        return None
    with contextlib.suppress(Damaged):  # the evaluations say the same, if more slowly
        found = files.read_json(
            run.stopped_path, {"after": int, "clear": int, "take": int, "reason": str, "basis": dict}
        )
        if found["basis"] == _basis(run, found["after"]):
            return Stop(found["after"], found["clear"], found["take"], found["reason"])
    evaluated = 0
    while _written(run, 0) and _written(run, evaluated + 1):
        evaluated += 1
    return rule(evaluated, lambda after, before: _gain(run, after, before), run.config.stop)


def best(run: Evaluations, rounds: Sequence[int]) -> int | None:
    """The round with the highest figure on the dev set, the first of equals; None: one of them is not evaluated on it.

    Args:
        rounds: at least one.

    Raises:
        Damaged: figures of a finished evaluation cannot be read.
    """
    if not all(_written(run, round) for round in rounds):
        return None
    return max(rounds, key=lambda one: (dev_score(run, one), -one))


def dev_score(run: Evaluations, round: int) -> float:
    """What rounds and arms are chosen by: pass@k on the dev set, for the smallest k and `stop.reader`; a share."""
    figures = run.figures(table.choosing(round))[cast("Reader", run.config.stop.reader)]
    return figures["pass@k"][str(min(run.config.evaluate.ks))]["value"]


def figure_name(run: Evaluations) -> str:
    """The figure that rounds and arms are chosen by: `pass@1 strict`."""
    return f"pass@{min(run.config.evaluate.ks)} {run.config.stop.reader}"


def record(run: Evaluations) -> None:
    """Write down where and why a run stopped, if it has; the caller holds the folder, or its books."""
    stop = stopped(run)
    if stop:
        files.write_json(run.stopped_path, dataclasses.asdict(stop) | {"basis": _basis(run, stop.after)})
    elif run.config.stop.auto:
        run.stopped_path.unlink(missing_ok=True)  # other settings once stopped where these go on


def in_words(run: Evaluations) -> str:
    """What `rounds=auto` does with a run, in a sentence or two; "" if the number of rounds is fixed."""
    settings, stop = run.config.stop, stopped(run)
    if not settings.auto:
        return ""
    figure = f"{figure_name(run)} on dev"
    if stop is None:
        few = "a round" if settings.patience == 1 else f"{settings.patience} rounds in a row"
        return f"rounds=auto: up to {run.rounds} rounds; stops after {few} without a clear gain in {figure}"
    ended = "stopped" if run.rounds == stop.after else "would have stopped"
    best = f"the last with a clear gain in {figure}" if stop.take else f"no round gained clearly in {figure}"
    if stop.take != stop.clear:
        best = f"the highest in {figure} since round {stop.clear}, the last with a clear gain"
    return (
        f"rounds=auto {ended} after round {stop.after}: {stop.reason}. Take {model_name(stop.take)}: {best} "
        f"({100 * _confidence(run):.4g} % intervals). Chosen on dev, reported on test"
    )


def _written(run: Evaluations, round: int) -> int | None:
    return run.written(table.choosing(round))


def _confidence(run: Evaluations) -> float:
    return look_confidence(run.config.evaluate.confidence, run.config.stop.most)


def _basis(run: Evaluations, after: int) -> dict[str, Any]:
    """What a decision rests on: a record of one that rests on something else counts for nothing."""
    settings = config.to_dict(run.config.stop)
    del settings["least"]  # says how many rounds are done, not where the rule stops
    evaluations = [_written(run, round) for round in range(after + 1)]
    return {"stop": settings, "confidence": _confidence(run), "evaluations": evaluations}


def _gain(run: Evaluations, after: int, before: int) -> "Interval":
    return _difference(run, after, before, (_written(run, after), _written(run, before)))


@lru_cache(maxsize=128)
def _difference(run: Evaluations, after: int, before: int, written: tuple[int | None, int | None]) -> "Interval":
    """The gain with the interval of a look, computed once: every listing of a run's stages needs it."""
    from tpt.evaluate.metrics import difference  # slow to import; a decision that is written down needs none of it

    reader = cast("Reader", run.config.stop.reader)
    settings = dataclasses.replace(run.config.evaluate, confidence=_confidence(run))
    figures = run.figures(table.choosing(after)), run.figures(table.choosing(before))
    return difference(*figures, reader, min(settings.ks), settings)
