"""One short round of SmolLM2-135M-Instruct: its settings, and what must be true of it afterwards."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tpt import records
from tpt.artefacts import Sampled
from tpt.judges.answer import judge_answer
from tpt.prompt import render
from tpt.records import Example, Problem, Sample, Status
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.model import AS_IT_IS

PROBLEMS, SAMPLES = 8, 4
SHORT = (
    f"task.train_size={PROBLEMS}",
    "task.test_size=4",
    "task.max_steps=1",
    f"think.samples_per_problem={SAMPLES}",
    "think.max_tokens=64",
    "evaluate.samples_per_problem=2",
    "evaluate.max_tokens=64",
    "evaluate.ks=[1,2]",
    "sampler.shard_size=4",
    "prune.warn_below=1",
    "train.batch_size=4",
    "train.epochs=2",
    "rounds=1",
)


def check(run: Run, engine: str, start: Path) -> None:
    """A model sampled with an engine learnt from exactly its own right samples.

    Args:
        start: the checkpoint that the run began with.
    """
    assert not run.owed()
    assert run.results(Stage(1, "think"), Sampled)["engines"][0]["engine"] == engine

    tokenizer = AutoTokenizer.from_pretrained(start)
    problems = {one.id: one for one in records.read(run.problems_path("train"), Problem)}
    shards = records.shards(run.folder(Stage(1, "think")), "samples")
    samples = {(one.problem_id, tuple(one.completion_ids)): one for one in records.read(shards, Sample)}
    assert sum(1 for _ in records.read(shards, Sample)) == PROBLEMS * SAMPLES

    examples = list(records.read(run.folder(Stage(1, "prune")) / "examples.parquet", Example))
    assert examples
    for one in examples:
        problem = problems[one.problem_id]
        sample = samples[one.problem_id, tuple(one.completion_ids)]  # the very tokens that were sampled
        assert judge_answer(gold=problem.gold, pred=one.text).strict is Status.CORRECT
        assert one.prompt_ids == sample.prompt_ids == render(problem, run.config.task, tokenizer, AS_IT_IS)
        assert one.completion_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(one.completion_ids, skip_special_tokens=True) == sample.text

    base, trained = (_mean_loss(folder, examples) for folder in (start, run.trained_model(1)))
    assert trained < base


def _mean_loss(model_dir: Path, examples: list[Example]) -> float:
    """Mean loss per example, in nats a token of the completion."""
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    losses = []
    for one in examples:
        ids = torch.tensor([one.prompt_ids + one.completion_ids])
        labels = ids.clone()
        labels[:, : len(one.prompt_ids)] = -100
        with torch.no_grad():
            losses.append(float(model(input_ids=ids, labels=labels).loss))
    return sum(losses) / len(losses)
