"""Tiny models with random weights of every architecture that transformers has for causal language models."""

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

# Each config, and each part of one, gets those of these values that it knows.
SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "embedding_size", "emb_dim", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("attention_hidden_size", "lru_width"), 32),
    **dict.fromkeys(
        ("intermediate_size", "intermediate_size_mlp", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim"), 64
    ),
    **dict.fromkeys(("ffn_hidden_size", "n_inner", "d_ff", "dff"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 16),
    "q_lora_rank": 16,
    **dict.fromkeys(("head_dim", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "mamba_d_head", "mamba_n_heads"), 8),
    **dict.fromkeys(("mamba_d_state", "ssm_state_size", "state_size", "hidden_size_per_layer_input"), 8),
    **dict.fromkeys(("num_key_value_heads", "linear_num_key_heads", "linear_num_value_heads", "mamba_expand"), 2),
    **dict.fromkeys(("num_experts_per_tok", "mamba_dt_rank"), 2),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "first_k_dense_replace", "mamba_n_groups"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"), 256),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 512),
    "num_kv_shared_layers": 0,
    "rotary_dim": 4,
    "chunk_size": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WINDOW = ("sliding_window", "attention_chunk_size", "window_size")

# What a kind needs besides, to be valid or to have layers of each of its sorts.
EQUAL_HEADS = {"num_key_value_heads": 4}
CONVOLVED = {"layer_types": ["conv", "full_attention"] * 2}
LINEAR = {"layer_types": ["linear_attention", "full_attention"] * 2}
EXTRA: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "glm_moe_dsa"), EQUAL_HEADS),
    **dict.fromkeys(("longcat_flash", "minicpm3", "youtu", "axk1", "axk2"), EQUAL_HEADS),
    **dict.fromkeys(("lfm2", "lfm2_moe"), CONVOLVED),
    **dict.fromkeys(("qwen3_5_text", "qwen3_next"), LINEAR | {"linear_num_value_heads": 4}),
    "bamba": {"attn_layer_indices": [1, 3]},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4},
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"] * 2},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {"linear_head_dim": 8, "linear_num_heads": 4, **LINEAR},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "nemotron_h": {
        "layers_block_type": ["mamba", "attention", "moe", "mlp"],
        "mamba_num_heads": 8,
        "mamba_head_dim": 8,
        "n_groups": 2,
        "moe_shared_expert_intermediate_size": 32,
        "moe_latent_size": None,
    },
    "qwen4_exp_text": {"layer_types": ["linear_attention"] * 4},
    "zamba": {"num_hidden_layers": 9, "attention_hidden_size": 64, "head_dim": 16},
}


def config(kind: str, window: int = REACH, **extra: Any) -> PretrainedConfig:
    """A small config of a kind of model, which drops nothing out.

    Args:
        window: tokens that a layer looks back where it does not see all of them.
        extra: settings by the names that the kind has for them.
    """
    return _small(CONFIG_MAPPING[kind], SMALL | dict.fromkeys(WINDOW, window), extra)


def _small(made: type[PretrainedConfig], sizes: dict[str, Any], extra: dict[str, Any]) -> PretrainedConfig:
    usual = made()
    default = usual.to_dict()
    known = {name: size for name, size in sizes.items() if name in default}
    shares = [name for name in default if "drop" in name or name.endswith("jitter_noise")]
    nothing = {name: type(default[name])() for name in shares}  # 0, 0.0, False or None
    parts = {name: part for name in made.sub_configs if (part := getattr(usual, name, None)) is not None}
    small = {name: _small(type(part), sizes, {}).to_dict() for name, part in parts.items()}
    return made(**(known | nothing | small | EXTRA.get(made.model_type, {}) | extra))


def build(kind: str, attention: str = "eager", gain: float = 5, **settings: Any) -> PreTrainedModel:
    """A tiny model of a kind in float32, with the same random weights each time.

    As transformers makes weights, they are so small that no layer changes much: whatever is left out goes unseen. So do
    large embeddings, which pass by all layers.

    Args:
        attention: as transformers names it.
        gain: how many times as large the layers' weights are made.
        settings: those of `config`.

    Raises:
        ValueError: it is not tiny.
    """
    asked, causal = config(kind, **settings), cast(Any, AutoModelForCausalLM)
    with torch.device("meta"):
        size = sum(one.numel() for one in causal.from_config(asked).parameters())
    if size > LARGEST:
        raise ValueError(f"{size} parameters")
    torch.manual_seed(0)
    model: PreTrainedModel = causal.from_config(asked, attn_implementation=attention, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1 and not any(part in name for part in ("emb", "wte", "lm_head", "shared")):
                weights.mul_(gain)
            elif "sink" in name:
                weights.normal_(0, 2)
    return model


def checkpoint_of(kind: str, tokenizer: Path, folder: Path, **settings: Any) -> Path:
    """Write a tiny model of a kind with the tokenizer of another checkpoint; `settings`: those of `build`."""
    shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
    build(kind, **settings).save_pretrained(folder)
    return folder
