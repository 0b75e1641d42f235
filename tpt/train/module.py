"""Completion-only fine-tuning as a LightningModule."""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional
from transformers import PreTrainedModel

from tpt import files
from tpt.errors import TptError
from tpt.settings.train import TrainConfig
from tpt.train import sharded
from tpt.train.attention import mask
from tpt.train.data import Batch, StepBatch
from tpt.train.fused import fused_loss


class CompletionLoss(nn.Module):
    """A causal language model's loss on the labelled tokens of a batch.

    Args:
        model: with LoRA adapters, if they are used.
        fused: whether to compute the loss without ever holding all logits, if `tpt.train.fused` can.
    """

    def __init__(self, model: PreTrainedModel, fused: bool = True) -> None:
        super().__init__()
        self.model = model
        self._fused = fused_loss(model) if fused else None

    def forward(
        self, input_ids: Tensor, position_ids: Tensor | None, ends: Tensor | None, sources: Tensor, labels: Tensor
    ) -> Tensor:
        """Sum of the negative log-likelihoods of the labelled tokens, in nats; a scalar. See `collate`.

        Logits are computed only for labels: those of the prompt are never needed, and most of a batch is prompt. The
        model computes them itself, since some do more than multiply (gemma2 caps them, granite scales them).
        """
        kind = self.model.config._attn_implementation
        seen = None if ends is None else mask(ends, kind, self.model.dtype)
        given = {"input_ids": input_ids, "position_ids": position_ids, "attention_mask": seen, "use_cache": False}
        if self._fused:
            states = self.model.base_model(**given).last_hidden_state.flatten(0, 1)
            return self._fused(states[sources], labels)
        with self._projecting(sources):
            logits = self.model(**given).logits[0]
        return functional.cross_entropy(logits.float(), labels, reduction="sum")

    @contextmanager
    def _projecting(self, sources: Tensor) -> Iterator[None]:
        """In the block, the model projects only some of its hidden states to the vocabulary.

        Args:
            sources: their positions in the flattened rows.
        """
        head = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        hook = head.register_forward_pre_hook(lambda _, given: (given[0].flatten(0, 1)[sources][None],))
        try:
            yield
        finally:
            hook.remove()


class FineTuning(pl.LightningModule):
    """Cross-entropy on completion tokens; AdamW with warm-up and cosine or constant learning rate.

    Args:
        model: the causal language model, with LoRA adapters if they are used.
        settings: the train config.
        steps_per_epoch: optimizer steps in which every example is trained on once.
        metrics: JSONL file that gets a line per optimizer step.
        model_dir: where sharded training reads its weights; None if `model` has them.
        seed: seed of dropout.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        settings: TrainConfig,
        steps_per_epoch: int,
        metrics: Path,
        model_dir: Path | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.objective = CompletionLoss(model, settings.fused)
        self.seed = seed
        self.settings = settings
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = settings.steps or settings.epochs * steps_per_epoch
        self.metrics = metrics
        self._unread = model_dir
        self._nll = torch.zeros(())
        self._tokens = 0

    @property
    def model(self) -> PreTrainedModel:
        """The model being trained."""
        return self.objective.model

    def configure_model(self) -> None:
        """Shard the model and read its weights, if training is sharded."""
        if self._unread is not None and self.device_mesh is not None:
            mesh = self.device_mesh["data_parallel"]
            sharded.shard(self.objective, self.model, self._unread, mesh, self.settings)
            self._unread = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out weights that are not trained: with adapters that is most of the model, which has its own files."""
        for name in self._frozen():
            del checkpoint["state_dict"][name]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what `on_save_checkpoint` left out, and translate Lightning's count of micro-batches.

        A step may now be split up differently than when the checkpoint was taken.
        """
        if "state_dict" in checkpoint:
            checkpoint["state_dict"] |= self._frozen()
        in_epoch = checkpoint["global_step"] - checkpoint["epoch"] * self.steps_per_epoch
        done = in_epoch * self.settings.accumulate
        counts = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        difference = done - counts["current"]["processed"]
        for kind in ("current", "total"):
            for name in ("ready", "started", "processed", "completed"):
                counts[kind][name] += difference

    def _frozen(self) -> dict[str, Tensor]:
        """The weights that are not trained, by their names in checkpoints; {} if sharded, which keeps all of them."""
        if self.settings.strategy == "fsdp":
            return {}
        named = self.named_parameters(remove_duplicate=False)
        return {name: value.detach() for name, value in named if not value.requires_grad}

    def completion_nll(self, batch: Batch) -> Tensor:
        """See `CompletionLoss.forward`."""
        nll: Tensor = self.objective(**{name: one for name, one in batch.items() if name != "step_tokens"})
        return nll

    def training_step(self, batch: StepBatch, batch_idx: int) -> Tensor:
        """The micro-batch's share of the step's mean loss per token.

        Lightning divides by the number of accumulated batches, and DDP by the number of ranks; both are undone here,
        so that each token of the step has the same weight, however the step is split up.
        """
        self._seed_dropout(batch_idx)
        nll = self.completion_nll(batch)
        self._nll = self._nll.to(nll.device) + nll.detach()
        self._tokens = int(batch["step_tokens"])
        return nll * (self.settings.accumulate * self.trainer.world_size / self._tokens)

    def _seed_dropout(self, batch_idx: int) -> None:
        """Make dropout depend only on the seed and the micro-batch.

        This way an interrupted training continues bit for bit, without any generator's state in its checkpoint.
        """
        place = f"{self.seed} {self.current_epoch} {batch_idx} {self.global_rank}"
        seed = zlib.crc32(place.encode())
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient and record the step; the only place that waits for the GPU, once per step."""
        reduced = self.trainer.strategy.reduce(self._nll, reduce_op="sum")
        assert isinstance(reduced, Tensor)
        self._nll = torch.zeros_like(self._nll)
        norm = self._clip()
        loss = reduced.item() / self._tokens
        if not math.isfinite(loss):
            raise TptError(
                f"the training loss is {loss} at step {self.global_step}",
                "lower train.learning_rate, or set train.precision=32-true; the last checkpoint is kept",
            )
        if self.trainer.is_global_zero:
            line = {
                "step": self.global_step,
                "loss": loss,
                "learning_rate": optimizer.param_groups[0]["lr"],
                "gradient_norm": float(norm),
                "tokens": self._tokens,
            }
            files.append_jsonl(self.metrics, line)

    def _clip(self) -> Tensor:
        """Clip the gradient to `settings.clip` (0 for no clipping) and return its norm before that.

        Done here because Lightning refuses to clip sharded gradients.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.settings.clip or math.inf)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def configure_optimizers(self) -> Any:
        """AdamW over the trainable weights, and the learning rate's schedule by optimizer steps."""
        settings = self.settings
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        beta1, beta2 = settings.betas
        optimizer = torch.optim.AdamW(
            trainable,
            lr=settings.learning_rate,
            betas=(beta1, beta2),
            weight_decay=settings.weight_decay,
            fused=all(one.is_cuda for one in trainable)
            or None,  # reads memory only once; None leaves the choice to torch
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """The share of the peak learning rate at an optimizer step: linear warm-up, then cosine to 0 or constant."""
        warm = math.ceil(self.settings.warmup * self.total_steps)
        if step < warm:
            return (step + 1) / warm
        if self.settings.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.total_steps - warm)))
