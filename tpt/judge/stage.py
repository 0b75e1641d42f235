"""Judging the sample shards of a stage, shard by shard."""

from collections.abc import Iterator
from pathlib import Path

from tpt import records
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.records import Problem, Sample, Verdict
from tpt.run import Run
from tpt.think import stage as think_stage

TABLE = "verdicts"


def judge(run: Run, sampled: Stage, folder: Path, progress: Progress, partial: bool = False) -> list[Path]:
    """Write a verdict shard to `folder` for each sample shard of the stage `sampled`.

    Args:
        partial: whether partial credit is asked for, see `Task.judge`.

    Returns:
        the verdict shards, in the order of the sample shards.
    """
    shards = records.shards(run.folder(sampled), think_stage.TABLE)
    problems = think_stage.problem_shards(run, think_stage.sampling(run, sampled))
    paths = []
    for number, (path, of_shard) in enumerate(zip(shards, problems, strict=True)):
        paths.append(records.shard_path(folder, TABLE, number))
        if not records.is_whole(paths[-1]):
            by_id = {problem.id: problem for problem in of_shard}
            records.write(paths[-1], Verdict, run.config.task.judge(_pairs(by_id, path), partial))
        progress(number + 1, len(shards), "shards judged")
    return paths


def _pairs(problems: dict[str, Problem], path: Path) -> Iterator[tuple[Problem, Sample]]:
    for sample in records.read(path, Sample, records.LIGHT):
        yield problems[sample.problem_id], sample
