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
