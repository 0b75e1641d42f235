"""A finished run whose files follow from one another, made by the stages themselves without sampling or training.

Texts are made up, and a "trained" checkpoint is a copy of the base model with one weight changed; all else (prompts,
verdicts, examples, figures, manifests) is what the stages make of it. `made_run` makes larger runs, whose files do not
follow from one another.
"""

import random
import shutil
from pathlib import Path

from tpt import files, models, prompt, records
from tpt.artefacts import CHECKPOINT, ENGINE, SAMPLES
from tpt.checkpoint import load_tokenizer
from tpt.progress import Progress
from tpt.records import Example, Problem, Sample
from tpt.runs import books, table
from tpt.runs.folder import Run
from tpt.runs.stage import Results, Stage
from tpt.settings.config import Config
from tpt.stages import sets
from tpt.stages.evaluate import evaluate
from tpt.stages.judge import judge_round
from tpt.stages.prune import prune_round
from tpt.stages.sharding import problem_shards, samples_path
from tpt.stages.think import summary

SIZES = (
    *("task.train_size=9", "task.test_size=6", "think.samples_per_problem=4", "evaluate.samples_per_problem=2"),
    *("prune=ground_truth", "prune.per_problem=2", "prune.examples=10", "sampler.shard_size=4", "rounds=2"),
)
SILENT = Progress()
ENGINE_SAID = {
    "engine": "by hand",
    "version": "1",
    "device": "cpu",
    "dtype": "float32",
    "rows": 1,
    "determinism": "made up, from a seed",
    "python": "python3",
    "tokens": 1,
    "start_seconds": 1.0,
    "sample_seconds": 1.0,
}


def honest_run(settings: Config, model: Path) -> Run:
    """A run of these settings on a small model.

    Args:
        model: the checkpoint of the base model.
    """
    run = Run.create(settings)
    counts, _ = sets.write(run, SILENT)
    described = {"model_dir": str(model), "model": models.describe(model), **counts, "prompt_tokens": 1}
    _finish(run, table.PREPARED, described)
    for stage in run.stages():
        if stage.name == "think":
            _sampled(run, stage, model)
            _finish(run, stage, summary(run.folder(stage)))
        elif stage.name == "evaluate":
            _sampled(run, stage, model)
            _finish(run, stage, evaluate(run, stage, SILENT))
        elif stage.name == "judge":
            _finish(run, stage, judge_round(run, stage, SILENT))
        elif stage.name == "prune":
            _finish(run, stage, prune_round(run, stage, SILENT))
        elif stage.name == "train":
            _finish(run, stage, _trained(run, stage, model))
    return run


def _finish(run: Run, stage: Stage, results: Results) -> None:
    run.begin(stage)
    run.finish(stage, results, 1.0)
    books.record(run, stage)


def _sampled(run: Run, stage: Stage, model: Path) -> None:
    run.begin(stage)
    draws, tokenizer = table.draws_of(run.config, stage), load_tokenizer(model)
    end = prompt.end_ids(tokenizer, model, draws.model)[0]
    rng = random.Random(str(stage))
    for number, problems in enumerate(problem_shards(run, stage)):
        samples = []
        for problem in problems:
            ids = prompt.render(problem, draws.task, tokenizer, draws.model)
            for index in range(draws.settings.samples_per_problem):
                text = _text(problem, rng)
                completion = tokenizer.encode(text, add_special_tokens=False)
                text = prompt.Decoder(tokenizer)(completion)
                samples.append(Sample(problem.id, index, ids, [*completion, end], text, "stop"))
        records.write(samples_path(run, stage, number), Sample, samples)
    files.write_json(run.folder(stage) / ENGINE.format(0), ENGINE_SAID)
    assert records.shards(run.folder(stage), SAMPLES)


def _text(problem: Problem, rng: random.Random) -> str:
    """A solution that is right, right for the lenient reader only, wrong, or none."""
    steps = f"I try it in {rng.randint(1, 3)} steps.\n"
    wrong = str(int(problem.gold) + rng.randint(1, 5))
    endings = (f"#### {problem.gold}", f"The answer is {problem.gold}.", f"#### {wrong}", "I do not know.")
    return steps + rng.choices(endings, (5, 2, 2, 1))[0]


def _trained(run: Run, stage: Stage, model: Path) -> Results:
    folder = run.folder(stage) / CHECKPOINT
    shutil.copytree(model, folder, dirs_exist_ok=True)
    weights = folder / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= stage.round
    weights.write_bytes(changed)
    examples = list(records.read(run.examples_path(stage.round), Example))
    tokens = sum(len(one.completion_ids) for one in examples)
    losses = {"first_loss": 1.0, "final_loss": 0.5}
    return {"steps": 5, "examples": len(examples), "examples_left_out": 0, "label_tokens": tokens, **losses}
