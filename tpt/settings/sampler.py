"""The engine that samples."""

from dataclasses import dataclass

from tpt.setting import setting

# The module of each engine: `load()` imports what is slow to import, `make(...)` gives a `think.base.Sampler`.
ENGINES = {"vllm": "tpt.think.vllm", "transformers": "tpt.think.transformers"}


@dataclass
class SamplerConfig:
    """The engine that samples."""

    engine: str = setting(
        "auto",
        "The engine; `auto` is vLLM if it is installed, else transformers.",
        choices=("auto", *ENGINES),
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
