"""Examples, settings and small models of many architectures to train."""

import random
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tpt.config import TrainConfig
from tpt.records import Example

SETTINGS = TrainConfig(learning_rate=1e-3, batch_size=2, checkpoint_every=1, precision="32-true")


def example(number: int, prompt: int, completion: int) -> Example:
    rng = random.Random(number)
    ids = [rng.randrange(3, 500) for _ in range(prompt + completion - 1)] + [2]
    return Example(f"p{number}", "self", 1, ids[:prompt], ids[prompt:], "")


def made_of(kind: str, tiny_model: Path, folder: Path, **extra: Any) -> Path:
    """A checkpoint of another architecture with random weights, and the tokenizer of tiny-random."""
    shutil.copytree(tiny_model, folder)
    sizes = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048}
    config = AutoConfig.for_model(kind, tie_word_embeddings=True, **{**sizes, **heads, **extra})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]  # untyped there
    return folder


# Sizes of a small model by the names that configs have for them.
SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "attention_hidden_size"), 32),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "dff"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads", "n_heads", "attention_heads"), 4),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "q_lora_rank"), 16),
    **dict.fromkeys(("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "head_dim"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "mamba_d_head", "mamba_n_heads"), 8),
    **dict.fromkeys(("mamba_d_state", "ssm_state_size", "state_size", "hidden_size_per_layer_input"), 8),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads", "num_key_value_heads", "mamba_expand"), 2),
    **dict.fromkeys(("num_experts_per_tok", "mamba_dt_rank"), 2),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "first_k_dense_replace", "mamba_n_groups"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 256),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 512),
    "num_kv_shared_layers": 0,
    "rotary_dim": 4,
    "lru_width": 32,
    "chunk_size": 16,
    "sliding_window": 64,
    "attention_chunk_size": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,  # large enough that every layer shows in the logits
}
SMALL_HEADS = {"head_dim": 8}
EQUAL_HEADS = {"num_key_value_heads": 4}
CONVOLVED = {"layer_types": ["conv", "full_attention", "conv", "full_attention"]}
# What some need besides, and of the sizes above what a config has no name or only None for.
PARTICULAR: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("deepseek_v3", "glm4_moe_lite", "longcat_flash", "minicpm3", "youtu"), EQUAL_HEADS),
    **dict.fromkeys(("hunyuan_v1_dense", "hunyuan_v1_moe", "ministral"), SMALL_HEADS),
    **dict.fromkeys(("lfm2", "lfm2_moe"), CONVOLVED),
    "deepseek_v2": {**EQUAL_HEADS, "num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "falcon": {"head_dim": None},
    "mamba2": {"num_heads": 4, "head_dim": 16, "n_groups": 1},
    "nemotron": {"num_key_value_heads": 2},
    "zamba": {"num_hidden_layers": 9, "attention_hidden_size": 64, "head_dim": 16},
}


def small(kind: str, **extra: Any) -> Any:
    """The config of a small model of any kind that transformers knows; it drops nothing out."""
    return _small(type(AutoConfig.for_model(kind)), {**PARTICULAR.get(kind, {}), **extra})


def _small(cls: Any, particular: dict[str, Any]) -> Any:
    usual = cls()
    parts = {name: getattr(usual, name, None) for name in cls.sub_configs}
    given = {name: _small(type(part), {}).to_dict() for name, part in parts.items() if part is not None}
    dropped = [name for name in usual.to_dict() if "drop" in name or name.endswith("jitter_noise")]
    nothing = {name: type(getattr(usual, name))() for name in dropped if getattr(usual, name) is not None}  # 0 or 0.0
    sizes = {name: size for name, size in (SMALL | nothing).items() if getattr(usual, name, None) is not None}
    settings = {**({} if "text_config" in given else sizes), **given, **particular}
    return cls(**{name: value for name, value in settings.items() if value is not None})


def random_model(config: Any, attention: str) -> Any:
    """A model with random weights, always the same ones, in float32."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)  # type: ignore[no-untyped-call]  # untyped there


def checkpoint_of(kind: str, tiny_model: Path, folder: Path, **extra: Any) -> Path:
    """A checkpoint of a small model of any kind, and the tokenizer of tiny-random."""
    shutil.copytree(tiny_model, folder)
    random_model(small(kind, **extra), "eager").save_pretrained(folder)
    return folder
