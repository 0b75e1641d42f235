"""Which interpreter a stage's processes are started with; `tpt.settings.interpreter` knows what it has."""

import sys

from tpt.settings.interpreter import PACKAGE, absolute, ask, variables
from tpt.settings.sampler import SamplerConfig

__all__ = ["PACKAGE", "absolute", "ask", "of", "variables"]


def of(config: SamplerConfig, samples: bool) -> str:
    """The interpreter that the processes of a stage, which samples or does not, are started with."""
    return config.python if config.python and samples else sys.executable
