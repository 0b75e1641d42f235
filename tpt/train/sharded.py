"""Training with weights, gradients and optimizer state sharded over all ranks (FSDP2), for models no GPU holds alone.

No process ever holds the whole model on its device, and only rank 0 does in its host memory, while it exports: each
rank reads its own rows of each tensor from the checkpoint. Master weights are float32: 16 bytes a parameter over all
ranks, with AdamW's two moments and the gradient.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from pytorch_lightning.strategies import ModelParallelStrategy
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tpt import models
from tpt.config import TrainConfig
from tpt.errors import ModelError


def strategy(settings: TrainConfig) -> ModelParallelStrategy:
    """Lightning's strategy for sharded training; checkpoints are folders to which each rank adds its part."""
    return ModelParallelStrategy(
        data_parallel_size=settings.ranks,
        tensor_parallel_size=1,
        save_distributed_checkpoint=True,
        timeout=timedelta(minutes=settings.timeout_minutes),
    )


def skeleton(model_dir: Path, dtype: torch.dtype, attention: str = "sdpa") -> PreTrainedModel:
    """The model without its weights, which are on the meta device; buffers such as rotary frequencies are real.

    Args:
        attention: as transformers names it.
    """
    config = AutoConfig.from_pretrained(model_dir)
    with init_empty_weights(include_buffers=False):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return model


def shard(root: nn.Module, model: PreTrainedModel, model_dir: Path, mesh: DeviceMesh, settings: TrainConfig) -> None:
    """Shard a skeleton in place, a decoder layer at a time, and read this rank's part of the weights.

    Args:
        root: the module whose forward is called; what is in no layer (embeddings, output head) is sharded with it.
        model: the skeleton inside it.
        model_dir: the checkpoint.
        mesh: the ranks, in one dimension.

    Raises:
        ModelError: the checkpoint lacks a tensor, or one has another shape.
    """
    mixed = settings.precision == "bf16-mixed"
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if mixed else MixedPrecisionPolicy()
    names = model._no_split_modules or []
    for module in model.modules():
        if type(module).__name__ in names:
            fully_shard(module, mesh=mesh, mp_policy=policy)
    fully_shard(root, mesh=mesh, mp_policy=policy)
    device = torch.device("cuda", torch.cuda.current_device()) if mesh.device_type == "cuda" else torch.device("cpu")
    computed = {name: buffer.clone() for name, buffer in model.named_buffers() if buffer.device.type != "meta"}
    root.to_empty(device=device)
    model.tie_weights()
    for name, buffer in computed.items():
        model.get_buffer(name).copy_(buffer)
    _read_weights(model, model_dir, mesh)


def gather(model: nn.Module, keep: bool) -> dict[str, Tensor]:
    """The whole weights, tensor by tensor, in host memory; every rank has to take part.

    Args:
        keep: whether this rank wants them; the others get an empty dict.
    """
    found: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        whole = value.full_tensor() if isinstance(value, DTensor) else value
        if keep:
            found[name] = whole.cpu()
    return found


def _read_weights(model: PreTrainedModel, model_dir: Path, mesh: DeviceMesh) -> None:
    rank, ranks = mesh.get_local_rank(), mesh.size()
    owed = dict(model.named_parameters()) | {
        name: buffer for name, buffer in model.named_buffers() if name in model.state_dict()
    }
    for path in models.weights(model_dir):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  # no mapping
                if name in owed:
                    _copy_rows(owed.pop(name), file.get_slice(name), name, rank, ranks)
    if owed:
        raise ModelError(f"{model_dir} lacks the weights {', '.join(sorted(owed)[:3])}", "is the checkpoint whole?")


def _copy_rows(target: Tensor, stored: Any, name: str, rank: int, ranks: int) -> None:
    """Copy this rank's rows of a stored tensor: FSDP2 deals out the first dimension in equal parts but the last."""
    shape = list(stored.get_shape())
    if shape != list(target.shape):
        raise ModelError(f"the checkpoint's {name} has shape {shape}, the model's {list(target.shape)}")
    with torch.no_grad():
        if not isinstance(target, DTensor):
            target.copy_(stored[:])
            return
        rows = -(-shape[0] // ranks)
        first, last = min(rank * rows, shape[0]), min((rank + 1) * rows, shape[0])
        local = target.to_local()
        assert local.shape[0] == last - first, (name, local.shape, first, last)
        if last > first:
            local.copy_(stored[first:last])
