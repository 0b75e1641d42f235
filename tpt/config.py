"""Moved to `tpt.settings`; the names stay here until every import has followed."""

from tpt.settings.cluster import ClusterConfig, Resources
from tpt.settings.config import (
    SCALARS,
    SECTIONS,
    Config,
    expand_paths,
    to_dict,
    validate,
    with_rounds_of,
)
from tpt.settings.model import ModelConfig
from tpt.settings.prune import FlipConfig, MixConfig, PruneConfig
from tpt.settings.sampler import SamplerConfig
from tpt.settings.sampling import EvaluateConfig, SampleConfig, ThinkConfig
from tpt.settings.stop import StopConfig
from tpt.settings.tracker import TrackerConfig
from tpt.settings.train import ALL_LINEAR, BF16_TRUE_RATE, LoraConfig, TrainConfig

__all__ = [
    "ALL_LINEAR",
    "BF16_TRUE_RATE",
    "SCALARS",
    "SECTIONS",
    "ClusterConfig",
    "Config",
    "EvaluateConfig",
    "FlipConfig",
    "LoraConfig",
    "MixConfig",
    "ModelConfig",
    "PruneConfig",
    "Resources",
    "SampleConfig",
    "SamplerConfig",
    "StopConfig",
    "ThinkConfig",
    "TrackerConfig",
    "TrainConfig",
    "expand_paths",
    "to_dict",
    "validate",
    "with_rounds_of",
]
