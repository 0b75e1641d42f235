"""The evaluate stage: sample a set of problems, judge, and compute statistics."""

from typing import cast

from tpt import records
from tpt.artefacts import SAMPLES, Evaluated
from tpt.evaluate import store
from tpt.evaluate.metrics import doubts, summarise
from tpt.progress import Progress
from tpt.records import LIGHT, Sample, Verdict
from tpt.run import identity, table
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.stages.judge import judge
from tpt.stages.sharding import Worker
from tpt.stages.think import sample, summary

# Columns that the figures need; tokens are counted without making an object of each.
VERDICT = ("problem_id", "index", "status", "strict", "lenient", "rule", "strict_answer", "lenient_answer")


def evaluate(run: Run, stage: Stage, progress: Progress) -> Evaluated:
    """Write samples, verdicts and figures; the manifest holds those too, but for the counts of each problem."""
    folder = run.folder(stage)
    sample(run, stage, progress, Worker())
    verdicts = judge(run, stage, progress)
    samples = records.shards(folder, SAMPLES)
    drawn = summary(folder)
    metrics = summarise(
        records.read(samples, Sample, LIGHT),
        records.read(verdicts, Verdict, VERDICT),
        run.config.evaluate,
        identity.seed_of(table.of(stage), stage, run.config),
        tokens=drawn["tokens"],
    )
    store.save(folder, metrics)
    warnings = doubts(metrics)
    figures = drawn | {"metrics": store.headline(metrics)} | run.config.task.marks()
    return cast(Evaluated, figures | ({"warnings": warnings} if warnings else {}))
