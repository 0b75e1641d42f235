"""What an experiment's table says, in sentences that claim no more than the intervals do."""

from collections.abc import Container, Sequence

from tpt.evaluate.intervals import Interval
from tpt.report.sentences import EXPLORATORY, further_in_words, gain_in_words
from tpt.reproduce.experiment import BASELINE
from tpt.reproduce.lines import Line

Pairs = Container[tuple[str, str]]


def sentences(lines: Sequence[Line], declared: Pairs = ()) -> list[str]:
    """One or more for the last line of each arm; the table has the other rounds.

    Args:
        declared: pairs of an arm and what its pass@1 was to be compared with; any other comparison is exploratory.
    """
    last = {line.arm: line for line in lines if line.arm}
    return [one for line in last.values() for one in _of_line(line, declared)]


def _of_line(line: Line, declared: Pairs) -> list[str]:
    def kind(against: str | None) -> str:
        return "" if (line.arm, against) in declared else EXPLORATORY

    said = [f"{kind(BASELINE)}{line.label}: {gain_in_words(line.row)}"] if line.gain else []
    k = line.row.ks[0]
    if line.against:
        both = line.differences[k]
        name = f"{kind(line.other)}{line.label} against {line.against}, {_whose(line)}: pass@{k} strict"
        said.append(f"{name} {_compared(both['strict'])}; lenient {both['lenient'].in_points()}")
    return said + [f"{EXPLORATORY}{line.label}: {one}" for one, _ in further_in_words(line.row)]


def _whose(line: Line) -> str:
    return "these checkpoints" if line.trainings == 1 else f"the methods, {line.trainings} trainings"


def _compared(difference: Interval) -> str:
    found = difference.in_points()
    return {
        1: f"is higher: {found} points",
        -1: f"is lower: {found} points",
        0: f"does not differ by more than the interval: {found} points",
    }[difference.direction]
