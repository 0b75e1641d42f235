"""Recording the finished stages of a run from its jobs, of which several may end at once."""

from tpt import tracking
from tpt.runs import books, rounds
from tpt.runs.folder import Run


def record_finished(run: Run) -> None:
    """Write every finished stage to metrics.jsonl and to the tracker; jobs of one run take turns."""
    with run.hold(), tracking.make(run.config.tracker, run) as tracker:
        rounds.record(run)
        for stage in run.stages():
            if run.done(stage):
                tracker.log(stage, books.record(run, stage))
