"""The judge stage, and the judging of any stage's samples, shard by shard."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.compute as pc

from tpt import artefacts, records
from tpt.artefacts import Judged
from tpt.progress import Progress
from tpt.prune.modes import UNJUDGED
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.sharding import problem_shards, samples_path


def judge_round(run: Run, stage: Stage, progress: Progress) -> Judged:
    """Write a verdict on each sample of the round; shards that were judged while others were sampled are kept."""
    paths = judge(run, Stage(stage.round, table.THINK.name), progress)
    return {**counted(paths), **run.config.task.marks()}


def verdicts_path(run: Run, sampled: Stage, shard: int) -> Path:
    """Where the verdicts on a shard of a stage's samples lie."""
    return records.shard_path(run.folder(table.judged_in(sampled)), artefacts.VERDICTS, shard)


def judge(run: Run, sampled: Stage, progress: Progress) -> list[Path]:
    """Write a verdict shard for each sample shard of the stage `sampled` that has none yet.

    Returns:
        the verdict shards, in the order of the sample shards.
    """
    shards = records.shards(run.folder(sampled), artefacts.SAMPLES)
    for number, (_, problems) in enumerate(zip(shards, problem_shards(run, sampled), strict=True)):
        judge_shard(run, sampled, number, problems)
        progress(number + 1, len(shards), "shards judged")
    return [verdicts_path(run, sampled, number) for number in range(len(shards))]


def judge_shard(run: Run, sampled: Stage, number: int, problems: list[Problem]) -> bool:
    """Write the verdict shard of a sample shard, if it is not there, or the samples were drawn again since.

    Args:
        problems: the shard's.

    Returns:
        whether it was written.
    """
    path, samples = verdicts_path(run, sampled, number), samples_path(run, sampled, number)
    if records.is_whole(path) and path.stat().st_mtime_ns >= samples.stat().st_mtime_ns:
        return False
    records.write(path, Verdict, verdicts_on(run, sampled, problems, samples))
    return True


def verdicts_on(run: Run, sampled: Stage, problems: list[Problem], samples: Path) -> Iterator[Verdict]:
    """What the judge says of the samples in one shard, in their order.

    Args:
        problems: the shard's.
    """
    partial = not table.of(sampled).measures and table.wants_partial_credit(run.config)
    by_id = {problem.id: problem for problem in problems}
    return iter(table.task_of(run.config, sampled).verdicts(_pairs(by_id, samples), partial))


def _pairs(problems: dict[str, Problem], path: Path) -> Iterator[tuple[Problem, Sample]]:
    for sample in records.read(path, Sample, records.LIGHT):
        yield problems[sample.problem_id], sample


def counted(paths: Sequence[Path]) -> Judged:
    """How many samples have which verdict, without an object for each.

    Args:
        paths: the verdict shards.
    """
    columns = [records.schema(Verdict).field(name) for name in ("status", "strict", "lenient")]
    said: dict[str, Counter[str]] = {field.name: Counter() for field in columns}
    for path in paths:
        shard = records.read_columns(path, columns)
        for name, found in said.items():
            found.update({one["values"]: one["counts"] for one in pc.value_counts(shard[name]).to_pylist()})
    return {
        "judged": said["status"].total(),
        "correct": said["strict"][Status.CORRECT],
        "lenient": said["lenient"][Status.CORRECT],
        "partial": said["status"][Status.PARTIAL],
        "unjudged": sum(said["status"][one] for one in UNJUDGED),
    }
