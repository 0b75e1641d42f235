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


def destination(run: Run, sampled: Stage) -> tuple[Path, bool]:
    """The folder of the verdicts on a stage's samples, and whether partial credit is asked for, see `Task.judge`."""
    if sampled.name == "think":
        return run.folder(Stage(sampled.round, "prune")), run.config.prune.mode == "soft_positive"
    return run.folder(sampled), False


def judge(run: Run, sampled: Stage, progress: Progress) -> list[Path]:
    """Write a verdict shard for each sample shard of the stage `sampled` that has none yet.

    Returns:
        the verdict shards, in the order of the sample shards.
    """
    shards = records.shards(run.folder(sampled), think_stage.TABLE)
    problems = think_stage.problem_shards(run, think_stage.sampling(run, sampled))
    for number, (_, of_shard) in enumerate(zip(shards, problems, strict=True)):
        judge_shard(run, sampled, number, of_shard)
        progress(number + 1, len(shards), "shards judged")
    return [records.shard_path(destination(run, sampled)[0], TABLE, number) for number in range(len(shards))]


def judge_shard(run: Run, sampled: Stage, number: int, problems: list[Problem]) -> bool:
    """Write the verdict shard of a sample shard, if it is not there, or the samples were drawn again since.

    Args:
        problems: the shard's.

    Returns:
        whether it was written.
    """
    folder, partial = destination(run, sampled)
    path = records.shard_path(folder, TABLE, number)
    samples = records.shard_path(run.folder(sampled), think_stage.TABLE, number)
    if records.is_whole(path) and path.stat().st_mtime_ns >= samples.stat().st_mtime_ns:
        return False
    by_id = {problem.id: problem for problem in problems}
    records.write(path, Verdict, run.config.task.judge(_pairs(by_id, samples), partial))
    return True


def _pairs(problems: dict[str, Problem], path: Path) -> Iterator[tuple[Problem, Sample]]:
    for sample in records.read(path, Sample, records.LIGHT):
        yield problems[sample.problem_id], sample
