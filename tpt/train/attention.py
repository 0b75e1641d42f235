"""Which attention a model is trained with, and the mask for the trees of a batch."""

import logging
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.flex_attention import flex_attention_forward
from transformers.masking_utils import flex_attention_mask

from tpt.errors import ConfigError
from tpt.models import head_size
from tpt.train.tree import Packing

logger = logging.getLogger(__name__)

FLEX = "tpt_flex"  # transformers' flex attention, called through `_in_one_dtype`
BLOCK = 128  # tokens: flex attention skips blocks in which no token sees another
WIDEST_EAGER = 2048  # tokens in a row, if every layer keeps all scores of it
MASKED = 2.0  # how many times longer masked attention takes than as many multiplications elsewhere; measured

# Model types for which a test has shown that sequences packed into one row give the same results as each by itself. Any
# other type is trained without packing, which is slower but never wrong: convolutions, linear attention and other state
# that runs along the row have no common attribute by which they could be recognised.
_PACKED = """
afmoe apertus arcee biogpt bitnet codegen cohere cohere2 cohere2_moe ctrl cwm deepseek_v2 deepseek_v3 diffllama doge
dots1 ernie4_5 ernie4_5_moe exaone4 exaone_moe falcon flex_olmo gemma gemma2 gemma3 gemma3_text gemma3n_text
glm glm4 glm4_moe glm4_moe_lite gpt2 gpt_bigcode gpt_neox gpt_neox_japanese gpt_oss gptj granite granite_swa
granitemoe granitemoe_swa granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe hy_v3 hyperclovax jais2 jetmoe
llama llama4_text longcat_flash mellum mimo_v2_flash minicpm3 minimax_m2 ministral ministral3 mistral mixtral
modernbert-decoder nanochat nemotron olmo olmo2 olmo3 olmoe opt persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3
qwen3_moe seed_oss smollm3 solar_open stablelm starcoder2 vaultgemma xglm youtu
"""
PACKED = frozenset(_PACKED.split())
MASKED_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


def resolve(name: str, config: Any) -> str:
    """What `train.attention` means for a model on this machine; a name that transformers knows.

    `auto` is flex attention on a GPU that compiles it, else PyTorch's own `sdpa`, else `eager`. A model that caps
    attention scores (gemma2) is not trained with `sdpa`, which does not do that.

    Args:
        config: the model's config, as transformers has it.

    Raises:
        ConfigError: transformers has no such attention for the model.
    """
    known = supported(config)
    if name != "auto":
        if name not in known:
            raise ConfigError(
                f"train.attention={name}: transformers supports only {' or '.join(known)} for {config.model_type}",
                f"set train.attention=auto, which is {resolve('auto', config).removeprefix('tpt_')} here",
            )
        return {"flex": FLEX}.get(name, name)
    text = config.get_text_config()
    if torch.cuda.is_available() and _takes_flex(config) and _flex_works(head_size(text)):
        return FLEX
    return "sdpa" if "sdpa" in known and not getattr(text, "attn_logit_softcapping", None) else "eager"


def supported(config: Any) -> tuple[str, ...]:
    """The values of `train.attention` other than `auto` that transformers supports for a model with this config."""
    cls = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    optional = (("sdpa", "_supports_sdpa"), ("flex", "_supports_flex_attn"))
    return ("eager", *(name for name, flag in optional if getattr(cls, flag, False)))


def packing(model: PreTrainedModel, longest: int) -> Packing | None:
    """How sequences may be packed for a model; None if each needs its own row.

    They are packed only if that is known to be exact: for the models in `PACKED`, whose tokens interact only in
    attention, under a mask and at explicit positions.

    Args:
        longest: length of the longest sequence, in tokens.
    """
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    reach = min(getattr(config, name, None) or math.inf for name in ("sliding_window", "attention_chunk_size"))
    exact = model.config.model_type in PACKED and layers <= MASKED_LAYERS and not getattr(config, "alibi", False)
    if not exact or longest > reach:
        return None
    if model.config._attn_implementation == FLEX:
        return Packing(multiple=BLOCK, masked=True)
    pair = 4 * config.num_hidden_layers * config.num_attention_heads * head_size(config)
    embeddings: Any = model.get_input_embeddings()
    token = 2 * (sum(one.numel() for one in model.base_model.parameters()) - embeddings.weight.numel())
    widest = WIDEST_EAGER if model.config._attn_implementation == "eager" else Packing.widest
    return Packing(pair=MASKED * pair / token, widest=widest)


def mask(ends: Tensor, kind: str, dtype: torch.dtype) -> Any:
    """What tokens may attend to, in the form that transformers' attention takes.

    Args:
        ends: for each token of a batch of trees, see `tpt.train.tree`; shape (rows, tokens).
        kind: `sdpa`, `eager` or `FLEX`.
        dtype: the dtype of the scores.
    """
    if kind == FLEX:
        return _block_mask(ends)
    tokens = ends.shape[1]
    places = torch.arange(tokens, device=ends.device)
    seen = (places[None, None] <= places[None, :, None]) & (places[None, :, None] < ends[:, None])
    if kind == "eager":
        added = torch.zeros(seen.shape, dtype=dtype, device=ends.device)
        seen = added.masked_fill(~seen, torch.finfo(dtype).min)
    return seen[:, None]


def _block_mask(ends: Tensor) -> BlockMask:
    """The mask of trees for flex attention, whose rows consist of whole blocks.

    Which blocks it must compute follows from the blocks' borders, not from every pair of tokens: a row of 16,384 tokens
    has 268 million pairs of tokens, but 16,384 pairs of blocks.
    """
    rows, tokens = ends.shape
    first = torch.arange(0, tokens, BLOCK, device=ends.device)
    furthest = ends.view(rows, -1, BLOCK).amax(-1)
    seen = (first[None, None] <= first[None, :, None]) & (furthest[:, None] > first[None, :, None])
    order = seen.int().argsort(dim=-1, descending=True, stable=True).int()

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (query < ends[row, key])

    counts = seen.sum(-1, dtype=torch.int32)
    return BlockMask.from_kv_blocks(counts[:, None], order[:, None], BLOCK_SIZE=BLOCK, mask_mod=sees)


def _in_one_dtype(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **given: Any
) -> tuple[Tensor, Tensor | None]:
    """transformers' flex attention in the dtype of autocast: rotary positions may raise that of keys, not of values."""
    device = query.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    found: tuple[Tensor, Tensor | None] = flex_attention_forward(module, query, key, value, attention_mask, **given)
    return found


AttentionInterface.register(FLEX, _in_one_dtype)
AttentionMaskInterface.register(FLEX, flex_attention_mask)


def _takes_flex(config: Any) -> bool:
    """Whether flex attention suits a model: its class supports it, and the model uses no attention dropout."""
    return "flex" in supported(config) and not getattr(config.get_text_config(), "attention_dropout", 0.0)


def _flex_works(size: int) -> bool:
    """Whether flex attention for heads of this size compiles on this GPU and agrees with `sdpa`, gradients included."""
    device = torch.device("cuda", torch.cuda.current_device())
    ends = torch.tensor([[256] * 50 + [120] * 70 + [256] * 136], device=device)
    heads = torch.randn(3, 1, 2, 256, size, device=device)
    found = []
    try:
        for kind in (FLEX, "sdpa"):
            found.append(_attended(kind, [one.clone().requires_grad_() for one in heads], ends))
    except Exception as error:  # whatever a failing or missing compiler raises
        logger.warning("flex attention cannot be compiled here; using sdpa instead: %s", error)
        return False
    works = all(torch.allclose(one, other, rtol=0.02, atol=0.02) for one, other in zip(*found, strict=True))  # TF32
    if not works:
        logger.warning("flex attention does not give the same results as sdpa here; using sdpa instead")
    return works


def _attended(kind: str, heads: list[Tensor], ends: Tensor) -> list[Tensor]:
    """Attention of one kind over trees, and the gradients of its sum of squares; `heads`: query, key, value."""
    query, key, value = heads
    seen = mask(ends, kind, torch.float32)
    if kind == FLEX:
        out, _ = _in_one_dtype(torch.nn.Module(), query, key, value, seen)
        out = out.transpose(1, 2)
    else:
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return [out, *torch.autograd.grad(out.square().sum(), heads)]
