"""Which attention a model is trained with, and the mask that shows it the trees of a batch."""

import inspect
import logging
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from transformers import PreTrainedModel

from tpt.train.tree import Packing

logger = logging.getLogger(__name__)

BLOCK = 128  # tokens: flex attention skips blocks of which no token sees another
WIDEST_EAGER = 2048  # tokens of a row of which every layer keeps all scores
MASKED = 2.0  # attention under a mask takes so many times the time of as many multiplications elsewhere; measured


def resolve(name: str, config: Any) -> str:
    """What `train.attention` means for a model here; a name that transformers knows.

    `auto` is flex attention on a GPU that compiles it, else PyTorch's own `sdpa`. A model that caps attention's scores
    (gemma2) is not trained with `sdpa`, which leaves that out: it gets `eager`.

    Args:
        config: the model's, as transformers has it.
    """
    if name != "auto":
        return {"flex": "flex_attention"}.get(name, name)
    text = config.get_text_config()
    if torch.cuda.is_available() and not getattr(text, "attention_dropout", 0.0) and _flex_works():
        return "flex_attention"
    return "eager" if getattr(text, "attn_logit_softcapping", None) else "sdpa"


def packing(model: PreTrainedModel, longest: int) -> Packing | None:
    """How sequences may be packed for a model; None: each needs a row of its own.

    That is so where a model keeps a state from token to token, looks back only so far in some layers, or counts
    positions by itself.

    Args:
        longest: tokens of the longest sequence.
    """
    config = model.config.get_text_config()
    places = "position_ids" in inspect.signature(model.base_model.forward).parameters
    reach = min(getattr(config, name, None) or math.inf for name in ("sliding_window", "attention_chunk_size"))
    if model._is_stateful or not places or longest > reach or getattr(config, "alibi", False):
        return None
    if model.config._attn_implementation == "flex_attention":
        return Packing(multiple=BLOCK)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    pair = 4 * config.num_hidden_layers * config.num_attention_heads * size
    embeddings: Any = model.get_input_embeddings()
    token = 2 * (sum(one.numel() for one in model.base_model.parameters()) - embeddings.weight.numel())
    widest = WIDEST_EAGER if model.config._attn_implementation == "eager" else Packing.widest
    return Packing(pair=MASKED * pair / token, widest=widest)


def mask(ends: Tensor, kind: str, dtype: torch.dtype) -> Any:
    """What tokens may attend to, in the form that an attention of transformers takes.

    Args:
        ends: of each token of a batch of trees, see `tpt.train.tree`; shape (rows, tokens).
        kind: `sdpa`, `eager` or `flex_attention`.
        dtype: that the scores are computed in.
    """
    rows, tokens = ends.shape
    if kind == "flex_attention":

        def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (key <= query) & (query < ends[row, key])

        return create_block_mask(sees, rows, None, tokens, tokens, device=str(ends.device), BLOCK_SIZE=BLOCK)
    places = torch.arange(tokens, device=ends.device)
    seen = (places[None, None] <= places[None, :, None]) & (places[None, :, None] < ends[:, None])
    if kind == "eager":
        added = torch.zeros(seen.shape, dtype=dtype, device=ends.device)
        seen = added.masked_fill(~seen, torch.finfo(dtype).min)
    return seen[:, None]


def _flex_works() -> bool:
    """Whether this GPU compiles flex attention, forward and backward, to what `sdpa` computes."""
    device = torch.device("cuda", torch.cuda.current_device())
    ends = torch.tensor([[200] * 50 + [120] * 70 + [200] * 80], device=device)
    heads = torch.randn(3, 1, 2, 200, 64, device=device)
    found = []
    try:
        for kind in ("flex_attention", "sdpa"):
            found.append(_attended(kind, [one.clone().requires_grad_() for one in heads], ends))
    except Exception as error:  # whatever the compiler, or a compiler that is missing, raises
        logger.warning("flex attention cannot be compiled here, going on with sdpa: %s", error)
        return False
    works = all(torch.allclose(one, other, rtol=0.02, atol=0.02) for one, other in zip(*found, strict=True))  # TF32
    if not works:
        logger.warning("flex attention computes something else than sdpa here, going on with sdpa")
    return works


def _attended(kind: str, heads: list[Tensor], ends: Tensor) -> list[Tensor]:
    """Attention over trees by its kind, and the gradients of the sum of its squares; `heads`: query, key, value."""
    query, key, value = heads
    seen = mask(ends, kind, torch.float32)
    if kind == "sdpa":
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    else:
        out = torch.compile(flex_attention)(query, key, value, block_mask=seen)
    return [out, *torch.autograd.grad(out.square().sum(), heads)]
