"""Which jobs some runs still need: those for stages that are not done, in a queue, or done by another run."""

from dataclasses import dataclass, field

from tpt.cluster import ledger
from tpt.cluster.graph import Job, jobs_of, report_job
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import GONE, State
from tpt.errors import TptError
from tpt.runs import shared, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.think import check_sampled


@dataclass(eq=False)
class Planned:
    """A job to submit.

    Attributes:
        run: whose job it is.
        job: what it does.
        after: what must have succeeded before it starts: jobs to submit, or ids of jobs already submitted.
        after_any: what must have ended before it starts, whether or not it succeeded.
    """

    run: Run
    job: Job
    after: "list[Planned | str]" = field(default_factory=list)
    after_any: "list[Planned | str]" = field(default_factory=list)


class Plan:
    """The jobs that some runs need, ordered so that each comes after those it waits for.

    Args:
        states: the state in SLURM of every job ever submitted for the runs and those they share stages with.

    Attributes:
        jobs: to be submitted.
        shared: the number of stages that another run does, or has done, for these.
        kept: jobs of earlier submissions that are still waiting or running.
    """

    def __init__(self, runs: list[Run], states: dict[str, State]) -> None:
        self.jobs: list[Planned] = []
        self.shared = 0
        self.kept: list[Submitted] = []
        self._states = states
        self._claimed: dict[str, Planned | str] = {}
        for run in runs:
            self._add(run)

    def _add(self, run: Run) -> None:
        producers: dict[Stage, Planned | str] = {}
        before = len(self.jobs)
        for stage in run.stages():
            spec = table.of(stage)
            remade = any(one in producers for one in run.inputs(stage))  # and then this stage may have to be, too
            if run.done(stage) and not remade:
                continue
            if shared.available(run, stage):
                self.shared += 1
                continue
            found = self._own(run, stage) or self._elsewhere(run, stage)
            if found is None and not spec.finishes and not remade and sampled(run, stage):
                continue  # the first stage that needs the samples writes the manifest
            producers[stage] = found or self._submit(run, stage, producers)
            if spec.shared:
                self._claimed[run.fingerprint(stage)] = producers[stage]
        entry = ledger.latest(run).get(report_job().name)
        reporting = entry is not None and self.live(entry)
        if len(self.jobs) > before or (producers and not reporting):
            needs = list(producers.values())
            # When `rounds=auto` stops, it cancels the jobs of later rounds, which must not cancel the report.
            auto = run.config.stop.auto
            self.jobs.append(Planned(run, report_job(), [] if auto else needs, needs if auto else []))
        elif entry and reporting:
            self.kept.append(entry)

    def _own(self, run: Run, stage: Stage) -> str | None:
        """The id of the run's own job that is going to complete a stage, if there is one and it has not failed."""
        latest = ledger.latest(run)
        entries = [latest[job.name] for job in jobs_of(run, stage) if job.name in latest]
        if not entries or len(entries) < len(jobs_of(run, stage)):
            return None
        if not self.live(entries[-1]) or any(self.failed(entry) for entry in entries):
            return None
        self.kept += [entry for entry in entries if self.live(entry)]
        return entries[-1].id

    def _elsewhere(self, run: Run, stage: Stage) -> Planned | str | None:
        """Another run's job that is going to complete the same stage."""
        found = self._claimed.get(run.fingerprint(stage)) if table.of(stage).shared else None
        owner = shared.owner(run, stage) if found is None else None
        if owner is not None:
            entry = ledger.latest(owner).get(jobs_of(owner, stage)[-1].name)
            found = entry.id if entry and self.live(entry) and not self.failed(entry) else None
        self.shared += found is not None
        return found

    def _submit(self, run: Run, stage: Stage, producers: dict[Stage, Planned | str]) -> Planned:
        needs = [producers[one] for one in run.inputs(stage) if one in producers]
        latest = ledger.latest(run)
        chosen = [job for job in jobs_of(run, stage) if needs or not (job.sampling and sampled(run, stage))]
        for job in chosen:
            # The remaining tasks of an array of which one has failed must not sample the same shards at the same time.
            rest = latest.get(job.name)
            still = [rest.id] if rest and self.live(rest) else []
            self.jobs.append(Planned(run, job, needs, list(still)))
            needs = [self.jobs[-1]]
        return self.jobs[-1]

    def live(self, entry: Submitted) -> bool:
        """Whether any task of a job is waiting or running."""
        return any(self._states.get(one, State(GONE)).live for one in entry.task_ids())

    def failed(self, entry: Submitted) -> bool:
        """Whether any task of a job has failed."""
        return any(self._states.get(one, State(GONE)).ended_badly for one in entry.task_ids())


def sampled(run: Run, stage: Stage) -> bool:
    """Whether all sample shards of a stage already exist."""
    if not table.of(stage).draws or not run.folder(stage).exists():
        return False
    try:
        check_sampled(run, stage)
    except (TptError, OSError):  # shards are missing, or the problems to sample
        return False
    return True
