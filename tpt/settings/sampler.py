"""The engine that samples."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tpt import plugins
from tpt.setting import setting

SERVER = "server"  # the engine that loads no model, but sends requests to one that is served elsewhere
# The module of each engine: `load()` imports what is slow to import, `make(...)` gives a `think.base.Sampler`.
LOCAL = {"vllm": "tpt.think.vllm", "transformers": "tpt.think.transformers"}
ENGINES = {**LOCAL, SERVER: "tpt.think.server"}
BUILT_IN = ("auto", *ENGINES)


def _added() -> list[str]:
    """The engines that installed packages add."""
    return plugins.names(plugins.ENGINES)


def _is_address(text: str) -> bool:
    """Whether a text is an address without a password, which would end up in the run's files."""
    try:
        found = urlsplit(text)
        return (
            found.scheme in ("http", "https") and bool(found.hostname) and "@" not in found.netloc and not found.query
        )
    except ValueError:
        return False


@dataclass
class SamplerConfig:
    """The engine that samples."""

    engine: str = setting(
        "auto",
        "The engine; `auto` is vLLM if it is installed, else transformers; `server` is any OpenAI-compatible endpoint.",
        choices=BUILT_IN,
        more=_added,
        words="an engine of an installed package (entry point tpt.engines)",
    )
    python: str | None = setting(
        None,
        "The interpreter of the environment that samples, as ~/engine/bin/python; null: the one that runs the rest.",
        runtime=True,
        path=True,
    )
    shard_size: int = setting(32, "Problems in a shard, which is the most that a kill can lose.", low=1)
    tensor_parallel: int = setting(1, "GPUs of one engine.", low=1, runtime=True)
    data_parallel: int = setting(1, "Engines that sample at once.", low=1, runtime=True)
    max_num_seqs: int | None = setting(None, "Sequences in flight; null: the engine's choice.", low=1, runtime=True)
    gpu_memory_utilization: float = setting(
        0.9, "The share of a GPU's memory that the engine takes.", low=0.05, high=1, runtime=True
    )
    kv_cache_gib: float | None = setting(
        None,
        "GiB of keys and values, on the CPU only; null: a quarter of the free memory.",
        low=0.1,
        runtime=True,
    )
    block_size: int | None = setting(
        None, "Tokens cached together; null: 32 on the CPU, else the engine's choice.", low=1, runtime=True
    )
    enforce_eager: bool | None = setting(
        None, "Whether vLLM runs without compiled graphs; null: on the CPU only.", runtime=True
    )
    judge_early: bool | None = setting(
        None, "Whether samples are judged while others are sampled; null: if there is a GPU.", runtime=True
    )
    urls: list[str] = setting(
        [],
        "The servers of sampler=server, which all serve the same model, e.g. [http://localhost:8000/v1].",
        fits=_is_address,
        words="give addresses such as http://HOST:8000/v1; a key goes into an environment variable (sampler.key_env)",
        unique=True,
        runtime=True,  # the model that they serve is part of what the prepare stage hands on
    )
    served: str | None = setting(
        None,
        "The name by which a server knows the model, so any text; null: the model's path, or the only one that it "
        "lists.",
        free=True,
        added=True,
    )
    require_ids: bool | None = setting(
        None,
        "What a server exchanges. true: token ids, and a server that cannot is refused; false: text, with the server's "
        "chat template; null: token ids if it can, else text.",
        added=True,
    )
    key_env: str | None = setting(
        None,
        "The name of the environment variable that holds the servers' API key; null: they need none.",
        fits=re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch,
        words="name a variable, e.g. sampler.key_env=OPENAI_API_KEY; the key itself must not be written here",
        runtime=True,
    )
    timeout_seconds: float = setting(
        600.0, "How long a server may take to answer a request before it is sent again.", above=0, runtime=True
    )
    retries: int = setting(
        8,
        "How often a failed request to a server is repeated, each time after a longer pause (up to 8 s, or as long as "
        "the server says).",
        low=0,
        high=1000,
        runtime=True,
    )
    student: str = setting(
        "auto",
        "The engine of the model that is trained, if sampler=server serves its teacher.",
        choices=("auto", *LOCAL),
        added=True,
    )

    @property
    def local(self) -> str:
        """The engine that loads checkpoints here."""
        return self.student if self.engine == SERVER else self.engine
