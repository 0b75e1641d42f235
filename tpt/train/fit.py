"""Fine-tuning from a checkpoint folder to a checkpoint folder."""

import json
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy, Strategy
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from tpt import files, interrupt, models, ranks
from tpt.artefacts import CHECKPOINT, CHECKPOINTS, STEPS, Trained
from tpt.checkpoint import load_causal_lm, load_tokenizer
from tpt.errors import ModelError, TptError
from tpt.hardware import cpu_has_bfloat16
from tpt.progress import Progress
from tpt.prompt import Decoder
from tpt.settings.model import AS_IT_IS, ModelConfig
from tpt.settings.train import TrainConfig
from tpt.train import checkpoints, sharded
from tpt.train.attention import packing, resolve
from tpt.train.data import ExampleModule, Examples
from tpt.train.export import export
from tpt.train.fused import fuse
from tpt.train.module import FineTuning
from tpt.train.trained import (
    FEW,
    adapt,
    adapted_share,
    every_weight_gets_a_gradient,
    freeze_beside_text,
    without_weights,
)


def fit(
    model_dir: Path,
    examples: Path,
    out: Path,
    settings: TrainConfig,
    seed: int,
    context: int,
    progress: Progress,
    prompted: ModelConfig = AS_IT_IS,
) -> Trained:
    """Fine-tune, continuing from the last checkpoint in `out` if there is one, and export to `out/model`.

    Args:
        model_dir: the checkpoint to start from.
        examples: parquet file of `records.Example`.
        out: the stage's folder; nothing is written outside it.
        seed: seed of the order of the examples, and of dropout.
        context: the model's context length, in tokens of prompt and completion.
        progress: called after each optimizer step.
        prompted: says how the model's prompts are written.

    Returns:
        what came of it; empty on every rank except 0.
    Raises:
        DataError: there is nothing to train on.
        ModelError: the checkpoint cannot be loaded.
        TptError: out of memory, a loss that is not a number, or an attention that this machine cannot train with.
        Interrupted: it was asked to stop and has saved a checkpoint.
    """
    models.check_folder(model_dir)
    if settings.attention == "flex" and not torch.cuda.is_available():
        raise TptError("train.attention=flex computes gradients only on a GPU", "set train.attention=auto")
    settings = replace(settings, precision=resolve_precision(settings.precision))
    pl.seed_everything(seed, verbose=False)
    decode = Decoder(load_tokenizer(model_dir)) if settings.thinking == "drop" else None
    rows = Examples(examples, settings.max_length or context, decode.without_thinking if decode else None)
    sharding = settings.strategy == "fsdp"
    model, merge = load(model_dir, settings)
    share = adapted_share(model) if settings.lora.rank else None
    how = packing(model, max(rows.lengths)) if settings.share_prefix else None
    data = ExampleModule(rows, settings, seed, _pad_id(model_dir), how)
    module = FineTuning(model, settings, data.steps_per_epoch, out / STEPS, model_dir if sharding else None, seed)
    started = time.monotonic()
    trainer = _trained(module, data, settings, out, progress)
    state = sharded.gather(module.model, keep=trainer.is_global_zero) if sharding else None
    if not trainer.is_global_zero:  # it does not wait until the model is written, which may outlast its time-out
        return cast(Trained, {})
    _export(module.model, merge, state, model_dir, out, prompted)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    seconds = time.monotonic() - started
    return _results(out, rows, settings, seconds, str(trainer.strategy.root_device), share)


def _pad_id(model_dir: Path) -> int:
    """The token id that fills up a batch; no label stands on it, so any will do."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    return next(one for one in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if one is not None)


def _trained(
    module: FineTuning, data: ExampleModule, settings: TrainConfig, out: Path, progress: Progress
) -> pl.Trainer:
    """Train to the last step, from the newest checkpoint in `out` on.

    Raises:
        TptError: the GPU ran out of memory.
        KeyboardInterrupt: Lightning was interrupted.
    """
    checkpoint = checkpoints.newest(out / CHECKPOINTS, sharded=settings.strategy == "fsdp")
    _resume(out, checkpoint, data)
    steps = _Steps(progress, checkpoint, out / CHECKPOINTS, settings.checkpoint_every)
    # `_resume` sets the loader to where the checkpoint was taken, which Lightning cannot know.
    warnings.filterwarnings(
        "ignore",
        message=".*(num_workers|LeafSpec|dataloader is not resumable|exists and is not empty|srun).*",
    )
    try:
        trainer = _trainer(settings, module.model, out, steps)
        trainer.fit(module, data, ckpt_path=str(checkpoint) if checkpoint else None, weights_only=False)
    except torch.cuda.OutOfMemoryError as error:
        raise TptError(
            "the GPU ran out of memory while training",
            "lower train.micro_batch, set train.gradient_checkpointing=true or train=lora "
            "(train.precision=bf16-true takes the least memory), or use train=fsdp on several GPUs",
        ) from error
    if trainer.interrupted or trainer.global_step < module.total_steps:
        raise KeyboardInterrupt  # Lightning ends an interrupted training as if it had finished
    return trainer


def resolve_precision(name: str) -> str:
    """What `train.precision` means here; `auto` is bf16-mixed if the GPU (without one, the CPU) has bfloat16."""
    if name != "auto":
        return name
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if cpu_has_bfloat16() else "32-true"


def load(model_dir: Path, settings: TrainConfig) -> tuple[PreTrainedModel, Callable[[], PreTrainedModel]]:
    """The model to train, with the precision, adapters and gradient checkpointing that `settings` specify.

    Returns:
        the model, and a function that returns the model to export after training, with adapters merged.
    Raises:
        ModelError: the folder contains no model that can be loaded.
    """
    dtype = torch.bfloat16 if settings.precision == "bf16-true" else torch.float32
    try:
        attention = resolve(settings.attention, AutoConfig.from_pretrained(model_dir))
        if settings.strategy == "fsdp":
            model: Any = without_weights(model_dir, dtype, attention)
        else:
            model = load_causal_lm(model_dir, dtype=dtype, attn_implementation=attention)
    except (OSError, ValueError) as error:
        raise ModelError(f"the model in {model_dir} cannot be loaded: {error}", "check the folder's files") from error
    model.config.use_cache = False
    freeze_beside_text(model)
    if settings.fused and settings.strategy != "fsdp":  # not tested with sharded weights yet
        fuse(model)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    if not settings.lora.rank:
        return model, lambda: model
    adapted = adapt(model, settings.lora)
    # The adapters are inside the model's own modules; their wrapper is needed only to merge them. In bfloat16 much of
    # what they learned would be rounded away.
    return adapted.get_base_model(), lambda: adapted.to("cpu", torch.float32).merge_and_unload()


class _Steps(Callback):
    """Reports the training's progress, writes its checkpoints, and stops it after a step if requested.

    Args:
        checkpoint: the checkpoint to continue from.
        folder: the folder with the checkpoints.
        every: optimizer steps between checkpoints.
    """

    def __init__(self, progress: Progress, checkpoint: Path | None, folder: Path, every: int) -> None:
        self.progress, self.checkpoint, self.folder, self.every = progress, checkpoint, folder, every
        self.started = time.monotonic()
        self.seen = -1

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        # Each rank has looked for it, and nodes may for a while see different files on a shared file system.
        agreed = trainer.strategy.broadcast(self.checkpoint)
        if agreed != self.checkpoint:
            raise TptError(
                f"rank 0 continues from {agreed}, but rank {trainer.global_rank} from {self.checkpoint}",
                "the nodes do not see the same files yet: give the same command again in a minute",
            )

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if interrupt.caught():
            interrupt.catch()  # Lightning has replaced our handler with its own, which communicates with other ranks

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, FineTuning)
        if not trainer.global_step or trainer.global_step == self.seen:
            return
        self.seen = trainer.global_step
        if trainer.is_global_zero:
            rate = trainer.global_step / (time.monotonic() - self.started)
            self.progress(trainer.global_step, module.total_steps, "steps", rate, "steps/s")
        # A signal reaches the ranks at different times, but all must stop at the same step.
        asked = trainer.strategy.reduce_boolean_decision(interrupt.requested(), all=False)
        stop = asked and self.seen < module.total_steps
        if stop or self.seen % self.every == 0:
            checkpoints.save(trainer, self.folder)
        if stop:
            raise interrupt.Interrupted


def _trainer(settings: TrainConfig, model: PreTrainedModel, out: Path, steps: Callback) -> pl.Trainer:
    # submitit's checkpoint() requeues; Lightning must not do that as well. And a shell inside some SLURM allocation is
    # no reason to take part in it.
    environment = SLURMEnvironment(auto_requeue=False) if ranks.by_srun() else LightningEnvironment()
    # A model loaded in bfloat16 stays as it is: Lightning's "bf16-true" would also round its rotary frequencies. A
    # sharded one is cast shard by shard.
    mixed = settings.precision == "bf16-mixed" and settings.strategy != "fsdp"
    return pl.Trainer(
        default_root_dir=out,
        max_epochs=-1 if settings.steps else settings.epochs,
        max_steps=settings.steps or -1,
        accumulate_grad_batches=settings.accumulate,
        precision="bf16-mixed" if mixed else "32-true",
        accelerator="auto",
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=_strategy(settings, model),
        plugins=[environment, *([] if settings.strategy == "fsdp" else [checkpoints.Single()])],
        callbacks=[steps],
        enable_checkpointing=False,  # `steps` does that
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _strategy(settings: TrainConfig, model: PreTrainedModel) -> Strategy | str:
    if settings.strategy == "fsdp":
        return sharded.strategy(settings)
    if settings.strategy == "ddp" or settings.ranks > 1:
        unused = not every_weight_gets_a_gradient(model)
        return DDPStrategy(find_unused_parameters=unused, timeout=timedelta(minutes=settings.timeout_minutes))
    return "auto"


def _resume(out: Path, checkpoint: Path | None, data: ExampleModule) -> None:
    """Set the data and the metrics back to where the checkpoint was taken: later steps are repeated."""
    state = (checkpoints.state(checkpoint) if checkpoint else None) or {"global_step": 0, "epoch": 0}
    data.resume_at = (state["epoch"], state["global_step"] - state["epoch"] * data.steps_per_epoch)
    if ranks.rank():
        return
    checkpoints.keep_only(checkpoint, out / CHECKPOINTS)
    lines = [line for line in files.read_jsonl(out / STEPS) if line["step"] < state["global_step"]]
    files.write_text(out / STEPS, "".join(json.dumps(line) + "\n" for line in lines))


def _export(
    trained: PreTrainedModel,
    merge: Callable[[], PreTrainedModel],
    state: dict[str, torch.Tensor] | None,
    model_dir: Path,
    out: Path,
    prompted: ModelConfig,
) -> None:
    """Write the trained model; `state`: its weights, if they were gathered from several ranks."""
    if state:
        model = without_weights(model_dir, next(iter(state.values())).dtype)
        model._weight_conversions = trained._weight_conversions
    else:
        model = merge()
    model.config.use_cache = True
    export(model, model_dir, out / CHECKPOINT, state or None, prompted)


def _results(
    out: Path, rows: Examples, settings: TrainConfig, seconds: float, device: str, share: float | None
) -> Trained:
    """What came of a training; `share`: of the weights, what adapters change; None if there are no adapters."""
    lines = list(files.read_jsonl(out / STEPS))
    tokens = sum(line["tokens"] for line in lines)
    found: Trained = {
        "steps": len(lines),
        "examples": len(rows),
        "examples_left_out": rows.left_out,
        "label_tokens": tokens,
        "first_loss": lines[0]["loss"],
        "final_loss": lines[-1]["loss"],
        "tokens_per_second": round(tokens / seconds, 1),
        "learning_rate": settings.learning_rate,
        "precision": settings.precision,
        "device": device,
    }
    if share is not None:
        found["adapted_share"] = round(share, 4)
        if share < FEW:
            found["warnings"] = [
                f"the adapters change {share:.0%} of the model's weights; layers that train.lora.targets leaves out "
                "and experts that peft does not support are not trained: train=full trains all"
            ]
    return found
