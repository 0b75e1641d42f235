"""Judging sample shards while others are still being sampled: next to an engine on a GPU, most CPU cores are idle.

It is a separate process from the one that samples: programs and answers are judged by processes anyway, and the engine
keeps its interpreter to itself. What it has not judged when sampling ends, the stage that needs the verdicts judges.
"""

import logging
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tpt import interrupt, logs, records
from tpt.hardware import has_gpu
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.judge import judge_shard
from tpt.stages.sharding import Worker, problem_shards, samples_path

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
ENGINE_CORES = 2  # left to the engine where there are more than twice as many


@contextmanager
def judging(run: Run, sampled: Stage, worker: Worker) -> Iterator[None]:
    """Have the shards that a worker samples in this block judged as they come, where `sampler.judge_early` says so.

    At the end of the block the shard in hand is judged to its end. What goes wrong with it is in the stage's log; the
    judge that comes after sampling will meet it too, and say so.
    """
    early = run.config.sampler.judge_early
    if not (has_gpu() if early is None else early):
        yield
        return
    words = [str(run.root), str(sampled), str(worker.index), str(worker.count)]
    child = subprocess.Popen([sys.executable, "-P", "-m", "tpt.stages.early", *words], stdin=subprocess.PIPE)
    assert child.stdin
    try:
        yield
    finally:
        child.stdin.close()
        if child.wait():
            logger.warning("shards were not judged while others were sampled; see above")


def judge_as_they_come(run: Run, sampled: Stage, worker: Worker, ended: Callable[[float], bool]) -> int:
    """Judge a worker's shards in order, each as soon as it is there.

    Args:
        ended: waits so many seconds for the end of sampling, and says whether it has come.

    Returns:
        how many shards it has judged.
    """
    judged = 0
    for number, problems in enumerate(problem_shards(run, sampled)):
        if not worker.takes(number):
            continue
        while not records.is_whole(samples_path(run, sampled, number)):
            if ended(POLL_SECONDS):
                return judged
        if ended(0):
            return judged
        judged += judge_shard(run, sampled, number, problems)
    return judged


def main(arguments: list[str]) -> None:
    """`RUN ROUND STAGE INDEX COUNT`, until standard input is closed."""
    interrupt.die_with_parent()
    logs.log_to_stderr()
    root, name, index, count = arguments
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 2 * ENGINE_CORES:
        os.sched_setaffinity(0, cores[ENGINE_CORES:])
    run, stage = Run.open(Path(root)), Stage.parse(name)
    run.begin(table.judged_in(stage))
    judged = judge_as_they_come(
        run, stage, Worker(int(index), int(count)), lambda seconds: bool(select.select([0], [], [], seconds)[0])
    )
    logger.info("%d shards of %s were judged while others were sampled", judged, stage)


if __name__ == "__main__":
    main(sys.argv[1:])
