"""Completion-only fine-tuning as a LightningModule."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel

from tpt import files
from tpt.config import TrainConfig
from tpt.errors import TptError
from tpt.train import sharded
from tpt.train.data import IGNORED

FEWEST_SHARED = 16  # tokens: a shorter beginning costs a second call of the model and saves little


class CompletionLoss(nn.Module):
    """A causal language model's loss on the labelled tokens of a batch.

    What all prompts of a batch begin with, as worked examples, goes through the model once: the rows attend to its keys
    and values. That is exact in loss and gradient up to rounding (dropout is drawn once for the shared part).

    Args:
        model: with LoRA adapters where they are used.
        share: whether to do so, where the model can.
    """

    def __init__(self, model: PreTrainedModel, share: bool = True) -> None:
        super().__init__()
        self.model = model
        self.share = share

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
        """Sum of the negative log-likelihoods of the labelled tokens, in nats; a scalar.

        Logits are made only where there is a label: the prompt's are never needed, and most of a batch is prompt. The
        model makes them itself, for some do more than to multiply (gemma2 caps them, granite scales them).

        Args:
            input_ids: token ids, shape (batch, tokens), as the other two.
            attention_mask: 0 where there is padding.
            labels: token ids, or IGNORED.
        """
        shared = shared_prefix(input_ids, labels) if self.share else 0
        shared = shared if shared >= FEWEST_SHARED and self._keeps(shared) else 0
        keys = self._keys(input_ids[:1, :shared], len(input_ids)) if shared else None
        labels = labels[:, shared + 1 :]
        trained = labels != IGNORED
        with self._projecting(trained):
            output = self.model(
                input_ids=input_ids[:, shared:],
                attention_mask=attention_mask,
                past_key_values=keys,
                use_cache=keys is not None,
            )
        return functional.cross_entropy(output.logits[0].float(), labels[trained], reduction="sum")

    @contextmanager
    def _projecting(self, trained: Tensor) -> Iterator[None]:
        """Have the model project only some of its hidden states to the vocabulary.

        Args:
            trained: which, of all but the last of a row, shape (batch, tokens - 1).
        """
        head = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        hook = head.register_forward_pre_hook(lambda _, given: (given[0][:, :-1][trained][None],))
        try:
            yield
        finally:
            hook.remove()

    def _keys(self, prefix: Tensor, rows: int) -> DynamicCache:
        """Keys and values of a prefix, shape (1, tokens), as those of each row; gradients flow through them."""
        cache: Any = DynamicCache(config=self.model.config)
        self.model.base_model(input_ids=prefix, past_key_values=cache, use_cache=True)
        for layer in cache.layers:
            layer.keys, layer.values = (one.expand(rows, -1, -1, -1) for one in (layer.keys, layer.values))
        assert isinstance(cache, DynamicCache)
        return cache

    def _keeps(self, tokens: int) -> bool:
        """Whether the model can keep the keys and values of so many tokens, all of them, while it is trained."""
        window = getattr(self.model.config.get_text_config(), "sliding_window", None) or math.inf
        attends = not self.model._is_stateful and tokens < window
        # Checkpointed blocks compute anew and keep nothing.
        return attends and not self.model.is_gradient_checkpointing


def shared_prefix(input_ids: Tensor, labels: Tensor) -> int:
    """How many tokens all rows of a batch begin with and none is trained on, without the last, whose output is needed.

    Args:
        input_ids: token ids, shape (batch, tokens), as `labels`, which is IGNORED where a token is not trained on.

    Returns:
        0 for a single row.
    """
    if len(input_ids) < 2:
        return 0
    alike = (input_ids == input_ids[:1]).all(dim=0) & (labels == IGNORED).all(dim=0)
    return max(0, int(alike.long().cumprod(dim=0).sum()) - 1)


class FineTuning(pl.LightningModule):
    """Cross-entropy on completion tokens; AdamW with warm-up and cosine or constant learning rate.

    Args:
        model: the causal language model, with LoRA adapters where they are used.
        settings: the train config.
        total_steps: optimizer steps of the whole training.
        metrics: JSONL file that gets a line for each optimizer step.
        model_dir: where a sharded training reads its weights, each rank its own; None: `model` has them.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        settings: TrainConfig,
        total_steps: int,
        metrics: Path,
        model_dir: Path | None = None,
    ) -> None:
        super().__init__()
        # FSDP gathers a layer for the backward pass of its output, and keys and values are none: it would be missing.
        self.objective = CompletionLoss(model, settings.share_prefix and model_dir is None)
        self.settings = settings
        self.total_steps = total_steps
        self.metrics = metrics
        self._unread = model_dir
        self._nll = torch.zeros(())
        self._tokens = 0

    @property
    def model(self) -> PreTrainedModel:
        """The model in training."""
        return self.objective.model

    def configure_model(self) -> None:
        """Shard the model and read its weights, where it is to be sharded."""
        if self._unread is not None and self.device_mesh is not None:
            mesh = self.device_mesh["data_parallel"]
            sharded.shard(self.objective, self.model, self._unread, mesh, self.settings)
            self._unread = None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Translate Lightning's count of micro-batches, where a step is split up otherwise than when it was taken."""
        per_epoch = self.total_steps // self.settings.epochs
        done = (checkpoint["global_step"] - checkpoint["epoch"] * per_epoch) * self.settings.accumulate
        counts = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        difference = done - counts["current"]["processed"]
        for kind in ("current", "total"):
            for name in ("ready", "started", "processed", "completed"):
                counts[kind][name] += difference

    def completion_nll(self, batch: dict[str, Tensor]) -> Tensor:
        """See `CompletionLoss.forward`."""
        nll: Tensor = self.objective(batch["input_ids"], batch["attention_mask"], batch["labels"])
        return nll

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """The micro-batch's share of the step's mean loss per token.

        Lightning divides by the number of accumulated batches, and DDP by the number of ranks; both are undone here,
        so that each token of the step weighs the same however it was split up.
        """
        nll = self.completion_nll(batch)
        if not torch.isfinite(nll):
            raise TptError(
                f"the training loss is {nll.item()} at step {self.global_step}",
                "lower train.learning_rate, or train in 32-true; the last checkpoint is kept",
            )
        self._nll = self._nll.to(nll.device) + nll.detach()
        self._tokens = int(batch["step_tokens"])
        return nll * (self.settings.accumulate * self.trainer.world_size / self._tokens)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient and record the step."""
        nll = self.trainer.strategy.reduce(self._nll, reduce_op="sum")
        assert isinstance(nll, Tensor)
        self._nll = torch.zeros_like(self._nll)
        norm = self._clip()
        if self.trainer.is_global_zero:
            line = {
                "step": self.global_step,
                "loss": nll.item() / self._tokens,
                "learning_rate": optimizer.param_groups[0]["lr"],
                "gradient_norm": float(norm),
                "tokens": self._tokens,
            }
            files.append_jsonl(self.metrics, line)

    def _clip(self) -> Tensor:
        """Clip the gradient to `settings.clip` (0: leave it) and return its norm before that.

        Done here because Lightning refuses to clip sharded gradients.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.settings.clip or math.inf)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def configure_optimizers(self) -> Any:
        """AdamW over what is trainable, and the learning rate's schedule by optimizer steps."""
        settings = self.settings
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        beta1, beta2 = settings.betas
        optimizer = torch.optim.AdamW(
            trainable, lr=settings.learning_rate, betas=(beta1, beta2), weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_factor(self, step: int) -> float:
        """Share of the peak learning rate at an optimizer step: linear warm-up, then cosine to 0 or constant."""
        warm = math.ceil(self.settings.warmup * self.total_steps)
        if step < warm:
            return (step + 1) / warm
        if self.settings.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.total_steps - warm)))
