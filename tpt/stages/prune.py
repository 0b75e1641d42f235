"""The prune stage: draw the training examples from the round's judged samples."""

import dataclasses
from pathlib import Path
from typing import Any, cast

from tpt import prompt, records
from tpt.artefacts import EXAMPLES, SAMPLES, VERDICTS, Pruned
from tpt.progress import Progress
from tpt.prune.counts import PruneCounts
from tpt.prune.prune import prune
from tpt.prune.sources import Encode, Inputs
from tpt.records import Problem
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages import serving


def prune_round(run: Run, stage: Stage, progress: Progress) -> Pruned:
    """Write the examples; the manifest holds what was available and what was kept.

    Raises:
        EmptyPrune: nothing was kept; samples and verdicts stay.
    """
    inputs = inputs_of(run, stage)
    progress(0, 1, "draws")
    counts = prune(inputs, run.config.prune, stage.round, run.seed(stage), run.folder(stage) / EXAMPLES)
    progress(1, 1, "draws")
    return cast(Pruned, as_results(counts) | run.config.task.marks())


def inputs_of(run: Run, stage: Stage) -> Inputs:
    """The files that the pruning of a round reads.

    Raises:
        RunError: the run that `prune.from_run` names cannot be read.
    """
    thought, judged = (Stage(stage.round, spec.name) for spec in (table.THINK, table.JUDGE))
    inputs = Inputs(
        samples=records.shards(run.folder(thought), SAMPLES),
        verdicts=records.shards(run.folder(judged), VERDICTS),
        problems=run.problems_path(table.TRAIN_SET),
        encode=encoder(run),
        foreign=run.config.think.teacher is not None and not serving.is_own(run),
        evaluated=[run.problems_path(one) for one in table.evaluated_sets(run.config)],
    )
    if run.config.prune.accumulate and stage.round > 1:
        inputs.earlier = run.folder(Stage(stage.round - 1, stage.name)) / EXAMPLES
    if run.config.prune.from_run:
        other = Run.open(Path(run.config.prune.from_run).expanduser())
        pruned = [one for one in other.stages() if one.name == stage.name and other.done(one)]
        inputs.other_examples = [other.folder(one) / EXAMPLES for one in pruned]
        inputs.other_problems = other.problems_path(table.TRAIN_SET)
    return inputs


def as_results(counts: PruneCounts) -> Pruned:
    """What the manifest holds of what pruning found and kept."""
    return cast(Pruned, dataclasses.asdict(counts) | {"kept_by_source": dict(counts.kept_by_source)})


def encoder(run: Run) -> Encode:
    """Tokens of a solution that the model in training did not sample; its tokenizer is loaded when first needed."""
    loaded: list[tuple[Any, int]] = []
    model = run.config.model

    def encode(problem: Problem, text: str) -> tuple[list[int], list[int]]:
        if not loaded:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(run.base_model())
            loaded.append((tokenizer, prompt.end_ids(tokenizer, run.base_model(), model)[0]))
        tokenizer, end_id = loaded[0]
        prompt_ids = prompt.render(problem, run.config.task, tokenizer, model)
        return prompt_ids, prompt.encode_completion(text, tokenizer, end_id)

    return encode
