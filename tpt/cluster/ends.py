"""Why a job ended as it did, if its stage could not say: from its state in SLURM and the last line that it printed."""

import re
from pathlib import Path

from tpt.cluster import ledger, submitit_log
from tpt.cluster.graph import Job
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import GONE, State
from tpt.runs.folder import Run

JOB_LOGGER = "tpt.cluster.job"
BEGUN = f"{JOB_LOGGER} INFO"  # in the first line that a job logs, as soon as it can handle signals
# What to do about failures that only SLURM can report.
ADVICE = {
    "OUT_OF_MEMORY": "SLURM killed it for using too much memory: tpt resubmit RUN cluster.{kind}.memory_gb=...",
    "TIMEOUT": "it did not stop in time: tpt resubmit RUN cluster.signal_seconds=... cluster.{kind}.minutes=...",
    "NODE_FAIL": "its node failed: tpt resubmit RUN",
}
HOW = {
    "CANCELLED": "was cancelled",
    "FAILED": "failed",
    "NODE_FAIL": "lost its node",
    "OUT_OF_MEMORY": "ran out of memory",
    "TIMEOUT": "ran out of time",
}
TOO_SHORT = (
    "it reached its time limit of {minutes} min before it had started: tpt resubmit RUN cluster.{kind}.minutes=..."
)
NO_LOG = "it left no log; can its node write to {folder}?"
# Lines that say that something failed, but not what.
_NOISE = re.compile(
    rf"\s*$|{submitit_log.LINE.pattern}|srun: error: \S+: tasks? [\d,-]+: "
    r"|srun: (Terminating|Job step aborted|got SIG|forcing)"
)


def why(run: Run, job: Job, entry: Submitted, states: dict[str, State]) -> str:
    """Why a job failed, in one line; "" if it did not, or if the reason is not known.

    Args:
        states: of the jobs of the run and of the runs it shares stages with, by id.
    """
    bad = {one: states[one] for one in entry.task_ids() if one in states and states[one].ended_badly}
    if not bad:
        return _forgotten(run, entry, states)
    task, state = min(bad.items(), key=lambda item: item[1].state == "CANCELLED")
    if state.state == "CANCELLED":
        return _dependency(entry, {one.id: one for one in ledger.everything([run])}, states)
    printed, path = _log(run, task)
    if state.state == "TIMEOUT" and BEGUN not in printed.rpartition(submitit_log.REQUEUED)[2]:
        return TOO_SHORT.format(minutes=entry.minutes, kind=job.kind)
    if state.state in ADVICE:
        return ADVICE[state.state].format(kind=job.kind)
    line = _last_line(printed)
    return f"{line} ({path})" if line else NO_LOG.format(folder=run.slurm_dir)


def _forgotten(run: Run, entry: Submitted, states: dict[str, State]) -> str:
    """The last line of a job that SLURM no longer knows, for example because it keeps no accounting records."""
    for task in entry.task_ids():
        printed, path = _log(run, task) if states.get(task, State(GONE)).state == GONE else ("", None)
        if path and not printed.rstrip().endswith(submitit_log.ENDED_WELL):
            return f"{_last_line(printed)} ({path})"
    return ""


def _dependency(entry: Submitted, entries: dict[str, Submitted], states: dict[str, State]) -> str:
    """Which of the jobs that a cancelled one waited for caused it, the first in a chain; "" if none did."""
    for need in entry.needs:
        ends = [state for id, state in states.items() if id.split("_")[0] == need and state.ended_badly]
        if not ends:
            continue
        state = min(ends, key=lambda end: end.state == "CANCELLED").state
        known = entries.get(need)
        earlier = _dependency(known, entries, states) if known and state == "CANCELLED" else ""
        name = known.job if known else f"job {need}"
        return earlier or f"waited for {name}, which {HOW.get(state, f'ended with {state}')}"
    return ""


def _log(run: Run, task: str) -> tuple[str, Path | None]:
    """What a job, or a task of an array, printed, and the file; of several ranks, the first with more than noise."""
    # A cluster that was set up again numbers its jobs from 1 again, so the latest folder is the right one.
    paths = sorted(run.root.glob(f"slurm/*/{task}_*_log.out"), key=lambda path: (path.parent.name, path.name))
    paths = [path for path in paths if path.parent == paths[-1].parent and _rank(path, task) is not None]
    printed = {path: path.read_text(encoding="utf-8", errors="replace") for path in paths}
    for path, text in printed.items():
        if _last_line(text):
            return text, path
    return "", None


def _rank(path: Path, task: str) -> str | None:
    found = re.fullmatch(rf"{task}_(\d+)_log\.out", path.name)  # of 12 and not of 12_0
    return found[1] if found else None


def _last_line(printed: str) -> str:
    return next((line.strip() for line in reversed(printed.splitlines()) if not _NOISE.match(line)), "")
