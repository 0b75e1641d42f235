"""The evaluate stage on samples that are there already."""

from collections.abc import Callable

import pytest

from tpt import checkpoint, records
from tpt.artefacts import SAMPLES
from tpt.progress import Progress
from tpt.records import Problem, Sample
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.runs.table import PREPARED
from tpt.settings.config import Config
from tpt.stages.evaluate import evaluate
from tpt.stages.prepare import prepare

BASELINE = Stage(0, "evaluate")


@pytest.mark.parametrize(("thoughts", "share"), [(["", ""], 0.0), (["<think>One and one.</think>", ""], 0.5)])
def test_the_tokens_spent_thinking_are_counted_where_a_sample_thinks(
    tiny_config: Callable[..., Config], thoughts: list[str], share: float
) -> None:
    run = Run.create(tiny_config("task.test_size=2", "evaluate.samples_per_problem=1", "evaluate.ks=[1]"))
    run.finish(PREPARED, prepare(run, PREPARED, Progress()), 0.0)
    tokenizer = checkpoint.load_tokenizer(run.model(0))
    problems = list(records.read(run.problems_path("test"), Problem))
    samples = []
    for problem, thought in zip(problems, thoughts, strict=True):
        text = f"{thought}#### {problem.gold}"
        ids = tokenizer.encode(text, add_special_tokens=False)
        samples.append(Sample(problem.id, 0, [1], ids, text, "stop"))
    records.write(records.shard_path(run.folder(BASELINE), SAMPLES, 0), Sample, samples)

    metrics = evaluate(run, BASELINE, Progress())["metrics"]

    assert metrics["strict"]["pass@k"]["1"]["value"] == 1.0, "what is thought is no part of the answer"
    spent = len(tokenizer.encode("<think>One and one.</think>", add_special_tokens=False))
    assert metrics.get("thinking_tokens", 0.0) == share * spent
