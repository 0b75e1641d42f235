"""Writing a trained model as an ordinary checkpoint that vLLM and transformers load."""

import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

# What makes up a checkpoint besides config and weights.
COMPANIONS = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def export(model: PreTrainedModel, start: Path, out: Path, state: dict[str, Any] | None = None) -> None:
    """Write weights (safetensors, in the dtype they were trained in), config and tokenizer; all or nothing.

    Args:
        model: the trained model, adapters already merged.
        start: the checkpoint the training started from; its tokenizer's files are taken as they are.
        out: the new checkpoint's folder.
        state: the weights, where they are gathered from several ranks.
    """
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial, state_dict=state)
    for name in COMPANIONS:
        if (start / name).exists():
            shutil.copy2(start / name, partial / name)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
