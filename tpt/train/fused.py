"""Liger's kernels in place of a model's own parts: they read memory once where PyTorch does so several times.

The loss computes the logits piece by piece and never holds all of them, which for large vocabularies take most memory.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

# Models whose logits come straight from the output head, or are capped: liger supports no others.
PLAIN = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2")
# Models in which every norm is followed only by linear layers.
NORMS_FIRST = ("llama", "mistral", "qwen2", "phi3")

Loss = Callable[[Tensor, Tensor], Tensor]  # hidden states (tokens, size), labels (tokens,) -> the sum of their losses


def available(model: PreTrainedModel) -> bool:
    """Whether there is a GPU, and liger is installed and supports the model."""
    return torch.cuda.is_available() and model.config.model_type in PLAIN and find_spec("liger_kernel") is not None


def fuse(model: PreTrainedModel) -> None:
    """Put liger's norms, rotary positions and MLPs into a model, which from then on works only on a GPU.

    They are also put into the model's Python module, and so into models of the same type that are created later.
    """
    if not available(model) or not _activates_as_liger(model.config):
        return
    from liger_kernel.transformers import _apply_liger_kernel_to_instance

    _apply_liger_kernel_to_instance(model=model, cross_entropy=False, fused_linear_cross_entropy=False)
    if model.config.model_type in NORMS_FIRST:
        for module in model.modules():
            if type(module).__name__.endswith("RMSNorm"):
                module.register_forward_hook(_cast)


def _activates_as_liger(config: Any) -> bool:
    """Whether a model's MLPs have the usual activation of its type, which liger uses whatever the config says."""
    usual = ("gelu_pytorch_tanh",) if config.model_type.startswith("gemma") else ("silu", "swish")
    return (getattr(config, "hidden_activation", None) or config.hidden_act) in usual


def _cast(module: torch.nn.Module, given: Any, out: Tensor) -> Tensor:
    """Cast once what autocast would otherwise cast for each of the following linear layers."""
    device = out.device.type
    return out.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else out


def fused_loss(model: PreTrainedModel) -> Loss | None:
    """Liger's loss for a model; None if it is not available."""
    if not available(model):
        return None
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    cap = getattr(model.config, "final_logit_softcapping", None)
    loss: Any = LigerFusedLinearCrossEntropyLoss(reduction="sum", softcap=cap)
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped

    def of(states: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = loss(head.weight, states, labels, head.bias)
        return found

    return of
