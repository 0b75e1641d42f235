"""What a report says in words: sentences that claim no more than their intervals do."""

from collections.abc import Container, Iterator

from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS
from tpt.report.further import HOW, OWN, Further
from tpt.report.rows import Row

ONE_TRAINING = (
    "Sentences on a checkpoint are of that one alone: one training says nothing about how much another would gain. "
    "Several do: `{}`"
)
EXPLORATORY = "exploratory, "
EXPLORATORY_NOTE = (
    "What is exploratory was not declared before the runs: each interval stands for itself, and where there are many, "
    "some lie beside 0 by chance alone"
)
ALONE = "so the gain may be one of format alone"


def gain_in_words(row: Row) -> str:
    """The paired gain over the baseline as a sentence that claims no more than the intervals do.

    A gain that only the strict reader sees may be one of format alone, so the lenient reader's always stands beside it.
    """
    strict, lenient = (row.gains["baseline"][reader][row.ks[0]] for reader in READERS)
    what = f"pass@{row.ks[0]} strict"
    over = f"{strict.in_points()} points over the baseline"
    if row.unjudged:
        unjudged = "samples of it or of the baseline could not be judged"
        return f"{where(row)}: {unjudged}, so {what} says nothing of a gain: {over}"
    beside = f"lenient {lenient.in_points()}"
    beside += "" if row.spread is None else f"; trainings differ by {100 * row.spread:.1f} points (sd)"
    if strict.direction > 0 and lenient.direction <= 0:
        beside += f", {ALONE}"
    return f"{where(row)}: {_said(what, strict, over)}; {beside}"


def further_in_words(row: Row, known: Container[str] = ()) -> Iterator[tuple[str, int]]:
    """What was gained or lost on each further set, on each benchmark and by each command: a sentence and its direction.

    The strict reader's gain is said, with the lenient reader's beside it.

    Args:
        known: titles of figures that other sentences speak of.
    """
    leniently = {one.of: one for one in row.further.values() if one.reader == "lenient"}
    for one in row.further.values():
        if one.gain and one.reader != "lenient" and one.title not in known:
            words = _of_further(one, one.gain, leniently.get(one.of))
            yield f"{where(row)}: {words}", 0 if one.doubtful else one.gain.direction


def where(row: Row) -> str:
    """Of which checkpoint, or of which method, a sentence is."""
    name = f"{row.label}: {row.name}" if row.label else row.name
    of = ", this checkpoint" if row.trainings == 1 else f", this method over {row.trainings} trainings"
    return name + of


def _of_further(one: Further, gain: Interval, lenient: Further | None) -> str:
    over = f"{one.gain_shown}{' points' if one.samples else ''} over the baseline, {HOW[one.rests]}"
    if one.doubtful:
        return f"{one.title}: samples could not be judged, so it says nothing of a change: {over}"
    said = [_said(one.title, gain, over)]
    if lenient and lenient.gain:
        said.append(f"lenient {lenient.gain_shown}")
        if gain.direction > 0 and lenient.gain.direction <= 0:
            said[-1] += f", {ALONE}"
    own = "" if one.benchmark else OWN.get(one.of, "")
    return "; ".join([*said, *([own] if own else [])])


def _said(what: str, gain: Interval, over: str) -> str:
    """Whether a figure rose or fell, or neither can be told; `over` has the gain with its interval."""
    return {
        1: f"{what} rose by {over}",
        -1: f"{what} FELL: {over}",
        0: f"no change in {what} that can be told from noise: {over}",
    }[gain.direction]
