"""When `rounds=auto` stops: a rule over the gains of the rounds so far."""

from collections.abc import Callable
from dataclasses import dataclass

from tpt.evaluate.bootstrap import Interval
from tpt.settings.stop import StopConfig

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


def look_confidence(confidence: float, looks: int) -> float:
    """The confidence of the interval at each of several looks.

    A wrong gain is an interval that lies above 0 though nothing was gained: at one look its chance is half of what the
    interval leaves out. Bonferroni's inequality gives each look an equal part of the whole error, 1 - `confidence`.
    It holds however the looks depend on each other, as they do: all are on the same problems.

    Args:
        confidence: of the whole; the chance of a wrong gain at any look is at most 1 - `confidence`.
        looks: the most there can be.

    Returns:
        of two-sided intervals; at least `confidence`.
    """
    return 1 - 2 * (1 - confidence) / max(looks, 2)


def rule(evaluated: int, gain: Gain, settings: StopConfig) -> Stop | None:
    """Where to stop, given the evaluations of the rounds so far; later ones never change it.

    Each round is compared with the one that is to be taken so far, not with the one before it: a round that wins back
    what another lost has gained nothing.

    Args:
        evaluated: rounds 1 to `evaluated`, and the base model, are evaluated.
        gain: the paired gain of one round over an earlier one, as a difference of shares, with the interval of a look.
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
    over = f"{gain.in_points()} points over {model_name(take)}"
    if gain.high < 0:
        return f"round {number} fell: {over}"
    if gain.low <= 0:
        return f"round {number} gained {over}: the interval covers 0"
    if round(100 * gain.value, 9) < minimum:  # 29 problems of 100 are 29 points, and not a bit less
        return f"round {number} gained {over}: less than stop.minimum={minimum:g}"
    return ""


def model_name(round: int) -> str:
    """Which model that is to take, in words."""
    return f"round {round}" if round else "the base model"
