"""The evaluate stage: sample the test split, judge, and make statistics of it."""

from typing import Any

from tpt import records
from tpt.evaluate import store
from tpt.evaluate.metrics import doubts, summarise
from tpt.judge.stage import judge
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.records import LIGHT, Sample, Verdict
from tpt.run import Run
from tpt.think import stage as think_stage

# Columns that the figures need; tokens are counted without making an object of each.
VERDICT = ("problem_id", "index", "status", "strict", "lenient", "rule", "strict_answer", "lenient_answer")


def evaluate(run: Run, stage: Stage, progress: Progress) -> dict[str, Any]:
    """Write samples, verdicts and figures; the manifest holds those too, but for the counts of each problem."""
    folder = run.folder(stage)
    think_stage.sample(run, stage, progress, think_stage.Worker())
    verdicts = judge(run, stage, progress)
    samples = records.shards(folder, think_stage.TABLE)
    summary = think_stage.summary(folder)
    metrics = summarise(
        records.read(samples, Sample, LIGHT),
        records.read(verdicts, Verdict, VERDICT),
        run.config.evaluate,
        run.config.seed,
        tokens=summary["tokens"],
    )
    store.save(folder, metrics)
    warnings = doubts(metrics)
    results = summary | {"metrics": store.headline(metrics)} | run.config.task.marks()
    return results | ({"warnings": warnings} if warnings else {})
