"""Which interpreter a stage's processes are started with; `tpt.settings.interpreter` knows what it has."""

import sys

from tpt.loop import SAMPLED, Stage
from tpt.settings.interpreter import PACKAGE, absolute, ask, variables
from tpt.settings.sampler import SamplerConfig

__all__ = ["PACKAGE", "absolute", "ask", "of", "variables"]


def of(config: SamplerConfig, stage: Stage) -> str:
    """The interpreter that a stage's processes are started with."""
    return config.python if config.python and stage.name in SAMPLED else sys.executable
