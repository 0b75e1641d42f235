"""The lines of an experiment's table: what was measured, what it is compared with, and what the paper has."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tpt.errors import DataError
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS, Reader, difference
from tpt.report.rows import Row, collect
from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.paper import Paper
from tpt.run import table
from tpt.run.folder import Run

Differences = dict[Reader, Interval]


@dataclass
class Line:
    """One evaluated round of an arm, or a baseline that the arms under it share.

    Attributes:
        arm: its name; "" of a baseline.
        label: what it is called.
        row: the figures.
        against: label of the arm that it is compared with; "" if there is none, or it has no such round.
        differences: from that arm's pass@k, by k, paired by problem.
        paper: the paper's figures in percent, if it has any.
        paper_gain: the paper's gain in pass@1 over its baseline, in points.
    """

    arm: str
    label: str
    row: Row
    against: str = ""
    differences: dict[int, Differences] = field(default_factory=dict)
    paper: dict[str, float] = field(default_factory=dict)
    paper_gain: float | None = None

    @property
    def gain(self) -> Interval | None:
        """Of pass@k for the smallest k, strict, over the baseline."""
        return (
            self.row.gains["baseline"]["strict"][self.row.ks[0]] if self.arm and "baseline" in self.row.gains else None
        )

    @property
    def beyond_paper(self) -> Interval | None:
        """How much larger the gain is than the paper's, which counts as exact."""
        if self.gain is None or self.paper_gain is None:
            return None
        paper = self.paper_gain / 100
        return Interval(self.gain.value - paper, self.gain.low - paper, self.gain.high - paper)

    def paper_cell(self, figure: str) -> str:
        """The paper's figure of a kind as a person reads it, e.g. of `pass@k`; "" if it has none."""
        large = [name for name in self.paper if name.startswith(figure[:-1]) and name != "pass@1"]
        if figure == "pass@1":
            return f"{self.paper['pass@1']:g}" if self.paper else ""
        return ", ".join(f"{self.paper[name]:g} (k={name.split('@')[1]})" for name in large)


def lines(arms: Sequence[PlannedArm], runs: dict[str, Run], rounds: str, paper: Paper | None) -> list[Line]:
    """The lines of the arms that have a label and an evaluated round.

    Args:
        runs: of the arms that have a run folder, by name.
        rounds: `all`, each compared with the same round of the other arm; or `last`: of each arm only the round whose
            model it ends with, compared with that of the other arm.
    """
    shown = [arm for arm in arms if arm.label and arm.name in runs]
    rows = {arm.name: {row.round: row for row in collect([runs[arm.name]])} for arm in shown}
    labels = {arm.name: arm.label for arm in shown}
    several_tasks = len({runs[arm.name].config.task.name for arm in shown}) > 1
    found: list[Line] = []
    baseline = ""
    for arm in shown:
        run, of_arm = runs[arm.name], rows[arm.name]
        if 0 in of_arm and run.fingerprint(table.evaluation(0)) != baseline:
            baseline = run.fingerprint(table.evaluation(0))
            name = run.config.model.name + (f", {run.config.task.name}" if several_tasks else "")
            found.append(Line("", name, of_arm[0], paper=paper.figures(arm.name, 0) if paper else {}))
        other = _shown(runs[arm.against], rows[arm.against], rounds) if arm.against in rows else []
        for row in _shown(run, of_arm, rounds):
            line = Line(arm.name, arm.label, row)
            reference = next((one for one in other if rounds == "last" or one.round == row.round), None)
            if reference and arm.against:
                line.differences = _differences(run, row, reference)
                line.against = labels[arm.against] if line.differences else ""
            if paper:
                line.paper, line.paper_gain = paper.figures(arm.name, row.round), paper.gain(arm.name, row.round)
            found.append(line)
    return found


def _shown(run: Run, rows: dict[int, Row], rounds: str) -> list[Row]:
    """The rows of an arm that are lines: of all trained rounds, or of the one whose model the arm ends with."""
    trained = [row for round, row in rows.items() if round]
    if rounds == "all":
        return trained
    end = run.stopped()  # rounds=auto ends with the last clear gain, which may be none at all
    return [rows[end.take]] if end else trained[-1:]


def _differences(run: Run, row: Row, reference: Row) -> dict[int, Differences]:
    """By k; empty if the two were evaluated on different problems."""
    settings = run.config.evaluate
    try:
        return {
            k: {reader: difference(row.metrics, reference.metrics, reader, k, settings) for reader in READERS}
            for k in row.ks
            if k in reference.ks
        }
    except DataError:
        return {}
