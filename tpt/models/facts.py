"""What can be told about a checkpoint without loading it: its size, context length, origin and fingerprint."""

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import artefacts, files
from tpt.artefacts import ModelDescription
from tpt.errors import ModelError, said
from tpt.models.folder import tensors, weights
from tpt.settings.model import ModelConfig

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# LongRoPE has two sets of rotary factors, for short and for long sequences. vLLM uses one set for everything that an
# engine samples; training chooses by the length of each sequence. They compute the same model only if nothing is long.
LONG = "beyond them vLLM and training would compute different models"


def describe(folder: Path) -> ModelDescription:
    """What a manifest records of a checkpoint."""
    return {
        "origin": _origin(folder),
        "parameters": _parameter_count(folder),
        "context": _made_for(folder),
        "weight_bytes": sum(path.stat().st_size for path in weights(folder)),
        "fingerprint": fingerprint(folder),
    }


def _parameter_count(folder: Path) -> int:
    """Parameters of a checkpoint, read from the headers of its safetensors files; tied ones count once."""
    return sum(math.prod(shape) for path in weights(folder) for shape in tensors(path).values())


def fingerprint(folder: Path, samples: int = 256, length: int = 4096) -> str:
    """A hash of a checkpoint's config and of samples of its weights.

    Args:
        samples: samples per file.
        length: bytes per sample.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in weights(folder):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as handle:
            # Spread over the file: training may leave the first tensors unchanged. Hashing whole files takes minutes.
            for number in range(samples):
                handle.seek(number * size // samples)
                digest.update(handle.read(length))
    return digest.hexdigest()[:16]


def head_size(config: Any) -> int:
    """The size of one attention head's keys.

    Args:
        config: of a language model, as transformers has it.
    """
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def text_config(folder: Path) -> Any:
    """The config of a checkpoint's language model, as transformers has it; the text part of a multimodal one.

    Raises:
        ModelError: transformers cannot read it.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"transformers cannot read {folder}/config.json: {said(error)}",
            "check model.path; a newer model may need a newer transformers",
        ) from error


def context_length(folder: Path, model: ModelConfig) -> int:
    """The context length, prompt and completion together: the user's setting, or else what the model was made for.

    Returns:
        tokens.
    Raises:
        ModelError: neither is known, or the setting exceeds what the model was made for.
    """
    made_for = _made_for(folder)
    if model.context and made_for and model.context > made_for:
        raise ModelError(
            f"model.context={model.context} is more than the {made_for} that {model.name} was made for"
            + (f" before LongRoPE stretched it: {LONG}" if _stretched_from(text_config(folder)) else ""),
            f"set model.context to {made_for} or less",
        )
    if not (model.context or made_for):
        raise ModelError(f"{folder}/config.json names no context length", "set model.context=")
    return int(model.context or made_for or 0)


def _made_for(folder: Path) -> int | None:
    """The context length in tokens that a language model was made for; None if its config does not say."""
    config = text_config(folder)
    return _stretched_from(config) or getattr(config, "max_position_embeddings", None)


def _stretched_from(config: "PretrainedConfig") -> int | None:
    """The context length in tokens before LongRoPE stretched it; None if the model does not use LongRoPE."""
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [one for one in (rope, *rope.values()) if isinstance(one, dict)]  # for all layers, or one per layer type
    originals = [one["original_max_position_embeddings"] for one in kinds if one.get("rope_type") == "longrope"]
    return min(originals, default=None)


def _origin(folder: Path) -> dict[str, Any]:
    recorded = folder / artefacts.ORIGIN
    if recorded.exists():
        return dict(files.read_json(recorded))
    if folder.parent.name == "snapshots":  # the hub's cache: models--OWNER--NAME/snapshots/COMMIT
        repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return {"source": "hub", "repo": repo, "revision": folder.name}
    return {"source": "folder", "folder": str(folder.resolve())}
