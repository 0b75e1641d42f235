"""When `rounds=auto` stops: a rule over the gains of the rounds so far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tpt.settings.stop import StopConfig

if TYPE_CHECKING:
    from tpt.evaluate.intervals import Interval

Gain = Callable[[int, int], "Interval"]


@dataclass(frozen=True)
class Stop:
    """Where `rounds=auto` stops.

    Attributes:
        after: the last round that it does.
        clear: the last round with a clear gain; 0: there was none.
        take: the round whose model to take: the highest since `clear`; 0: the base model, where none gained clearly.
        reason: why it stops, in words.
    """

    after: int
    clear: int
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

    Each round is compared with the last that gained clearly, not with the one before it: a round that wins back what
    another lost has gained nothing. Rounds after that one, none of which is clearly better, may still be higher, and
    the highest is taken: in simulations (`benchmarks/stopping.py`) that halves what is lost.

    Args:
        evaluated: rounds 1 to `evaluated`, and the base model, are evaluated.
        gain: the paired gain of one round over an earlier one, as a difference of shares, with the interval of a look.
        settings: `stop.*`.

    Returns:
        None: there is to be another round.
    """
    clear, take, highest, without = 0, 0, 0.0, list[str]()
    for round in range(1, min(evaluated, settings.most) + 1):
        over = gain(round, clear)
        shortfall = _shortfall(round, clear, over, settings.minimum)
        if not shortfall:
            clear, take, highest, without = round, round, 0.0, []
            continue
        without.append(shortfall)
        if clear and over.value > highest:
            take, highest = round, over.value
        if len(without) == settings.patience:
            return Stop(round, clear, take, "; ".join(without))
    if evaluated < settings.most:
        return None
    return Stop(settings.most, clear, take, f"stop.most={settings.most} rounds are done")


def _shortfall(number: int, clear: int, gain: "Interval", minimum: float) -> str:
    """What the gain of a round over the last that gained clearly lacks, in words; "": nothing."""
    over = f"{gain.in_points()} points over {model_name(clear)}"
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
