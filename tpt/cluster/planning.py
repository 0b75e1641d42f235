"""Which jobs a set of runs still needs: what is done, at work, or shared with another run is not asked for again."""

from dataclasses import dataclass, field

from tpt.cluster import ledger
from tpt.cluster.graph import Job, jobs_of, report_job
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import GONE, State
from tpt.errors import TptError
from tpt.run import shared, table
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.stages.think import check_sampled


@dataclass(eq=False)
class Planned:
    """A job to submit.

    Attributes:
        run: whose job it is.
        job: what it does.
        after: what must have ended well before it starts: jobs to submit, or ids of jobs at work.
        after_any: what must have ended before it starts, however.
    """

    run: Run
    job: Job
    after: "list[Planned | str]" = field(default_factory=list)
    after_any: "list[Planned | str]" = field(default_factory=list)


class Plan:
    """The jobs that some runs need, in an order in which each comes after those it waits for.

    Args:
        states: SLURM's word on every job that the runs, and those they share stages with, were ever given.

    Attributes:
        jobs: what is to be submitted.
        shared: how many stages another run does, or has done, for these.
        kept: jobs of earlier submissions that are still at work.
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
            found = self._at_work(run, stage) or self._elsewhere(run, stage)
            if found is None and not spec.finishes and not remade and sampled(run, stage):
                continue  # whoever needs the samples first writes the manifest
            producers[stage] = found or self._submit(run, stage, producers)
            if spec.shared:
                self._claimed[run.fingerprint(stage)] = producers[stage]
        entry = ledger.latest(run).get(report_job().name)
        reporting = entry is not None and self.live(entry)
        if len(self.jobs) > before or (producers and not reporting):
            needs = list(producers.values())
            # Where `rounds=auto` stops, it cancels the jobs of later rounds, and the report is not to go with them.
            auto = run.config.stop.auto
            self.jobs.append(Planned(run, report_job(), [] if auto else needs, needs if auto else []))
        elif entry and reporting:
            self.kept.append(entry)

    def _at_work(self, run: Run, stage: Stage) -> str | None:
        """The id of the run's own job that will complete a stage, if it is still to be counted on."""
        latest = ledger.latest(run)
        entries = [latest[job.name] for job in jobs_of(run, stage) if job.name in latest]
        if not entries or len(entries) < len(jobs_of(run, stage)):
            return None
        if not self.live(entries[-1]) or any(self.failed(entry) for entry in entries):
            return None
        self.kept += [entry for entry in entries if self.live(entry)]
        return entries[-1].id

    def _elsewhere(self, run: Run, stage: Stage) -> Planned | str | None:
        """Another run's job that will complete this very stage."""
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
            # What is left of an array of which a task has failed must not sample the same shards at the same time.
            rest = latest.get(job.name)
            still = [rest.id] if rest and self.live(rest) else []
            self.jobs.append(Planned(run, job, needs, list(still)))
            needs = [self.jobs[-1]]
        return self.jobs[-1]

    def live(self, entry: Submitted) -> bool:
        """Whether any task of a job waits or runs."""
        return any(self._states.get(one, State(GONE)).live for one in entry.task_ids())

    def failed(self, entry: Submitted) -> bool:
        """Whether any task of a job has ended otherwise than well."""
        return any(self._states.get(one, State(GONE)).ended_badly for one in entry.task_ids())


def sampled(run: Run, stage: Stage) -> bool:
    """Whether all sample shards of a stage are there already."""
    if not table.of(stage).draws or not run.folder(stage).exists():
        return False
    try:
        check_sampled(run, stage)
    except (TptError, OSError):  # shards, or the problems to sample, are missing
        return False
    return True
