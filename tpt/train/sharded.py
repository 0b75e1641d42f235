"""Training with weights, gradients and optimizer state sharded over all ranks (FSDP2), for models larger than one GPU.

No process ever holds the whole model on its device. Rank 0 holds it in host memory (4 bytes per parameter) at the
start, when it loads the checkpoint as transformers does and distributes it tensor by tensor, and at the end, to export.
Master weights are float32: 16 bytes per parameter over all ranks, with AdamW's two moments and the gradient.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from tpt.checkpoint import load_causal_lm
from tpt.errors import ModelError
from tpt.settings.train import TrainConfig
from tpt.train.checkpoints import Sharded


def strategy(settings: TrainConfig) -> Sharded:
    """Lightning's strategy for sharded training, with the checkpoints of `tpt.train.checkpoints`."""
    return Sharded(
        data_parallel_size=settings.ranks,
        tensor_parallel_size=1,
        timeout=timedelta(minutes=settings.timeout_minutes),
    )


def shard(root: nn.Module, model: PreTrainedModel, model_dir: Path, mesh: DeviceMesh, settings: TrainConfig) -> None:
    """Shard a skeleton in place, one decoder layer at a time, and load this rank's part of the weights.

    Args:
        root: the module whose forward is called; what is in no layer (embeddings, output head) is sharded with it.
        model: the skeleton inside it.
        model_dir: the checkpoint.
        mesh: the ranks; one-dimensional.

    Raises:
        ModelError: transformers cannot load the checkpoint.
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
    _deal_out(model, model_dir)


def gather(model: nn.Module, keep: bool) -> dict[str, Tensor]:
    """All weights, gathered tensor by tensor in host memory; every rank must take part.

    Args:
        keep: whether this rank gets them; the others get an empty dict.
    """
    found: dict[str, Tensor] = {}
    tied: dict[int, Tensor] = {}  # tensors with two names stay one tensor, and are written once
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) not in tied:
            whole = value.full_tensor() if isinstance(value, DTensor) else value
            tied[id(value)] = whole.detach().cpu() if keep else torch.empty(0)
        if keep:
            found[name] = tied[id(value)]
    return found


def _deal_out(model: PreTrainedModel, model_dir: Path) -> None:
    """Give each rank its part of the checkpoint's weights, which rank 0 reads.

    transformers loads them, because it knows how names and shapes in the files map to those in memory: it may rename,
    merge (experts stored one by one) and transpose them.
    """
    whole: dict[str, Any] = {}
    problem: list[str | None] = [None]
    if dist.get_rank() == 0:
        try:
            loaded = load_causal_lm(model_dir, dtype=model.dtype)
            whole = loaded.state_dict()
            model._weight_conversions = (
                loaded._weight_conversions
            )  # for the export, which writes the names that were read
        except Exception as error:  # whatever it is, the other ranks must be told, or they would wait for the weights
            problem = [str(error)]
    dist.broadcast_object_list(problem)
    if problem[0] is not None:
        raise ModelError(f"the model in {model_dir} cannot be loaded: {problem[0]}", "check the folder's files")
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    set_model_state_dict(model, whole, options=options)
