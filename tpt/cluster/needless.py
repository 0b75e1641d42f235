"""Jobs that `rounds=auto` turns out not to need: they are cancelled, and one that still starts does nothing.

All rounds up to the maximum are submitted at once, and a round may already have begun when the evaluation of the
previous one shows that it is not needed. A stage that another run waits for is done nevertheless.
"""

import logging

from tpt.cluster import ledger, slurm
from tpt.cluster.graph import jobs_of
from tpt.cluster.ledger import Submitted
from tpt.errors import ClusterError, RunError
from tpt.runs import shared, table
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

logger = logging.getLogger("tpt.cluster.needless")


def is_needed(run: Run, stage: Stage) -> bool:
    """Whether a submitted stage still has to be done, for its own run or for another one."""
    adopt_evaluations(run)
    return stage in run.stages() or _is_awaited(run, stage, _others(run))


def cancel(run: Run) -> None:
    """Cancel the jobs of the rounds that a run turns out not to need, except those that another run waits for."""
    adopt_evaluations(run)
    beyond = [stage for stage in table.stages_of(run.config, run.config.rounds) if stage not in run.stages()]
    others = _others(run) if beyond else []
    dropped = [stage for stage in beyond if not _is_awaited(run, stage, others)]
    entries = [entry for stage in dropped for entry in _jobs(run, stage)]
    try:
        states = slurm.states(one for entry in entries for one in entry.task_ids())
        live = {entry.id for entry in entries if any(states[one].live for one in entry.task_ids())}
        slurm.cancel(live)
    except ClusterError as error:
        logger.warning("%s; jobs that are no longer needed will end as soon as they start", error.message)
        return
    if live:
        logger.info("%d jobs were no longer needed and were cancelled: %s", len(live), ", ".join(sorted(live)))


def adopt_evaluations(run: Run) -> None:
    """Adopt the evaluations that other runs have done for this one: `rounds=auto` stops depending on them."""
    if not run.config.stop.auto:
        return
    for stage in run.stages():
        if table.of(stage).measures and shared.available(run, stage):
            with run.hold(stage):
                shared.adopt(run, stage)


def _others(run: Run) -> list[Run]:
    """The other runs under the same root."""
    found = []
    for folder in find(run.root.parent):
        try:
            found += [] if folder.resolve() == run.root.resolve() else [Run.open(folder)]
        except RunError:  # written by another version
            continue
    return found


def _is_awaited(run: Run, stage: Stage, others: list[Run]) -> bool:
    """Whether another run that still owes the same stage has a job that waits for this run's jobs."""
    ids = {entry.id for entry in _jobs(run, stage)}
    waiting = [other for other in others if ids & {need for one in ledger.latest(other).values() for need in one.needs}]
    same = run.fingerprint(stage)
    return any(other.fingerprint(one) == same for other in waiting for one in other.stages() if not other.done(one))


def _jobs(run: Run, stage: Stage) -> list[Submitted]:
    """The latest submissions of a stage's jobs."""
    latest = ledger.latest(run)
    return [latest[job.name] for job in jobs_of(run, stage) if job.name in latest]
