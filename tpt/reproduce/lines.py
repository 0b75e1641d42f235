"""The lines of an experiment's table: what was measured, what it is compared with, and what the paper has."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tpt.errors import DataError
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS, Reader
from tpt.report.rows import Row, collect
from tpt.report.trainings import compared, over_trainings
from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.paper import Paper
from tpt.runs import table
from tpt.runs.folder import Run

Differences = dict[Reader, Interval]


@dataclass
class Line:
    """One evaluated round of an arm, or a baseline that the arms under it share.

    Attributes:
        arm: its name; "" of a baseline.
        label: what it is called.
        row: the figures; of several trainings their means.
        against: label of the arm that it is compared with; "" if there is none, or it has no such round.
        other: the name of that arm.
        differences: from that arm's pass@k, by k, paired by problem.

        paper: the paper's figures in percent, if it has any.
        paper_gain: the paper's gain in pass@1 over its baseline, in points.
    """

    arm: str
    label: str
    row: Row
    against: str = ""
    other: str = ""
    differences: dict[int, Differences] = field(default_factory=dict)
    trainings: int = 1
    paper: dict[str, float] = field(default_factory=dict)
    paper_gain: float | None = None

    @property
    def gain(self) -> Interval | None:
        """Of pass@k for the smallest k, strict, over the baseline."""
        return (
            self.row.gains["baseline"]["strict"][self.row.ks[0]] if self.arm and "baseline" in self.row.gains else None
        )

    def paper_cell(self, figure: str) -> str:
        """The paper's figure of a kind as a person reads it, e.g. of `pass@k`; "" if it has none."""
        large = [name for name in self.paper if name.startswith(figure[:-1]) and name != "pass@1"]
        if figure == "pass@1":
            return f"{self.paper['pass@1']:g}" if self.paper else ""
        return ", ".join(f"{self.paper[name]:g} (k={name.split('@')[1]})" for name in large)


@dataclass
class Trained:
    """An arm with all its trainings.

    Attributes:
        name, label, against: see `PlannedArm`.
        runs: one for each training.
        rows: of each run, by round.
    """

    name: str
    label: str
    against: str | None
    runs: list[Run]
    rows: list[dict[int, Row]]

    def at(self, round: int | None) -> list[Row]:
        """The rows of a round, of those trainings that have reached it; None: of the round whose model each takes."""
        if round is not None:
            return [rows[round] for rows in self.rows if round in rows]
        ends = [(rows, _last(run, rows)) for run, rows in zip(self.runs, self.rows, strict=True)]
        return [rows[end] for rows, end in ends if end is not None]

    def baselines(self, rows: Sequence[Row]) -> list[Row]:
        """The baseline of the training that each of some rows belongs to; empty if one has none."""
        found = {one.root: of_run.get(0) for one in rows for of_run in self.rows if one in of_run.values()}
        known = [found[row.root] for row in rows]
        return [row for row in known if row] if all(known) else []

    def shown(self, rounds: str) -> Sequence[int | None]:
        """The rounds that are lines: all trained ones, or the last, which may be another one for each training."""
        if rounds == "last":
            return [None] if self.at(None) else []
        return sorted({round for rows in self.rows for round in rows if round})


def trained(arms: Sequence[PlannedArm], runs: dict[str, Run]) -> dict[str, Trained]:
    """The arms that have a label and an evaluated round, with their trainings, by name.

    Args:
        runs: of the arms and trainings that have a run folder, by name.
    """
    found: dict[str, Trained] = {}
    for arm in arms:
        if arm.label and arm.name in runs:
            rows = {row.round: row for row in collect([runs[arm.name]])}
            one = found.setdefault(arm.of, Trained(arm.of, arm.label, arm.against, [], []))
            one.runs.append(runs[arm.name])
            one.rows.append(rows)
    return found


def lines(arms: dict[str, Trained], rounds: str, paper: Paper | None) -> list[Line]:
    """The lines of some arms.

    Args:
        rounds: `all`, each compared with the same round of the other arm; or `last`: of each arm only the round whose
            model it ends with, compared with that of the other arm.
    """
    several_tasks = len({arm.runs[0].config.task.called for arm in arms.values()}) > 1
    found: list[Line] = []
    baseline = ""
    for arm in arms.values():
        run, base = arm.runs[0], arm.at(0)
        if base and run.fingerprint(table.evaluation(0)) != baseline:
            baseline = run.fingerprint(table.evaluation(0))
            name = run.config.model.name + (f", {run.config.task.called}" if several_tasks else "")
            found.append(Line("", name, base[0], paper=paper.figures(arm.name, 0) if paper else {}))
        found += [_line(arm, round, arms.get(arm.against or ""), paper) for round in arm.shown(rounds)]
    return found


def _line(arm: Trained, round: int | None, other: Trained | None, paper: Paper | None) -> Line:
    rows, settings = arm.at(round), arm.runs[0].config.evaluate
    line = Line(arm.name, arm.label, over_trainings(rows, arm.baselines(rows), settings))
    reference = other.at(round) if other else []
    if other and reference:
        line.differences = _differences(rows, reference, arm)
        line.against = other.label if line.differences else ""
        line.other = other.name
        line.trainings = min(len(rows), len(reference))
    if paper:
        at = line.row.round
        line.paper, line.paper_gain = paper.figures(arm.name, at), paper.gain(arm.name, at)
    return line


def _last(run: Run, rows: dict[int, Row]) -> int | None:
    """The round whose model a training ends with; `rounds=auto` ends with the last clear gain, which may be none."""
    end = run.stopped()
    return end.take if end else max((round for round in rows if round), default=None)


def _differences(rows: list[Row], reference: list[Row], arm: Trained) -> dict[int, Differences]:
    """By k; empty if the two were evaluated on different problems."""
    settings = arm.runs[0].config.evaluate
    try:
        return {
            k: {reader: compared(rows, reference, reader, k, settings, same=False).interval for reader in READERS}
            for k in rows[0].ks
            if k in reference[0].ks
        }
    except DataError:
        return {}
