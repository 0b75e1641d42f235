"""Recognising a stage that meets its time limit again and again without any progress, so that its job is given up."""

from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

STALLS = 3  # time limits in a row without any progress, after which a job is not requeued again
# SLURM may announce a limit this much early; an attempt at less than half of a very short limit counts for little.
EARLY_SECONDS, EARLY_STALL = 60, 0.25


class Stalls:
    """Counts the attempts in a row that have met their time limit without any progress.

    Args:
        minutes: the time limit of an attempt.
        grace: seconds that a stage is given to stop.

    Attributes:
        attempts: how many there are.
        mark: `progress_mark` at the end of the latest attempt.
    """

    def __init__(self, minutes: int, grace: float) -> None:
        self.minutes, self.grace = minutes, grace
        self.mark: list[str] | None = None
        self.attempts = 0
        self._weight = 0.0

    def count(self, mark: list[str], seconds: float) -> bool:
        """Count an attempt that has ended.

        Args:
            mark: `progress_mark` at its end.
            seconds: how long it took.

        Returns:
            whether the stage is to be given up.
        """
        weight = self._weight_of(seconds)
        if weight and mark == self.mark:
            self._weight, self.attempts = self._weight + weight, self.attempts + 1
        else:
            self._weight, self.attempts = 0.0, 0
        self.mark = mark
        return self._weight >= STALLS

    def _weight_of(self, seconds: float) -> float:
        """How much an attempt counts as one that has met its time limit; 0: it was preempted."""
        if seconds > 30 * self.minutes:
            return 1.0
        return EARLY_STALL if seconds > 60 * self.minutes - 2 * self.grace - EARLY_SECONDS else 0.0


def progress_mark(run: Run, stage: Stage) -> list[str]:
    """The files by which a stage's progress is recognised, as its spec declares them: other files mean progress."""
    folder = run.folder(stage)
    return sorted(path.name for pattern in table.of(stage).progress_files for path in folder.glob(pattern))
