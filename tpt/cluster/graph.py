"""The jobs that a run's stages become on a cluster, and which of them wait for which. Knows no SLURM.

Algorithm 1 is a chain, but an evaluation keeps nobody waiting: the next round thinks while this one is evaluated.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tpt.loop import SAMPLED, Stage
from tpt.run import Run

REPORT = "report"
SCORE = "score"  # what finishes an evaluation


@dataclass(frozen=True)
class Job:
    """One job, or one job array, of a run.

    Attributes:
        name: unique within the run, e.g. `round-01-think`.
        stage: whose work it does; None: the report.
        kind: which resources it asks for: `cpu`, `think`, `train` or `evaluate` of `cluster.*`.
        workers: tasks of the job array; 1: a plain job.
        sampling: whether it only writes sample shards, and another job finishes the stage.
        finishing: whether it finishes a stage whose shards another job has sampled.
    """

    name: str
    stage: Stage | None
    kind: str
    workers: int = 1
    sampling: bool = False
    finishing: bool = False


def jobs_of(run: Run, stage: Stage) -> list[Job]:
    """The jobs of one stage, in order; the last one completes it.

    A think stage ends with its job array: whoever needs its samples first writes the manifest, which takes seconds.
    An evaluation is judged by a job of its own, so that no GPU waits for the judge.
    """
    name = f"round-{stage.round:02d}-{stage.name}"
    if stage.name not in SAMPLED:
        return [Job(name, stage, "train" if stage.name == "train" else "cpu")]
    sampling = Job(name, stage, stage.name, run.config.sampler.data_parallel, sampling=True)
    if stage.name == "think":
        return [sampling]
    return [sampling, Job(f"round-{stage.round:02d}-{SCORE}", stage, "cpu", finishing=True)]


def report_job() -> Job:
    """The job that ends a run: it takes over what other runs have done for it, and writes tables and figures."""
    return Job(REPORT, None, "cpu")


def graph(run: Run, stages: Iterable[Stage]) -> list[tuple[Job, list[Job]]]:
    """Each job of some stages and of the report, in an order in which it comes after those it needs.

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
