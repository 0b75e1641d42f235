"""The jobs that were submitted for a run: `slurm/jobs.jsonl` in the run folder, one line for each submission."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tpt import artefacts, files
from tpt.runs import shared
from tpt.runs.folder import Run

NEEDS: files.Needs = {"job": str, "id": str, "workers": int}
UNKNOWN = "without it, only `squeue` and `scancel` know the run's jobs, but what is owed can be submitted again"


@dataclass(frozen=True)
class Submitted:
    """One submitted job.

    Attributes:
        job: `graph.Job.name`.
        id: SLURM's id; for an array, that of the whole array.
        workers: tasks of the array; 1: a plain job.
        needs: ids of the jobs it waits for.
        code: `snapshot.digest` of the code it runs.
        submitted: when.
        minutes: its time limit.
    """

    job: str
    id: str
    workers: int
    needs: list[str] = field(default_factory=list)
    code: str = ""
    submitted: str = ""
    minutes: int = 0

    def task_ids(self) -> list[str]:
        """SLURM's ids: one for each task of an array, or the single id of a plain job."""
        return [f"{self.id}_{task}" for task in range(self.workers)] if self.workers > 1 else [self.id]


def path(run: Run) -> Path:
    """The ledger of a run."""
    return run.slurm_dir / artefacts.JOBS


def add(run: Run, entry: Submitted) -> None:
    """Record a submission; called as soon as it has been made."""
    files.append_jsonl(path(run), asdict(entry))


def latest(run: Run) -> dict[str, Submitted]:
    """The last submission of each job of a run, by the job's name.

    Raises:
        Damaged: the ledger cannot be read.
    """
    return {entry.job: entry for entry in everything([run])}


def everything(runs: Iterable[Run]) -> list[Submitted]:
    """All submissions of some runs, the oldest of each run first.

    Raises:
        Damaged: a ledger cannot be read.
    """
    return [_entry(line) for run in runs for line in files.read_jsonl(path(run), NEEDS, UNKNOWN)]


def _entry(line: dict[str, Any]) -> Submitted:
    return Submitted(**{item.name: line[item.name] for item in fields(Submitted) if item.name in line})


def known_ids(runs: list[Run]) -> list[str]:
    """The ids of all jobs ever submitted for some runs and those they share stages with; arrays task by task."""
    owners = {run.root.resolve(): run for run in runs}
    for run in runs:
        for stage in run.stages():
            owner = None if run.done(stage) else shared.owner(run, stage)
            if owner is not None:
                owners.setdefault(owner.root.resolve(), owner)
    return [one for run in owners.values() for entry in latest(run).values() for one in entry.task_ids()]
