"""The evaluate stage: sample the test split, judge, and make statistics of it."""

from typing import Any

from tpt import files, records
from tpt.evaluate.metrics import summarise
from tpt.judge.stage import judge
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.records import Sample, Verdict
from tpt.run import Run
from tpt.think import stage as think_stage


def evaluate(run: Run, stage: Stage, progress: Progress) -> dict[str, Any]:
    """Write samples, verdicts and `metrics.json`; the manifest holds the figures without the per-problem counts."""
    folder = run.folder(stage)
    think_stage.sample(run, stage, progress, think_stage.Worker())
    verdicts = judge(run, stage, folder, progress)
    samples = records.shards(folder, think_stage.TABLE)
    columns = ["problem_id", "index", "completion_ids", "text", "finish_reason"]
    metrics = summarise(
        records.read(samples, Sample, columns), records.read(verdicts, Verdict), run.config.evaluate, run.config.seed
    )
    files.write_json(folder / "metrics.json", metrics)
    headline = {name: value for name, value in metrics.items() if name != "per_problem"}
    return think_stage.summary(folder) | {"metrics": headline} | run.config.task.marks()
