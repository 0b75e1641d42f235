"""The prepare stage: find the model, write the problems, and check before hours are spent that they fit together."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import chat, checkpoint, files, models, prompt, records
from tpt.artefacts import CHECKPOINT, SET_ASIDE
from tpt.errors import ConfigError, DiskFull, ModelError
from tpt.progress import Progress
from tpt.records import Problem
from tpt.runs import shared, table
from tpt.runs.folder import Run
from tpt.runs.stage import Results, Stage
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SERVER
from tpt.settings.sampling import SampleConfig
from tpt.stages import serving, sets
from tpt.tasks.base import Split
from tpt.think.base import Draw
from tpt.think.engines import check_environments
from tpt.train import disk

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GIB = 2**30


def prepare(run: Run, stage: Stage, progress: Progress) -> Results:
    """Write each set of problems, and check model, problems, context and disk.

    Raises:
        ModelError: a model cannot be found, loaded, prompted or trained.
        DataError: the problems cannot be read, two sets share questions, or there are too few for a dev set.
        ConfigError: prompts and completions do not fit the model's context, or an environment cannot sample.
        DiskFull: the run would not fit on the disk.
    """
    config = run.config
    check_environments(config.sampler.python)
    from tpt.train.export import rehearse  # it needs torch

    counts, unusable = sets.write(run, progress)
    progress(1, 3, "checks", note="model")
    model_dir = models.locate(config.model)
    tokenizer = check_model(run, config.model, model_dir, trained=config.rounds > 0)
    warnings = rehearse(model_dir, run.folder(stage) / CHECKPOINT, config.model) if config.rounds else []
    results: dict[str, Any] = {"model_dir": str(model_dir.resolve()), "model": models.describe(model_dir), **counts}
    if terms := results["model"]["origin"].get("terms"):
        warnings.append(str(terms))
    if unusable:
        listed = run.folder(stage) / SET_ASIDE
        files.write_json(listed, unusable)
        results["set_aside"] = len(unusable)
        warnings.append(f"{len(unusable)} problems cannot be judged and are set aside: {listed}")
    _check_training(run, model_dir)
    results.update(run.config.task.marks())
    progress(2, 3, "checks", note="prompts")
    results.update(_check_prompts(run, model_dir, tokenizer, warnings))
    check_disk(run, model_dir)
    if warnings:
        results["warnings"] = warnings
    progress(3, 3, "checks")
    return results


def _check_prompts(
    run: Run, model_dir: Path, tokenizer: "PreTrainedTokenizerBase", warnings: list[str]
) -> dict[str, Any]:
    """Check every prompt against the context of the model that is to answer it.

    Args:
        warnings: to be added to.

    Returns:
        how long the longest test prompt is, where the teacher is, if there is one, and what a server offers.
    """
    config = run.config
    own = [name for name in config.evaluate.also if name not in (*config.benchmarks, *config.commands)]
    longest = {
        split: check_context(run, split, "evaluate", config.evaluate, config.model, model_dir, tokenizer)
        for split in (table.TEST, *own)
    }
    results: dict[str, Any] = {"prompt_tokens": longest[table.TEST]}
    if config.sampler.engine == SERVER:
        return results | _check_server(run, model_dir, tokenizer, max(longest.values()), warnings)
    thinking, folder = config.model, model_dir
    if config.think.teacher:
        thinking, folder = config.think.teacher, models.locate(config.think.teacher)
        results["teacher_dir"] = str(folder.resolve())
        tokenizer = check_model(run, thinking, folder, trained=False)
    check_context(run, table.TRAIN_SET, "think", config.think, thinking, folder, tokenizer)
    return results


def _check_server(
    run: Run, folder: Path, tokenizer: "PreTrainedTokenizerBase", longest: int, warnings: list[str]
) -> dict[str, Any]:
    """Check that the server of `sampler=server` has the model, and that the prompts fit its context.

    Args:
        folder, tokenizer: the base model's.
        longest: tokens of the longest prompt of an evaluation.
        warnings: to be added to.

    Returns:
        what the server offers, and where the teacher's tokenizer is, if it serves one.
    """
    config, teacher = run.config, run.config.think.teacher
    if teacher:
        folder, tokenizer = serving.tokenizer_of(teacher, folder)
    served = serving.look(config, tokenizer)
    warnings += serving.warnings(teacher or config.model, served, config.sampler.urls)
    if not teacher:
        serving.check_room(served, longest, config.evaluate.max_tokens, "evaluate")
        return {"served": served}
    if teacher.source != SERVER:
        longest = check_context(run, table.TRAIN_SET, "think", config.think, teacher, folder, tokenizer)
        serving.check_room(served, longest, config.think.max_tokens, "think")
    return {"served": served, "teacher_dir": str(folder.resolve())}


def check_model(run: Run, model: ModelConfig, folder: Path, trained: bool) -> "PreTrainedTokenizerBase":
    """Check that a checkpoint can be sampled from: its weights, its tokenizer and what ends a completion.

    Args:
        trained: whether the run trains it as well.

    Returns:
        its tokenizer.
    Raises:
        ModelError: naming what stands in the way.
        ConfigError: nothing ends the completions of its prompts.
    """
    quantization = checkpoint.quantization(folder)
    if quantization and trained:
        raise ModelError(
            f"{model.name} is quantised ({quantization}), and quantised weights cannot be fine-tuned",
            "give the checkpoint that is not quantised",
        )
    if quantization and run.config.sampler.local == "transformers":
        raise ModelError(
            f"{model.name} is quantised ({quantization}), which the transformers engine does not sample from",
            "give the checkpoint that is not quantised, or set sampler=vllm",
        )
    checkpoint.check_tensors(folder)
    tokenizer = checkpoint.load_tokenizer(folder)
    chat.check(tokenizer, model)
    prompt.check_examples(run.config.task, tokenizer, model)
    for settings in (run.config.think, run.config.evaluate):
        Draw.of(settings, run.config.task, model, tokenizer, folder)  # raises where nothing ends a completion
    return tokenizer


def check_context(
    run: Run,
    split: Split,
    section: str,
    settings: SampleConfig,
    model: ModelConfig,
    model_dir: Path,
    tokenizer: "PreTrainedTokenizerBase",
) -> int:
    """Check that every prompt of a split and its completion fit the model's context.

    Args:
        section: of the settings that say how long a completion may be.

    Returns:
        tokens of the longest prompt.
    Raises:
        ConfigError: naming the problems that do not fit, and how many there are.
    """
    context = models.context_length(model_dir, model)
    task = run.config.benchmarks[split].task if split in run.config.benchmarks else run.config.task
    lengths = {
        problem.id: len(prompt.render(problem, task, tokenizer, model))
        for problem in records.read(run.problems_path(split), Problem)
    }
    too_long = [name for name, length in lengths.items() if length + settings.max_tokens > context]
    if too_long:
        longest = max(lengths.values())
        raise ConfigError(
            f"{len(too_long)} of {len(lengths)} {split} prompts leave no room for {settings.max_tokens} new tokens in "
            f"{model.name}'s context of {context}: {', '.join(too_long[:3])}{', ...' if len(too_long) > 3 else ''} "
            f"(the longest prompt has {longest} tokens)",
            f"lower {section}.max_tokens or task.few_shot, or take a model with a longer context",
        )
    return max(lengths.values())


def check_disk(run: Run, model_dir: Path) -> None:
    """Check that the disk has room for what the rounds that are still to be trained will write.

    Raises:
        DiskFull: naming what is needed and what is free.
    """
    trainings = [stage for stage in run.stages() if table.of(stage).trains]
    owed = [stage for stage in trainings if not (run.done(stage) or shared.available(run, stage))]
    needed = disk.needed(model_dir, run.config.train, len(owed))
    needed -= sum(_size(run.folder(stage)) for stage in owed)  # checkpoints of one that was interrupted
    free = files.free_space(run.root.resolve())
    if needed > free:
        rounds = f"{len(owed)} round{'s' if len(owed) > 1 else ''}"
        raise DiskFull(
            f"{rounds} of {run.config.model.name} need about {needed / GIB:.1f} GiB more under {run.root}; "
            f"{free / GIB:.1f} GiB are free",
            "free some space, or set run_root= to a larger disk; train=lora needs less",
        )


def _size(folder: Path) -> int:
    """Bytes of a folder's files, of which a job may be removing some."""
    found = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += Path(parent, name).stat().st_size
    return found


def _check_training(run: Run, model_dir: Path) -> None:
    """Check what of the train settings depends on the model, where any is not the default."""
    settings = run.config.train
    if run.config.rounds and (settings.attention != "auto" or settings.lora.rank):
        from tpt.train import trained

        trained.check(model_dir, settings)
