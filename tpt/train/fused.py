"""Liger's cross-entropy, which makes the logits a part at a time and never holds them all: for large vocabularies."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

# Models whose logits are their output head's, or those capped: liger computes no others.
PLAIN = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2")

Loss = Callable[[Tensor, Tensor], Tensor]  # hidden states (tokens, size), labels (tokens,) -> the sum of their losses


def fused_loss(model: PreTrainedModel) -> Loss | None:
    """Liger's loss for a model; None where it is not installed, there is no GPU, or it does not know the model."""
    if not torch.cuda.is_available() or model.config.model_type not in PLAIN:
        return None
    try:
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss
    except ImportError:
        return None
    cap = getattr(model.config, "final_logit_softcapping", None)
    loss: Any = LigerFusedLinearCrossEntropyLoss(reduction="sum", softcap=cap)
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

    def of(states: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = loss(head.weight, states, labels, head.bias)
        return found

    return of
