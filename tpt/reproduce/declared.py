"""The contrasts that an experiment declares, tested together; whatever else its table compares is exploratory."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tpt.errors import DataError
from tpt.evaluate.contrasts import At, Expect, Tested, examine
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import Figure, Reader, majorities
from tpt.evaluate.trainings import OverTrainings
from tpt.report.rows import Row, round_name
from tpt.report.trainings import compared
from tpt.reproduce.experiment import BASELINE, PAPER, Contrast
from tpt.reproduce.lines import Trained
from tpt.reproduce.paper import Paper


@dataclass(frozen=True)
class Found:
    """A declared contrast and what came of it.

    Attributes:
        contrast: as the experiment has it.
        what: which two things are compared, in words.
        measure: with its k.
        difference: in shares, over trainings if both sides have several.
        tested: with the others of its experiment.
        level: of the test.
    """

    contrast: Contrast
    what: str
    measure: str
    difference: OverTrainings
    tested: Tested
    level: float

    @property
    def outcome(self) -> str:
        """What came of the expectation, in words."""
        found = self.tested.outcome(self.level)
        if self.contrast.margin is None:
            return {"holds": "holds", "contradicted": "the contrary holds", "open": "not shown"}[found]
        return {"holds": "alike", "contradicted": "not alike", "open": "too few data to say"}[found]

    def cells(self) -> dict[str, str]:
        """As a line of a table."""
        margin = f" within {self.contrast.margin:g}" if self.contrast.margin else ""
        return {
            "contrast": self.what,
            "measure": f"{self.measure} {self.contrast.reader}",
            "expected": self.contrast.expect + margin,
            "difference": self.difference.interval.in_points(),
            "trainings": str(self.difference.trainings),
            "p": _p(self.tested.p),
            "p, Holm": _p(self.tested.holm),
            "outcome": self.outcome,
        }

    def sentence(self) -> str:
        """What it shows: of a method if there are several trainings, else of checkpoints."""
        count = self.difference.trainings
        whom = "these checkpoints" if count == 1 else f"the method, {count} trainings"
        expected = self.cells()["expected"]
        points = self.difference.interval.in_points()
        return (
            f"declared, {whom}: {self.what}: {self.measure} {self.contrast.reader} expected {expected}: {self.outcome} "
            f"({points} points, Holm p {_p(self.tested.holm)})"
        )


@dataclass(frozen=True)
class _Sides:
    """What a contrast compares."""

    contrast: Contrast
    what: str
    figure: Figure
    k: int
    after: list[Row]
    before: list[Row]
    arm: Trained
    minus: float = 0.0

    @property
    def same(self) -> bool:
        """Whether both sides are of the same trainings."""
        return self.contrast.against in (self.contrast.arm, BASELINE, PAPER)

    def at(self, confidence: float) -> OverTrainings:
        """The difference with its interval."""
        settings = dataclasses.replace(self.arm.runs[0].config.evaluate, confidence=confidence)
        reader = cast(Reader, self.contrast.reader)
        found = compared(self.after, self.before, reader, self.k, settings, self.same, self.figure)
        one = found.interval
        shifted = Interval(one.value - self.minus, one.low - self.minus, one.high - self.minus)
        return dataclasses.replace(found, interval=shifted)

    def interval(self, confidence: float) -> Interval:
        """The interval alone."""
        return self.at(confidence).interval


def examined(contrasts: Sequence[Contrast], arms: Mapping[str, Trained], paper: Paper | None) -> list[Found]:
    """Test the contrasts whose arms have results at this scale.

    Args:
        paper: the paper's figures, at paper scale; None leaves out what is compared with them.
    """
    found = [sides for one in contrasts if (sides := _sides(one, arms, paper))]
    tests: list[tuple[At, Expect, float]] = [
        (one.interval, cast(Expect, one.contrast.expect), (one.contrast.margin or 0) / 100) for one in found
    ]
    return [
        Found(
            one.contrast,
            one.what,
            one.figure.replace("@k", f"@{one.k}"),
            one.at(confidence := one.arm.runs[0].config.evaluate.confidence),
            tested,
            1 - confidence,
        )
        for one, tested in zip(found, examine(tests), strict=True)
    ]


def _sides(contrast: Contrast, arms: Mapping[str, Trained], paper: Paper | None) -> _Sides | None:
    """None if a side is not there, or the two are of different problems."""
    arm = arms.get(contrast.arm)
    after = arm.at(contrast.round) if arm else []
    if not arm or not after:
        return None
    own = _named(arm, after[0], contrast.round)
    minus = 0.0
    if contrast.against in (BASELINE, PAPER):
        before, what = arm.baselines(after), f"{own} against the baseline"
        if contrast.against == PAPER:
            gain = paper.gain(contrast.arm, after[0].round) if paper else None
            if gain is None:
                return None
            minus, what = gain / 100, f"{own}: the gain against the paper's, {gain:+.1f}"
    else:
        other = arms.get(contrast.against)
        round = contrast.round if contrast.against_round is None else contrast.against_round
        before = other.at(round) if other else []
        what = f"{own} against {_named(other, before[0], round)}" if other and before else ""
    figure: Figure = "maj@k" if contrast.measure.startswith("maj") else "pass@k"
    k = _k(contrast, figure, after[0], before)
    sides = _Sides(contrast, what, figure, k, after, before, arm, minus) if before and k else None
    return sides if sides and _comparable(sides) else None


def _named(arm: Trained, row: Row, round: int | None) -> str:
    return arm.label if round is None else f"{arm.label}, {round_name(row.round)}"


def _k(contrast: Contrast, figure: Figure, row: Row, before: Sequence[Row]) -> int:
    """The k of a measure; 0 if one side does not have it."""
    reader = cast(Reader, contrast.reader)
    have = [set(one.ks) if figure == "pass@k" else majorities(one.metrics, reader) for one in (row, *before[:1])]
    known = set.intersection(*have) if before else set()
    wanted = contrast.measure.partition("@")[2]
    k = max(known, default=0) if wanted == "k" else int(wanted)
    return k if k in known else 0


def _comparable(sides: _Sides) -> bool:
    try:
        sides.at(0.95)
    except DataError:
        return False
    return True


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
