"""How much disk space a training takes, computed from its parameters; imports no torch.

What is written is what is in memory, whatever dtype the base model's files have: float32 weights of a bfloat16 base are
twice its size, and a checkpoint, with AdamW's two moments, six times.
"""

import math
from pathlib import Path

from tpt import models
from tpt.settings.train import TrainConfig

HEADERS = 2048  # bytes that a tensor in a file takes in addition to its numbers
MOMENTS = 2
BESIDE = ("*.json", "*.jinja", "*.model", "*.txt")  # the model's files that are copied with every export


def needed(model_dir: Path, settings: TrainConfig, rounds: int) -> int:
    """The most bytes on the disk at any time while that many rounds are trained one after another.

    Each round leaves a model. During training, a checkpoint is removed when the next one is complete; the last one
    stays until the model is complete.
    """
    if not rounds:
        return 0
    model, checkpoint = exported(model_dir, settings), checkpointed(model_dir, settings)
    return (rounds - 1) * model + checkpoint + max(checkpoint, model)


def exported(model_dir: Path, settings: TrainConfig) -> int:
    """Bytes of a round's model; adapters are merged in float32."""
    beside = sum(path.stat().st_size for pattern in BESIDE for path in model_dir.glob(pattern))
    return _stored(_shapes(model_dir), 4 if settings.lora.rank else _bytes(settings)) + beside


def checkpointed(model_dir: Path, settings: TrainConfig) -> int:
    """Bytes of a checkpoint: of all weights, or of adapters for every matrix, depending on what is trained."""
    shapes, rank = _shapes(model_dir), settings.lora.rank
    if settings.strategy == "fsdp":  # an output head that is tied to the embeddings is stored separately
        shapes.append(max(shapes, key=math.prod))
    if not rank:
        return (1 + MOMENTS) * _stored(shapes, _bytes(settings))
    sides = [(*shape[:-2], rank, side) for shape in shapes for side in shape[-2:] if len(shape) > 1]
    return (1 + MOMENTS) * _stored(sides, 4)


def _shapes(model_dir: Path) -> list[tuple[int, ...]]:
    return [shape for path in models.weights(model_dir) for shape in models.tensors(path).values()]


def _stored(shapes: list[tuple[int, ...]], bytes: int) -> int:
    return sum(math.prod(shape) * bytes + HEADERS for shape in shapes)


def _bytes(settings: TrainConfig) -> int:
    """Bytes of a weight, and of each of its moments."""
    return 2 if settings.precision == "bf16-true" else 4
