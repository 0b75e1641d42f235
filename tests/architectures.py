"""Tiny models with random weights of every architecture that transformers has for causal language models."""

import inspect
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

KINDS = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
LARGEST = 5_000_000  # parameters; what stays larger is not worth the time
REACH = 40  # tokens: of windows and chunks

# Each config gets those of these values that it knows.
WIDTH = dict.fromkeys(("hidden_size", "d_model", "n_embd", "embedding_size", "word_embed_proj_dim"), 32)
DEPTH = dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"), 2)
HEADS = dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads"), 4)
INNER = dict.fromkeys(("intermediate_size", "ffn_dim", "decoder_ffn_dim", "n_inner", "d_ff"), 64)
LENGTH = dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"), 256)
EXPERTS = dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4)
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16}
OTHER = {
    "vocab_size": 512,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "sliding_window": REACH,
    "attention_chunk_size": REACH,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SMALL = WIDTH | DEPTH | HEADS | INNER | LENGTH | EXPERTS | LATENT | OTHER

# What a kind needs besides, to be valid or to have layers of each of its sorts.
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
EXTRA: dict[str, dict[str, Any]] = {
    "bamba": {"mamba_n_heads": 8, "mamba_d_state": 8, "attn_layer_indices": [1]},
    "codegen": {"rotary_dim": 4},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 16},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": REACH},
    "gptj": {"rotary_dim": 4},
    "gpt_oss": {"head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "jamba": {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4},
    "kimi_linear": {"linear_head_dim": 8, "linear_num_heads": 4, "layer_types": ["linear_attention", "full_attention"]},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "llama4_text": {"head_dim": 8, "intermediate_size_mlp": 64},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "state_size": 8},
    "nemotron_h": {
        "layers_block_type": ["mamba", "attention", "moe"],
        "mamba_num_heads": 8,
        "mamba_head_dim": 8,
        "ssm_state_size": 8,
        "n_groups": 2,
        "head_dim": 8,
        "moe_shared_expert_intermediate_size": 32,
        "moe_latent_size": None,
    },
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"], "head_dim": 8, **LINEAR},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"], "head_dim": 8, **LINEAR},
    "gemma3": {
        "text_config": {
            **{name: SMALL[name] for name in (*OTHER, "hidden_size", "num_hidden_layers", "num_attention_heads")},
            "intermediate_size": 64,
            "head_dim": 8,
            "max_position_embeddings": 256,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        "vision_config": {**VISION, "image_size": 28, "patch_size": 14},
        "mm_tokens_per_image": 4,
        "image_token_index": 511,
        "boi_token_index": 510,
        "eoi_token_index": 509,
    },
}
for unset in ("helium", "hunyuan_v1_dense", "hunyuan_v1_moe", "ministral"):
    EXTRA[unset] = {"head_dim": 8}
for latent in ("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa", "minicpm3", "youtu"):
    EXTRA[latent] = {"head_dim": 8, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1}
for latent in ("axk1", "axk2"):
    EXTRA[latent] = {"head_dim": 8, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1}


def config(kind: str, **extra: Any) -> PretrainedConfig:
    """A small config of a kind of model."""
    made: type[PretrainedConfig] = CONFIG_MAPPING[kind]
    known = {*inspect.signature(made.__init__).parameters, *dir(made)}
    return made(**({name: value for name, value in SMALL.items() if name in known} | EXTRA.get(kind, {}) | extra))


def build(kind: str, **extra: Any) -> PreTrainedModel:
    """A tiny model of a kind, from the same seed each time.

    Raises:
        ValueError: it is not tiny.
    """
    asked, causal = config(kind, **extra), cast(Any, AutoModelForCausalLM)
    with torch.device("meta"):
        size = sum(one.numel() for one in causal.from_config(asked).parameters())
    if size > LARGEST:
        raise ValueError(f"{size} parameters")
    torch.manual_seed(0)
    model: PreTrainedModel = causal.from_config(asked, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            # As they are made, weights are so small that no layer changes much: whatever is left out goes unseen. So do
            # large embeddings, which pass by all layers.
            if weights.ndim > 1 and not any(part in name for part in ("emb", "wte", "lm_head", "shared")):
                weights.mul_(5)
            elif "sink" in name:
                weights.normal_(0, 2)
    return model


def save(model: PreTrainedModel, tokenizer: Path, folder: Path) -> Path:
    """Write a checkpoint with the tokenizer of another."""
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)
    return folder
