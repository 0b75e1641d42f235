"""The engine: this package's own for transformers, under another name."""

from pathlib import Path

from tpt.artefacts import EngineDescription
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.transformers import TransformersSampler


def load() -> None:
    """Nothing: what is slow to import was imported with this module."""


def make(config: SamplerConfig, model: ModelConfig, model_dir: Path, context: int, _: int) -> "Plugged":
    return Plugged(config, model, model_dir, context)


class Plugged(TransformersSampler):
    def describe(self) -> EngineDescription:
        return {**super().describe(), "engine": "plugged"}
