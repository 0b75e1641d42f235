"""The prune stage: judge the round's samples and draw the training examples."""

import dataclasses
from pathlib import Path
from typing import Any

from tpt import prompt, records
from tpt.judge.stage import judge
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.prune.prune import prune
from tpt.prune.sources import Encode, Inputs
from tpt.records import Problem
from tpt.run import Run
from tpt.think import stage as think_stage


def prune_round(run: Run, stage: Stage, progress: Progress) -> dict[str, Any]:
    """Write verdict shards and `examples.parquet`; the manifest holds what was available and what was kept.

    Raises:
        EmptyPrune: nothing was kept; samples and verdicts stay.
    """
    thought, folder = Stage(stage.round, "think"), run.folder(stage)
    verdicts = judge(run, thought, progress)
    inputs = Inputs(
        samples=records.shards(run.folder(thought), think_stage.TABLE),
        verdicts=verdicts,
        problems=run.problems_path("train"),
        encode=_encoder(run),
        foreign=run.config.think.teacher is not None,
        test=run.problems_path("test"),
    )
    if run.config.prune.accumulate and stage.round > 1:
        inputs.earlier = run.folder(Stage(stage.round - 1, "prune")) / "examples.parquet"
    if run.config.prune.from_run:
        other = Run.open(Path(run.config.prune.from_run).expanduser())
        pruned = [one for one in other.stages() if one.name == "prune" and other.done(one)]
        inputs.other_examples = [other.folder(one) / "examples.parquet" for one in pruned]
        inputs.other_problems = other.problems_path("train")
    counts = prune(inputs, run.config.prune, stage.round, run.seed(stage), folder / "examples.parquet")
    return dataclasses.asdict(counts) | {"kept_by_source": dict(counts.kept_by_source)} | run.config.task.marks()


def _encoder(run: Run) -> Encode:
    """Tokens of a solution that the model in training did not sample; its tokenizer is loaded when first needed."""
    loaded: list[tuple[Any, int]] = []

    def encode(problem: Problem, text: str) -> tuple[list[int], list[int]]:
        if not loaded:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(run.base_model())
            loaded.append((tokenizer, prompt.end_ids(tokenizer, run.base_model())[0]))
        tokenizer, end_id = loaded[0]
        return prompt.render(problem, run.config.task, tokenizer), prompt.encode_completion(text, tokenizer, end_id)

    return encode
