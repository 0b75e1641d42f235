"""The jobs that a run's stages become on a cluster, and which of them wait for which; independent of SLURM.

Algorithm 1 is a chain, but nothing waits for an evaluation: the next round thinks while this one is evaluated.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

REPORT = "report"
CPU = "cpu"  # the section of `cluster.*` for jobs without GPUs


@dataclass(frozen=True)
class Job:
    """One job, or one job array, of a run.

    Attributes:
        name: unique within the run, e.g. `round-01-think`.
        stage: whose work it does; None: the report.
        kind: the section of `cluster.*` with the resources that it requests.
        workers: tasks of the job array; 1: a plain job.
        sampling: whether it only writes sample shards, and another job finishes the stage.
        finishing: whether it finishes a stage whose shards other jobs have sampled.
    """

    name: str
    stage: Stage | None
    kind: str
    workers: int = 1
    sampling: bool = False
    finishing: bool = False

    @property
    def trains(self) -> bool:
        """Whether it has a task for each device of a training."""
        return self.stage is not None and table.of(self.stage).trains

    @property
    def label(self) -> str | None:
        """The label of its log, if that is not the number of the worker."""
        return table.of(self.stage).finishes if self.stage and self.finishing else None


def jobs_of(run: Run, stage: Stage) -> list[Job]:
    """The jobs of one stage, in order; the last one completes it.

    A think stage ends with its job array: the first stage that needs its samples writes the manifest, which takes
    seconds. An evaluation is judged by a job of its own, so that no GPU waits for the judge.
    """
    spec = table.of(stage)
    if not spec.draws:
        return [Job(stage.slug, stage, spec.resources)]
    sampling = Job(stage.slug, stage, spec.resources, run.config.sampler.data_parallel, sampling=True)
    if not spec.finishes:
        return [sampling]
    finishing = replace(stage, name=spec.finishes)
    return [sampling, Job(finishing.slug, stage, CPU, finishing=True)]


def report_job() -> Job:
    """The last job of a run: it adopts what other runs have done for this one, and writes tables and figures."""
    return Job(REPORT, None, CPU)


def graph(run: Run, stages: Iterable[Stage]) -> list[tuple[Job, list[Job]]]:
    """The jobs of some stages and of the report, ordered so that each comes after those it needs.

    Returns:
        (job, the jobs among them that it waits for).
    """
    found: list[tuple[Job, list[Job]]] = []
    last: dict[Stage, Job] = {}
    for stage in stages:
        needs = [last[one] for one in run.inputs(stage) if one in last]
        for job in jobs_of(run, stage):
            found.append((job, needs))
            needs = [job]
        last[stage] = needs[0]
    return [*found, (report_job(), list(last.values()))]
